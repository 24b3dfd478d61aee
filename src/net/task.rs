//! The task that drives a connection, from the outside: wake it, give its connection up.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Waker},
};

/// Whom to wake, and whether the connection was given up.
#[derive(Debug, Default)]
pub(super) struct Task {
    waker: RefCell<Option<Waker>>,
    abandoned: Cell<bool>,
}

impl Task {
    /// Notes the task that is polled.
    pub(super) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_ref() {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
    }

    /// Polls it again.
    pub(super) fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Gives the connection up: the task ends without another byte.
    pub(super) fn abandon(&self) {
        self.abandoned.set(true);
        self.wake();
    }

    /// Whether the connection was given up.
    pub(super) const fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }
}
