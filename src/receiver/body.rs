//! A body, admitted before it is held, read as it lies.

use bytes::{Bytes, BytesMut};

use super::{Context, call::Call, connection::Connection};
use crate::{
    batch::Permit,
    encoding::Encoding,
    headers::HeaderSet,
    metrics::Transport,
    outcome::{Code, Reason, Refusal},
    wire::grpc::{PREFIX_BYTES, Prefix},
};

/// Bytes that are reserved at a time, at the least and at the most, for a body whose length was not
/// declared; half of what has come between them, so that no more is reserved than is charged.
///
/// - Source: chosen: a body of many tiny chunks has few slices, and a large one is not moved.
const UNKNOWN_RESERVED: std::ops::RangeInclusive<usize> = 512..=64 * 1024;

/// Bytes that pass a closed gate at a time for a body whose length was not declared.
///
/// - Source: chosen: one HTTP/2 frame of the default size.
const UNKNOWN_BYTES: usize = 16 * 1024;

/// Memory that a body is given may be longer than the body by this part of it.
///
/// - Source: chosen: as much as an allocator rounds up by, and a part of what is charged besides.
pub(super) const EMPTY_PART: usize = 8;

/// A whole body as it came, and what it holds of the budget.
#[derive(Debug)]
pub(super) struct Received {
    pub encoding: Encoding,
    pub slices: Vec<Bytes>,
    pub bytes: usize,
    pub permit: Permit,
}

/// The body has taken longer than it may.
pub(super) fn too_slow() -> Refusal {
    Refusal::permanent(
        Reason::SlowBody,
        "the body did not arrive within limits.request_timeout",
    )
}

/// The sender has given up in the middle of a body.
pub(super) fn cut_off() -> Refusal {
    Refusal::permanent(Reason::Collector(Code::Cancelled), "the body was cut off")
}

/// Puts a body together within its bounds.
pub(super) struct Reader<'a> {
    context: &'a Context,
    half_read: HalfRead<'a>,
    call: Call,
    headers: Option<HeaderSet>,
    permit: Permit,
    prefix: Option<Prefix>,
    prefix_bytes: BytesMut,
    wire_bytes: usize,
    slices: Vec<Bytes>,
    tail: BytesMut,
}

impl<'a> Reader<'a> {
    /// Admits what is declared of the call's body.
    pub(super) fn new(
        context: &'a Context,
        connection: &'a Connection,
        call: Call,
        headers: Option<HeaderSet>,
    ) -> Result<Self, Refusal> {
        let mut reader = Self {
            context,
            half_read: HalfRead {
                connection,
                owed: 0,
            },
            call,
            headers,
            permit: Permit::none(&context.budget),
            prefix: None,
            prefix_bytes: BytesMut::new(),
            wire_bytes: 0,
            slices: Vec::new(),
            tail: BytesMut::new(),
        };
        if call.transport == Transport::Http
            && let Some(length) = call.length
        {
            reader.cover(length)?;
            reader.half_read.begin(Some(length));
        }
        Ok(reader)
    }

    /// Holds budget for a body of `bytes` on the wire.
    fn cover(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes > self.context.body_bytes_max() {
            return Err(self.context.too_large(Some(bytes)));
        }
        self.permit
            .cover(bytes)
            .map_err(|_spent| self.context.memory_full())?;
        Ok(())
    }

    /// The call whose body it is.
    pub(super) const fn call(&self) -> Call {
        self.call
    }

    /// Headers that go on with the request.
    pub(super) const fn headers(&self) -> Option<&HeaderSet> {
        self.headers.as_ref()
    }

    /// Makes a slice of the pieces that were copied together.
    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.slices.push(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// Takes a piece of the body by copying it: behind the others, into memory that was reserved
    /// when the length was known, or as it grows.
    pub(super) fn push_copy(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let mut chunk = &chunk[self.accept(chunk)?..];
        while !chunk.is_empty() {
            let tail = self.room(self.reserved(chunk.len()));
            let room = tail.capacity() - tail.len();
            let (fits, rest) = chunk.split_at(room.min(chunk.len()));
            tail.extend_from_slice(fits);
            chunk = rest;
        }
        Ok(())
    }

    /// Takes the beginning of a body together with the memory that it lies in, unless the body
    /// leaves too much of that empty.
    pub(super) fn adopt(&mut self, memory: BytesMut) -> Result<(), Refusal> {
        let length = self.call.length.unwrap_or(0);
        let is_filled = length.saturating_add(length / EMPTY_PART) >= memory.capacity();
        if !is_filled || self.wire_bytes > 0 {
            return self.push_copy(&memory);
        }
        self.filled(memory.len())?;
        self.tail = memory;
        Ok(())
    }

    /// Memory for more of the body, behind what is in it; where that is full, new memory for so
    /// many `bytes`. What others write to it is told to [`Reader::filled`].
    pub(super) fn room(&mut self, bytes: usize) -> &mut BytesMut {
        if self.tail.len() == self.tail.capacity() {
            self.end_tail();
            self.tail = self.context.bodies.take(self.call.signal, bytes);
        }
        &mut self.tail
    }

    /// So many bytes of a body over HTTP came, and not by [`Reader::push_copy`].
    pub(super) fn filled(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.count(bytes);
        self.admit(bytes)
    }

    /// How much memory a piece of the body begins; the bytes of the piece are counted already.
    fn reserved(&self, piece_bytes: usize) -> usize {
        match self.prefix.map(|prefix| prefix.len).or(self.call.length) {
            Some(declared) => declared.saturating_sub(self.wire_bytes) + piece_bytes,
            None => {
                let (least, most) = UNKNOWN_RESERVED.into_inner();
                piece_bytes.max((self.wire_bytes / 2).clamp(least, most))
            }
        }
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.context.metrics.bytes_received(bytes);
    }

    /// Counts a piece, takes the length prefix off its front and admits the rest; says where that
    /// begins.
    fn accept(&mut self, chunk: &[u8]) -> Result<usize, Refusal> {
        self.count(chunk.len());
        let mut taken = 0;
        if self.call.transport == Transport::Grpc && self.prefix.is_none() {
            taken = self.take_prefix(chunk)?;
        }
        if taken < chunk.len() {
            self.admit(chunk.len() - taken)?;
        }
        Ok(taken)
    }

    /// Holds the bytes that came against what was declared, and against the budget.
    fn admit(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.wire_bytes += bytes;
        self.half_read.came(bytes);
        match self.prefix {
            Some(prefix) if self.wire_bytes > prefix.len => {
                return Err(malformed(
                    "more bytes than the message's length prefix says",
                    prefix.len,
                ));
            }
            Some(_) => {}
            None => {
                self.cover(self.wire_bytes)?;
                self.half_read.begin(None);
            }
        }
        Ok(())
    }

    /// Takes the length prefix from the front of the message, and admits it; says how many bytes
    /// of the piece were the prefix's.
    fn take_prefix(&mut self, chunk: &[u8]) -> Result<usize, Refusal> {
        let missing = PREFIX_BYTES - self.prefix_bytes.len();
        let taken = missing.min(chunk.len());
        self.prefix_bytes.extend_from_slice(&chunk[..taken]);
        let Ok(bytes) = <[u8; PREFIX_BYTES]>::try_from(&self.prefix_bytes[..]) else {
            return Ok(taken);
        };
        let prefix = Prefix::parse(bytes)
            .ok_or_else(|| malformed("a message flag that gRPC does not know", 0))?;
        self.cover(prefix.len)?;
        self.half_read.begin(Some(prefix.len));
        if prefix.compressed && !self.call.encoding.is_packed() {
            return Err(Refusal::permanent(
                Reason::Collector(Code::Internal),
                "the message is compressed, but grpc-encoding does not say how",
            ));
        }
        self.prefix = Some(prefix);
        Ok(taken)
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Result<Received, Refusal> {
        match (self.call.transport, self.prefix) {
            (Transport::Grpc, None) => {
                return Err(malformed(
                    "the stream ended without a message",
                    self.prefix_bytes.len(),
                ));
            }
            (_, Some(prefix)) if self.wire_bytes < prefix.len => {
                return Err(malformed(
                    "the message ends before its length",
                    self.wire_bytes,
                ));
            }
            _ => {}
        }
        self.end_tail();
        let encoding = match self.prefix {
            Some(Prefix {
                compressed: false, ..
            }) => Encoding::Identity,
            _ => self.call.encoding,
        };
        Ok(Received {
            encoding,
            slices: self.slices,
            bytes: self.wire_bytes,
            permit: self.permit,
        })
    }
}

/// Keeps the connection readable while its admitted body is not whole.
struct HalfRead<'a> {
    connection: &'a Connection,
    owed: usize,
}

impl HalfRead<'_> {
    /// The body is admitted; `bytes` of it are to come, as far as that is known. One more is owed
    /// until the end, because the end of a body may be a frame of its own.
    fn begin(&mut self, bytes: Option<usize>) {
        let more = match bytes {
            Some(bytes) if self.owed == 0 => bytes.saturating_add(1),
            None if self.owed <= 1 => UNKNOWN_BYTES,
            _ => return,
        };
        self.owed += more;
        self.connection.driver().io().owe(more);
    }

    fn came(&mut self, bytes: usize) {
        let paid = bytes.min(self.owed.saturating_sub(1));
        self.owed -= paid;
        self.connection.driver().io().settle(paid);
    }
}

impl Drop for HalfRead<'_> {
    fn drop(&mut self) {
        self.connection.driver().io().settle(self.owed);
    }
}

pub(super) fn malformed(what: &'static str, at: usize) -> Refusal {
    Refusal::permanent(Reason::Malformed, format!("{what}, at byte {at}"))
}
