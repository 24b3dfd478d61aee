//! Whether the process lives and whether it takes data, from what its shards say of themselves.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// What shards say of themselves; written by them at their start and end, read by the admin thread.
#[derive(Debug)]
pub struct Health {
    expected: usize,
    running: AtomicUsize,
    listening: AtomicUsize,
    started: AtomicBool,
    draining: AtomicBool,
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not every shard runs yet.
    Starting {
        /// Shards that run.
        running: usize,
        /// Shards that should.
        expected: usize,
    },
    /// A shard that ran is gone: the process has failed and should be started anew.
    Broken {
        /// Shards that run.
        running: usize,
        /// Shards that should.
        expected: usize,
    },
    /// Every shard runs, but not every one listens yet.
    Opening {
        /// Shards that listen.
        listening: usize,
        /// Shards that should.
        expected: usize,
    },
    /// Every shard runs and listens.
    Ready,
    /// The process finishes what it took and takes nothing new.
    Draining,
}

impl Health {
    /// The health of a process that is to have `expected` shards; none runs yet.
    #[must_use]
    pub fn new(expected: usize) -> Arc<Self> {
        Arc::new(Self {
            expected,
            running: AtomicUsize::new(0),
            listening: AtomicUsize::new(0),
            started: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        })
    }

    /// Says that a shard runs, until the answer is dropped.
    pub fn run(self: &Arc<Self>) -> Running {
        if self.running.fetch_add(1, Ordering::AcqRel) + 1 == self.expected {
            self.started.store(true, Ordering::Release);
        }
        Running {
            health: Arc::clone(self),
            listening: false,
        }
    }

    /// Says that the process takes nothing new from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Where the process is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let expected = self.expected;
        let running = self.running.load(Ordering::Acquire);
        let listening = self.listening.load(Ordering::Acquire);
        if self.draining.load(Ordering::Acquire) {
            // Shards that have finished are gone, as they should be.
            Phase::Draining
        } else if running >= expected && listening >= expected {
            Phase::Ready
        } else if running >= expected {
            Phase::Opening {
                listening,
                expected,
            }
        } else if self.started.load(Ordering::Acquire) {
            Phase::Broken { running, expected }
        } else {
            Phase::Starting { running, expected }
        }
    }
}

/// A shard that runs; dropped where it ends, however it ends.
#[derive(Debug)]
#[must_use = "the shard counts as gone when this is dropped"]
pub struct Running {
    health: Arc<Health>,
    listening: bool,
}

impl Running {
    /// Says that the shard's sockets accept connections.
    pub fn listen(&mut self) {
        if !self.listening {
            self.listening = true;
            self.health.listening.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.health.running.fetch_sub(1, Ordering::AcqRel);
        if self.listening {
            self.health.listening.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Phase {
    /// Whether the process lives: every shard that should run does.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Opening { .. } | Self::Ready | Self::Draining)
    }

    /// Whether the process takes data.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Ready)
    }

    /// The phase in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting { .. } => "starting",
            Self::Broken { .. } => "broken",
            Self::Opening { .. } => "opening",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting { running, expected } => {
                write!(f, "starting: {running} of {expected} shards run")
            }
            Self::Broken { running, expected } => write!(
                f,
                "broken: {running} of {expected} shards run and the others are gone; restart the \
                 process and read its last log lines"
            ),
            Self::Opening {
                listening,
                expected,
            } => {
                write!(f, "opening: {listening} of {expected} shards listen")
            }
            Self::Ready => f.write_str("ready"),
            Self::Draining => {
                f.write_str("draining: what was taken is being finished, nothing new is taken")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_starts_opens_serves_and_drains() {
        let health = Health::new(2);
        let seen = |phase: Phase, live, ready| {
            assert_eq!(health.phase(), phase);
            assert_eq!(
                (phase.is_live(), phase.is_ready()),
                (live, ready),
                "{phase}"
            );
        };
        seen(
            Phase::Starting {
                running: 0,
                expected: 2,
            },
            false,
            false,
        );
        let mut first = health.run();
        first.listen();
        seen(
            Phase::Starting {
                running: 1,
                expected: 2,
            },
            false,
            false,
        );
        let mut second = health.run();
        seen(
            Phase::Opening {
                listening: 1,
                expected: 2,
            },
            true,
            false,
        );
        second.listen();
        second.listen();
        seen(Phase::Ready, true, true);
        health.drain();
        drop((first, second));
        seen(Phase::Draining, true, false);
    }

    #[test]
    fn a_shard_that_goes_without_a_drain_breaks_the_process() {
        let health = Health::new(1);
        let mut shard = health.run();
        shard.listen();
        drop(shard);
        assert_eq!(
            health.phase(),
            Phase::Broken {
                running: 0,
                expected: 1
            }
        );
        assert!(!health.phase().is_live());
    }
}
