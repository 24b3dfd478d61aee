//! A gate before the sockets' reads: closed while the shard has enough to do.

use std::{
    cell::{Cell, RefCell},
    task::Waker,
};

/// Why the gate is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hold {
    /// The memory budget is over its soft mark.
    Memory = 1,
    /// Sealed batches wait for collectors that are at work.
    Backlog = 2,
}

/// Stops reads while anything holds it closed; the peers' flow control does the waiting.
///
/// - Shard: one per shard, used by every connection from a sender.
#[derive(Debug, Default)]
pub struct Gate {
    holds: Cell<u8>,
    /// Counts how often the gate was opened, from 1.
    openings: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    /// Holds the gate closed for a reason, or no longer; opening wakes every read that waits.
    pub fn hold(&self, hold: Hold, on: bool) {
        let before = self.holds.get();
        let bit = hold as u8;
        self.holds
            .set(if on { before | bit } else { before & !bit });
        if before != 0 && self.holds.get() == 0 {
            self.openings.set(self.openings.get() + 1);
            for waker in self.waiting.borrow_mut().drain(..) {
                waker.wake();
            }
        }
    }

    /// Whether reads wait.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.holds.get() != 0
    }

    /// Wakes `waker` once the gate opens. `place` is the waiting connection's own, 0 at first: it
    /// keeps a connection that is polled many times at a closed gate from waiting many times.
    pub fn wait(&self, place: &Cell<u64>, waker: &Waker) {
        let turn = self.openings.get() + 1;
        if place.replace(turn) != turn {
            self.waiting.borrow_mut().push(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker;

    #[test]
    fn a_connection_waits_once_at_each_closing() {
        let (gate, place) = (Gate::default(), Cell::new(0));
        for _ in 0..2 {
            gate.hold(Hold::Memory, true);
            for _ in 0..3 {
                gate.wait(&place, &noop_waker());
            }
            assert_eq!(gate.waiting.borrow().len(), 1);
            gate.hold(Hold::Memory, false);
            assert!(gate.waiting.borrow().is_empty());
        }
    }

    #[test]
    fn the_gate_opens_when_nothing_holds_it_any_more() {
        let gate = Gate::default();
        gate.hold(Hold::Memory, true);
        gate.hold(Hold::Backlog, true);
        gate.hold(Hold::Memory, false);
        assert!(gate.is_closed());
        gate.hold(Hold::Backlog, false);
        assert!(!gate.is_closed());
    }
}
