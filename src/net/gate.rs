//! A gate before a socket's reads: closed while the shard holds too much.

use std::{
    cell::{Cell, RefCell},
    task::Waker,
};

/// Stops reads while it is closed; the peers' flow control does the waiting.
///
/// - Shard: one per shard, used by every connection from a sender.
#[derive(Debug, Default)]
pub struct Gate {
    closed: Cell<bool>,
    /// Counts how often the gate was opened, from 1.
    openings: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    /// Closes or opens the gate; opening wakes every read that waits.
    pub fn set_closed(&self, closed: bool) {
        let was = self.closed.replace(closed);
        if was && !closed {
            self.openings.set(self.openings.get() + 1);
            for waker in self.waiting.borrow_mut().drain(..) {
                waker.wake();
            }
        }
    }

    /// Whether reads wait.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
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
            gate.set_closed(true);
            for _ in 0..3 {
                gate.wait(&place, &noop_waker());
            }
            assert_eq!(gate.waiting.borrow().len(), 1);
            gate.set_closed(false);
            assert!(gate.waiting.borrow().is_empty());
        }
    }
}
