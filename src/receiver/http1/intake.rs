//! What a connection reads: a long body to where it stays, everything else to be looked through.
//!
//! Where a body begins is not known before its head was read. So a read goes to two places, parted
//! where the next head ends if it is as long as the last one: senders repeat themselves. Where it
//! is not, the body is copied, as short ones are.

use std::{
    io,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};

use super::{ANSWER_BYTES_MAX, InCall, Session};
use crate::{
    batch::Permit,
    net::READ_BYTES,
    outcome::{Outcome, Refusal},
    rt::Room,
};

/// Bytes of a body from which it is read to where it stays.
///
/// - Source: chosen: a copy of less stays in the first-level cache.
const LONG_BYTES_MIN: usize = 16 * 1024;

/// A body may be longer than the last one by this part, and fits.
///
/// - Source: chosen: half of what may stay empty, so that one may be shorter by as much.
const LONGER_PART: usize = 16;

/// What the next request is likely to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Likely {
    head_bytes: usize,
    body_bytes: usize,
}

impl Likely {
    /// What comes after a request with such a head and body; `None` where nothing can be gained.
    pub(super) fn after(head_bytes: usize, body_bytes: Option<usize>) -> Option<Self> {
        let last = body_bytes.filter(|bytes| *bytes >= LONG_BYTES_MIN)?;
        Some(Self {
            head_bytes,
            body_bytes: last.saturating_add(last / LONGER_PART).min(READ_BYTES),
        })
    }
}

impl Session<'_> {
    /// Reads once and takes what came; says how much that was, 0 is the end.
    pub(super) fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        let missing = self.missing();
        if missing >= LONG_BYTES_MIN
            && let Some(reader) = self.call.as_mut().and_then(InCall::reader)
        {
            let mut nothing = BytesMut::new();
            let before = Room {
                memory: &mut nothing,
                bytes: 0,
            };
            let rest = Room {
                memory: reader.room(missing),
                bytes: missing,
            };
            let io = self.connection.driver().io();
            let read = ready!(io.poll_read_apart(cx, before, rest))?;
            let taken = reader.filled(read);
            self.came_apart(read, taken);
            return Poll::Ready(Ok(read));
        }
        if let Some(likely) = self.likely
            && self.http.is_idle()
        {
            return self.poll_likely(cx, likely);
        }
        let mut read = 0;
        let io = self.connection.driver().io();
        ready!(io.poll_take(cx, |bytes| {
            read = bytes.len();
            self.take(bytes);
        }))?;
        Poll::Ready(Ok(read))
    }

    /// How much is missing of a body whose length was declared.
    fn missing(&self) -> usize {
        self.http.missing().try_into().unwrap_or(usize::MAX)
    }

    /// Reads the beginning of a request.
    fn poll_likely(&mut self, cx: &mut TaskContext<'_>, likely: Likely) -> Poll<io::Result<usize>> {
        let (mut head, mut body) = (BytesMut::new(), BytesMut::new());
        let head_room = Room {
            memory: &mut head,
            bytes: likely.head_bytes,
        };
        let body_room = Room {
            memory: &mut body,
            bytes: likely.body_bytes,
        };
        let io = self.connection.driver().io();
        let read = ready!(io.poll_read_apart(cx, head_room, body_room))?;
        let taken = self.receive(&head);
        let is_body = taken == head.len() && self.missing() >= body.len();
        match self.call.as_mut().and_then(InCall::reader) {
            Some(reader) if is_body => {
                let bytes = body.len();
                let taken = reader.adopt(body);
                self.came_apart(bytes, taken);
            }
            _ => {
                // No body begins here, or the head does not end here.
                head.advance(taken);
                head.unsplit(body);
                self.take(&head);
            }
        }
        Poll::Ready(Ok(read))
    }

    /// A piece of the body came, and not by the input.
    fn came_apart(&mut self, bytes: usize, taken: Result<(), Refusal>) {
        self.http.came_apart(bytes.try_into().unwrap_or(u64::MAX));
        match taken {
            // The piece may have been the last.
            Ok(()) => _ = self.receive(&[]),
            Err(refusal) => self.close(Outcome::Refused(refusal), false),
        }
    }

    /// Takes input up to a call that waits, and keeps the rest.
    fn take(&mut self, input: &[u8]) {
        let taken = self.receive(input);
        self.keep(input.get(taken..).unwrap_or_default());
    }

    /// Keeps what was sent ahead. Where there is no room for it the next answer is the last, which
    /// tells the sender to send the rest again.
    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.http.is_done() {
            return;
        }
        let mut permit = Permit::none(&self.context.budget);
        if permit.cover(bytes.len()).is_ok() {
            self.ahead = Some((Bytes::copy_from_slice(bytes), permit));
        } else {
            self.http.shut_down();
        }
    }

    /// Takes input up to a call that waits; says how much.
    pub(super) fn receive(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        while self.http.output().len() <= ANSWER_BYTES_MAX {
            match self.http.next(&mut rest) {
                Ok(Some(event)) => self.on(event),
                Ok(None) => break,
                Err(problem) => {
                    self.fail(problem);
                    break;
                }
            }
        }
        input.len() - rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{receiver::body::EMPTY_PART, rt};

    #[test]
    fn a_body_as_long_as_the_last_one_stays_where_it_was_read_to() {
        for bytes in [LONG_BYTES_MIN, 43_017, READ_BYTES, 1 << 24] {
            let likely = Likely::after(200, Some(bytes)).unwrap();
            let memory = rt::aligned(likely.body_bytes).capacity();
            assert!(memory <= bytes + bytes / EMPTY_PART, "{bytes}");
        }
    }

    #[test]
    fn nothing_is_expected_after_a_short_body_or_one_of_unknown_length() {
        assert_eq!(Likely::after(200, Some(LONG_BYTES_MIN - 1)), None);
        assert_eq!(Likely::after(200, None), None);
    }
}
