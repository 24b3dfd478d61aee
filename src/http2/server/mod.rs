//! The server's side of one connection: bytes in, events out; answers in, bytes out.

mod core;
mod heads;
mod input;
mod streams;

use bytes::Bytes;
use http::request::Parts;

use self::{core::Core, input::Input};
use super::frame::{ErrorCode, FRAME_BYTES_DEFAULT};

/// Bounds on what a peer can make grow, and the windows that it is given.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams that the peer may have open at once.
    pub streams: u32,
    /// Bytes of a request's header fields, counted as RFC 9113, section 10.5.1 says.
    pub header_bytes: u32,
    /// Bytes that the peer may have under way on a stream.
    pub stream_window: u32,
    /// Bytes that the peer may have under way on the connection.
    pub connection_window: u32,
    /// The largest payload of a frame.
    pub frame_bytes: usize,
    /// Streams that the peer may make us reset for its errors before the connection ends.
    ///
    /// - Source: CVE-2025-8671.
    pub error_resets: usize,
}

/// What came.
#[derive(Debug)]
pub enum Event<'i, H, T> {
    /// A request began.
    Head {
        /// Its stream.
        stream: u32,
        /// What its head was opened to.
        head: H,
    },
    /// A piece of its body.
    Data {
        /// Its stream.
        stream: u32,
        /// The bytes, as they lie in the input.
        bytes: &'i [u8],
    },
    /// The request is whole.
    End {
        /// Its stream.
        stream: u32,
    },
    /// The request will not become whole, or its answer is not wanted: the stream is gone.
    Reset {
        /// What was attached to it.
        call: T,
    },
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The header block.
    pub head: Bytes,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// The header block of the trailers, where there are any.
    pub trailers: Option<Bytes>,
}

/// One connection. `H` is what a request's head is opened to, `T` what is attached to a stream.
///
/// - Cost: no allocation a request; a head that repeats is not decoded again.
/// - Bounds: what it holds is bounded by [`Limits`]; what it writes while it reads is at most what
///   it reads, so that a reader who stops reading while a peer does not take its answers holds
///   little.
#[derive(Debug)]
pub struct Server<H, T> {
    input: Input,
    core: Core<H, T>,
}

impl<H: Clone, T> Server<H, T> {
    /// A fresh connection, whose first bytes are the settings. `open` is called with the head of
    /// each request that is not remembered.
    #[must_use]
    pub fn new(limits: &Limits, open: impl Fn(&Parts) -> H + 'static) -> Self {
        let block_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
        Self {
            input: Input::new(limits.frame_bytes, block_bytes.max(FRAME_BYTES_DEFAULT)),
            core: Core::new(limits, open),
        }
    }

    /// The next event in the input; `None` once all of it is taken.
    ///
    /// # Errors
    ///
    /// The connection is at its end; what is to be told to the peer is in the output.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i, H, T>>, ErrorCode> {
        if let Some(event) = self.core.queued() {
            return Ok(Some(event));
        }
        loop {
            let event = match self.input.next(input) {
                Ok(None) => return Ok(None),
                Ok(Some(step)) => self.core.step(step),
                Err(code) => Err(code),
            };
            match event {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(code) => {
                    self.core.fail(code);
                    return Err(code);
                }
            }
        }
    }

    /// What is attached to a stream; `None` when the stream is not open.
    pub fn call(&mut self, stream: u32) -> Option<&mut Option<T>> {
        self.core.call(stream)
    }

    /// What is attached to the open streams, with their numbers.
    pub fn calls(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.core.calls()
    }

    /// Answers a request, whole or not, and forgets what is attached to it. A stream that is gone
    /// needs no answer.
    pub fn respond(&mut self, stream: u32, reply: Reply) {
        self.core.respond(stream, reply);
    }

    /// Begins the end: the peer is told to open no more streams; those that are open go on.
    pub fn shut_down(&mut self) {
        self.core.shut_down();
    }

    /// Whether the end was begun here, the peer knows of it, and no stream is open.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.core.is_done()
    }

    /// Bytes to be sent, to be taken out by the caller.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        self.core.output()
    }
}

#[cfg(test)]
mod tests;
