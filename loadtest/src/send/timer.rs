//! A timer finer than the runtime's millisecond.

use std::{io, os::fd::OwnedFd, time::Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Wakes at a time of the monotonic clock.
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// A timer of the current runtime.
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe, to make sure that the descriptor stays open; an OwnedFd does"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        AsyncFd::with_interest(fd, Interest::READABLE).map(Self)
    }

    /// Returns at that time, or at once when it has passed.
    pub(super) async fn until(&self, at: Instant) -> io::Result<()> {
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: left.try_into().map_err(|_| io::ErrorKind::InvalidInput)?,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            let mut expirations = [0; 8];
            self.0
                .async_io(Interest::READABLE, |fd| {
                    rustix::io::read(fd, &mut expirations).map_err(io::Error::from)
                })
                .await?;
        }
    }
}
