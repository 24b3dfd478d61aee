//! Bodies that are being read, and since when: one that never ends is ended.

use std::{
    cell::RefCell,
    task::Waker,
    time::{Duration, Instant},
};

use slab::Slab;

/// Every body of the shard that is not whole yet.
///
/// A sweep once a second stands in for a timer a request, which would cost each request what only
/// the slow ones need.
///
/// - Shard: one per shard.
#[derive(Debug, Default)]
pub struct Reads {
    reads: RefCell<Slab<Read>>,
}

#[derive(Debug)]
struct Read {
    since: Instant,
    waker: Option<Waker>,
    late: bool,
}

/// One body's place among them; leaves when dropped.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    reads: &'a Reads,
    key: usize,
}

impl Reads {
    pub(super) fn begin(&self, now: Instant) -> Reading<'_> {
        let read = Read {
            since: now,
            waker: None,
            late: false,
        };
        Reading {
            reads: self,
            key: self.reads.borrow_mut().insert(read),
        }
    }

    /// Wakes the readers of bodies that have taken longer than `age_max`.
    pub(super) fn sweep(&self, now: Instant, age_max: Duration) {
        for (_, read) in self.reads.borrow_mut().iter_mut() {
            if now.saturating_duration_since(read.since) > age_max {
                read.late = true;
                if let Some(waker) = read.waker.take() {
                    waker.wake();
                }
            }
        }
    }
}

impl Reading<'_> {
    /// Whether the body has taken too long; if not, the sweep wakes `waker` once it has.
    pub(super) fn is_late(&self, waker: &Waker) -> bool {
        let mut reads = self.reads.reads.borrow_mut();
        let Some(read) = reads.get_mut(self.key) else {
            return false;
        };
        match &read.waker {
            Some(known) if known.will_wake(waker) => {}
            _ => read.waker = Some(waker.clone()),
        }
        read.late
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        drop(self.reads.reads.borrow_mut().try_remove(self.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker;

    #[test]
    fn a_body_is_late_only_after_its_time_and_leaves_with_its_reader() {
        let (reads, now) = (Reads::default(), crate::rt::now());
        let reading = reads.begin(now);
        let age_max = Duration::from_secs(30);
        reads.sweep(now + age_max, age_max);
        assert!(!reading.is_late(&noop_waker()));
        reads.sweep(now + age_max * 2, age_max);
        assert!(reading.is_late(&noop_waker()));
        drop(reading);
        assert!(reads.reads.borrow().is_empty());
    }
}
