//! What a client sends: requests, as the peer's windows and its number of streams allow.
//!
//! A request is sent whole before the next begins, as far as its window goes: its bytes are in the
//! cache together, and the first answer comes sooner than where all are sent in turn and end
//! together. One whose own window is used up lets the others pass.

use std::rc::Rc;

use bytes::Buf;

use super::{Call, Client, Failure};
use crate::http2::{flow::Window, frame::WINDOW_MAX, hpack::NO_TABLE, write::Write as _};

/// Bytes in the output above which no more of a body is put there.
///
/// - Source: chosen: two full batches; more than one write takes, little where the peer is slow.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// The largest frame that is sent to a peer that takes larger ones.
///
/// - Source: chosen: the nine bytes of a head do not count any more.
const FRAME_BYTES_MAX: usize = 64 << 10;

impl<B: Buf> Client<B> {
    /// Puts into the output what may be sent.
    pub(super) fn produce(&mut self) {
        let mut at = 0;
        loop {
            while let Some(&index) = self.sending.get(at) {
                if self.send_body(index) {
                    self.sending.remove(at);
                } else {
                    at += 1;
                }
                if self.is_full() {
                    return;
                }
            }
            if !self.start_next() {
                return;
            }
        }
    }

    /// Whether no byte of a body can go now, whosever it is.
    fn is_full(&self) -> bool {
        self.window.room() == 0 || self.output.waiting() >= WAITING_BYTES_MAX
    }

    /// Opens a stream for the call that has waited longest.
    fn start_next(&mut self) -> bool {
        if self.is_full() || self.open.len() >= self.peer.streams_max {
            return false;
        }
        let Some(index) = self.queue.pop_front() else {
            return false;
        };
        let Some(call) = self.calls.get_mut(index) else {
            return true;
        };
        let stream = self.next_stream;
        if stream > WINDOW_MAX {
            self.queue.push_front(index);
            self.retire();
            return false;
        }
        self.next_stream += 2;
        self.open.push((stream, index));
        call.stream = stream;
        call.window = Window::new(self.peer.stream_window);
        call.begins_at = self.output.queued();
        let is_empty = call.body.as_ref().is_none_or(|body| !body.has_remaining());
        // The first block stands for every change of the table's size that the peer asks for.
        let prefix: &[u8] = if stream == 1 { &[NO_TABLE] } else { &[] };
        self.output.headers(stream, prefix, &call.block, is_empty);
        if is_empty {
            call.body = None;
        } else {
            self.sending.push_back(index);
        }
        true
    }

    /// Sends what the windows allow of a body; says whether that was the rest.
    fn send_body(&mut self, index: usize) -> bool {
        let Some(Call {
            stream,
            body: slot,
            window,
            ..
        }) = self.calls.get_mut(index)
        else {
            return true;
        };
        let Some(body) = slot else { return true };
        let frame_bytes_max = self.peer.frame_bytes_max.min(FRAME_BYTES_MAX);
        while self.output.waiting() < WAITING_BYTES_MAX {
            let len = body
                .remaining()
                .min(frame_bytes_max)
                .min(window.room())
                .min(self.window.room());
            if len == 0 || !window.take(len) || !self.window.take(len) {
                return false;
            }
            let ends = len == body.remaining();
            self.output.data(*stream, body, len, ends);
            if ends {
                *slot = None;
                return true;
            }
        }
        false
    }

    /// The numbers of streams are used up: what waits goes to another connection.
    fn retire(&mut self) {
        let why: Rc<str> = Rc::from("the connection has no stream left");
        for index in std::mem::take(&mut self.queue) {
            self.finish(index, Err(Failure::not_processed(Rc::clone(&why))));
        }
        self.going_away.get_or_insert(why);
    }
}
