//! Whether the sender of a call that waits is still there, where the protocol does not say so.
//!
//! While a call over HTTP/1.1 waits, nothing is read of its connection: what came would be the next
//! request. So from the first sweep on, its next byte alone is waited for. A reset is a sender that
//! has gone. The end of what it sends is not: it may have closed its side and wait for its answer.
//! One that is there lets an interim answer pass; one that is not makes the network refuse it, which
//! the next sweep finds. That is said once: one that goes only after that goes unnoticed.

use std::task::{Context, Poll, ready};

use super::connection::Connection;

/// What is known of the sender of a call that waits.
#[derive(Debug, Default)]
pub(super) enum Watch {
    /// Nothing is asked: most calls do not wait until a sweep.
    #[default]
    Off,
    /// Its next byte is waited for.
    On,
    /// It has sent the first byte of another request, so it was there. No more of that is read.
    Sends,
    /// It sends nothing more.
    Ended,
}

/// What was found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The first byte of the next request, which is to be kept.
    Byte(u8),
    /// It has ended its side: it is to be told something.
    End,
    /// It has gone.
    Gone,
}

impl Watch {
    /// Looks after a call that waits; ready where something was found out.
    ///
    /// - Cost: none before the first sweep.
    pub(super) fn poll(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<Found> {
        let was_swept = connection.take_sweep();
        let io = connection.driver().io();
        match self {
            Self::Off if !was_swept => return Poll::Pending,
            Self::Off | Self::On => {}
            Self::Ended if was_swept && io.is_broken(cx) => return Poll::Ready(Found::Gone),
            Self::Sends | Self::Ended => return Poll::Pending,
        }
        *self = Self::On;
        let (watch, found) = match ready!(io.poll_sense(cx)) {
            Ok(Some(byte)) => (Self::Sends, Found::Byte(byte)),
            Ok(None) => (Self::Ended, Found::End),
            Err(_reset) => (Self::Ended, Found::Gone),
        };
        *self = watch;
        Poll::Ready(found)
    }

    /// Whether the sender is known to send nothing more.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }
}
