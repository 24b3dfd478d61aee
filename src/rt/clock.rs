//! Time: the only place that reads a clock.

use std::{
    future::Future,
    pin::pin,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::poll_fn;

/// The monotonic time.
///
/// - Cost: one vDSO call, about 25 ns.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the others take time from"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall-clock time, for what people and other hosts read: log lines and HTTP dates.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the others take time from"
)]
pub fn unix_time() -> SystemTime {
    SystemTime::now()
}

/// Waits for `duration` on the executor's timer.
pub async fn sleep(duration: Duration) {
    glommio::timer::Timer::new(duration).await;
}

/// The time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// Runs `future` for at most `duration`, then drops it.
///
/// # Errors
///
/// [`Elapsed`] when the time was up first.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut timer = pin!(sleep(duration));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        timer.as_mut().poll(cx).map(|()| Err(Elapsed))
    })
    .await
}
