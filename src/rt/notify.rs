//! A wake-up between two tasks of one executor that is never missed and never counted twice.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    task::{Poll, Waker},
};

use futures_util::future::poll_fn;

/// One waiter, many notifiers, on one executor.
///
/// A notification that comes while nobody waits is kept; several of them are one.
#[derive(Debug, Default)]
pub struct Notify {
    set: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Notify {
    /// Wakes the waiter, or lets the next one pass at once.
    pub fn notify(&self) {
        if !self.set.replace(true) {
            let waker = self.waker.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Waits until notified, and clears it.
    pub fn notified(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            if self.set.take() {
                return Poll::Ready(());
            }
            let mut waker = self.waker.borrow_mut();
            match waker.as_ref() {
                Some(known) if known.will_wake(cx.waker()) => {}
                _ => *waker = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    }
}
