//! Drives a connection: polls its protocol, then sends what that gathered, in one task.

use std::{
    future::{Future, poll_fn},
    task::{Context, Poll, ready},
};

use super::{IoHandle, task::Task};

/// A connection from the outside of its task: wake it, give it up.
#[derive(Debug)]
pub struct Driver {
    io: IoHandle,
    task: Task,
}

impl Driver {
    /// The driver of a connection with this I/O.
    #[must_use]
    pub fn new(io: IoHandle) -> Self {
        Self {
            io,
            task: Task::default(),
        }
    }

    /// The connection's bytes.
    #[must_use]
    pub const fn io(&self) -> &IoHandle {
        &self.io
    }

    /// Polls the connection again.
    pub fn wake(&self) {
        self.task.wake();
    }

    /// Gives the connection up: its task ends without another byte.
    pub fn abandon(&self) {
        self.task.abandon();
    }

    /// Whether the connection was given up.
    #[must_use]
    pub const fn is_abandoned(&self) -> bool {
        self.task.is_abandoned()
    }

    /// Registers the connection's task with the driver.
    pub fn register(&self, cx: &Context<'_>) {
        self.task.register(cx);
    }

    /// Polls `poll`, then sends what that gathered, until `poll` is ready and all is sent, or the
    /// connection is broken or abandoned.
    pub fn drive<'a>(
        &'a self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<()> + 'a,
    ) -> impl Future<Output = ()> + 'a {
        self.run(poll, false)
    }

    /// [`Driver::drive`] for a connection that carries many calls at once: a few bytes are put off
    /// once, until the other tasks that are ready have run, because what the connection answers by
    /// then goes out with them. Where nothing else is ready, that is at once.
    ///
    /// - Cost: the task runs twice for a write, which is a loss where calls come one by one.
    pub fn drive_many<'a>(
        &'a self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<()> + 'a,
    ) -> impl Future<Output = ()> + 'a {
        self.run(poll, true)
    }

    fn run<'a>(
        &'a self,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<()> + 'a,
        puts_off: bool,
    ) -> impl Future<Output = ()> + 'a {
        let mut ended = false;
        let mut put_off = false;
        poll_fn(move |cx| {
            self.register(cx);
            if self.task.is_abandoned() {
                return Poll::Ready(());
            }
            ended = ended || poll(cx).is_ready();
            if puts_off && !ended && !put_off && self.io.is_worth_putting_off() {
                put_off = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            put_off = false;
            match ready!(self.io.poll_drain(cx)) {
                Ok(()) if ended => Poll::Ready(()),
                Ok(()) => Poll::Pending,
                Err(_gone) => Poll::Ready(()),
            }
        })
    }
}
