//! The one message that a shard gets from outside: drain.

use std::{
    future::{Future, poll_fn},
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures_util::task::AtomicWaker;

/// Tells one shard to drain, from any thread.
#[derive(Debug, Default)]
pub struct Stop {
    told: AtomicBool,
    waker: AtomicWaker,
}

impl Stop {
    /// Tells it.
    pub fn tell(&self) {
        self.told.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits until told.
    pub fn told(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.told.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}
