//! What is stored, and how it is named afterwards.

use bytes::Bytes;

use super::SegmentName;
use crate::{encoding::Encoding, signal::Signal};

/// One Export request, or the merged body of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it carries.
    pub signal: Signal,
    /// How its body is packed.
    pub encoding: Encoding,
    /// Spans, data points, log records or samples in it.
    pub items: u64,
    /// When it was taken: nanoseconds of Unix time.
    pub at: u64,
    /// Headers that go on with it, as lines of `name: value` that end with CR LF; empty where there
    /// are none. Nothing here reads them. At most 64 KiB.
    pub headers: Bytes,
    /// Its body as it lies. A replayed record has one piece.
    pub body: Vec<Bytes>,
    /// The length of its body, in bytes.
    pub bytes: usize,
}

/// What [`append`](super::Spool::append) gives: the record's name until it is stored or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// Where a stored record lies.
///
/// A place that an event hands out ([`Stored`](super::Event::Stored),
/// [`Replayed`](super::Event::Replayed)) is *held* by whoever got it: the record is not replayed
/// until it is released, and its segment stays until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The segment that holds it.
    pub segment: SegmentName,
    /// Which record of the segment it is, from 0.
    pub ordinal: u32,
}
