//! What a person wants to know of a shard beyond numbers: since when, and why.
//!
//! A shard's thread writes here when something changes, a few times in an outage, and the admin
//! thread reads. That is what makes a lock fit: it is not on the path of the data, and neither side
//! holds it for longer than it takes to copy a few words.

#![expect(
    clippy::disallowed_types,
    reason = "written on a change of state alone, so no request ever waits for it"
)]

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::labels::Strategy;

/// What a shard says of its collectors, its degradation and its spool.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// Each collector, by the index at which it was registered.
    pub collectors: Vec<CollectorStatus>,
    /// By [`crate::signal::Signal::index`]: how a signal is degraded; `None`: it is not.
    pub degradation: [Option<Degraded>; 4],
    /// The spool; `None` where the configuration has none.
    pub spool: Option<SpoolStatus>,
}

/// A collector as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorName {
    /// What it is called on every page: `host:port`.
    pub name: String,
    /// What it is there for.
    pub role: Role,
}

/// What a collector is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes what comes in.
    Primary,
    /// It takes what the others do not.
    Fallback,
}

/// One collector as one shard sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorStatus {
    /// What it is called.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// The state of its circuit breaker: 0 closed, 1 open, 2 half-open.
    pub breaker: u8,
    /// Since when the breaker is in that state.
    pub since: SystemTime,
    /// What its health probes say; `None` before they have said anything.
    pub healthy: Option<bool>,
    /// Its last error; `None` once it is well again.
    pub error: Option<String>,
}

/// How a signal is degraded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// The strategies that are active.
    pub strategies: Vec<Strategy>,
    /// Since when.
    pub since: SystemTime,
    /// What made it so, as one sentence without a full stop.
    pub why: String,
}

/// The spool of a shard. Its figures are metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Where it lies.
    pub directory: String,
    /// Whether it works.
    pub state: SpoolState,
    /// Since when it is in that state.
    pub since: SystemTime,
    /// Its last error; `None` once it works again.
    pub error: Option<String>,
}

/// Whether a spool works, the best state first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolState {
    /// It takes what it is given.
    Working,
    /// It still looks through what an earlier run left.
    Recovering,
    /// The disk does not take what it is given.
    Broken,
}

impl CollectorStatus {
    /// A collector of which nothing is known yet: its breaker is closed.
    #[must_use]
    pub fn new(collector: CollectorName, since: SystemTime) -> Self {
        Self {
            name: collector.name,
            role: collector.role,
            breaker: 0,
            since,
            healthy: None,
            error: None,
        }
    }
}

/// A [`Board`] that one thread changes and another reads.
#[derive(Debug, Default)]
pub(super) struct Posted(Mutex<Board>);

impl Posted {
    pub(super) const fn new(board: Board) -> Self {
        Self(Mutex::new(board))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Board)) {
        change(&mut self.lock());
    }

    pub(super) fn read(&self) -> Board {
        self.lock().clone()
    }

    /// A thread that failed while it wrote leaves a board that can be read all the same.
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment in whole seconds since 1970; 0 for one before that.
pub(super) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .as_ref()
        .map_or(0, Duration::as_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_can_be_read_after_its_writer_failed() {
        let posted = Posted::default();
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            posted.change(|board| {
                board.spool = Some(SpoolStatus {
                    directory: "/spool".to_owned(),
                    state: SpoolState::Working,
                    since: SystemTime::UNIX_EPOCH,
                    error: None,
                });
                panic!("on purpose");
            });
        }));
        assert!(failed.is_err());
        assert_eq!(posted.read().spool.unwrap().directory, "/spool");
    }

    #[test]
    fn a_moment_before_1970_reads_as_0() {
        let second = Duration::from_secs(1);
        assert_eq!(unix_seconds(SystemTime::UNIX_EPOCH - second), 0);
        assert_eq!(unix_seconds(SystemTime::UNIX_EPOCH + 2 * second), 2);
    }
}
