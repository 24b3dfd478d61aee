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
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    /// Closes or opens the gate; opening wakes every read that waits.
    pub fn set_closed(&self, closed: bool) {
        let was = self.closed.replace(closed);
        if was && !closed {
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

    /// Wakes `waker` once the gate opens.
    pub fn wait(&self, waker: &Waker) {
        self.waiting.borrow_mut().push(waker.clone());
    }
}
