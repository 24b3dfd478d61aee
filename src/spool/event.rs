//! What the spool reports, what it refuses, and how it is.

use std::time::{Duration, Instant};

use super::{DiskError, Place, Record, SegmentName, Ticket};

/// What has happened in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The record is on disk and survives a power cut. Its place is held.
    Stored(Ticket, Place),
    /// The record is not stored. After a crash it may be found all the same.
    Failed(Ticket, DiskError),
    /// Records of an earlier run were found, and are to be replayed. Comes in pieces.
    Recovered {
        /// Records.
        records: u64,
        /// Items, by [`Signal::index`](crate::signal::Signal::index).
        items: [u64; 4],
    },
    /// What a replay read, in the order in which it is to be sent; empty where nothing was left to
    /// read. The places are held. Ends the replay.
    Replayed(Vec<(Place, Record)>),
    /// Records that were stored or recovered, and are given up.
    Dropped {
        /// Records, as far as their number is known.
        records: u64,
        /// Items, by [`Signal::index`](crate::signal::Signal::index).
        items: [u64; 4],
        /// Why.
        why: Why,
    },
    /// Bytes of a segment that are not what was written there; for a person to know. Where records
    /// were lost that had been counted, a [`Dropped`](Self::Dropped) comes beside it.
    Damaged {
        /// The segment.
        segment: SegmentName,
        /// Where the damage begins.
        offset: u64,
        /// How far it reaches, in bytes.
        bytes: u64,
        /// Records that were lost in it, as far as their number is known.
        records: u64,
        /// Whether it is the end of what was written last, as a crash leaves it: nothing that was
        /// stored is missing then, unless the disk lost what it had synced.
        is_torn: bool,
    },
    /// A segment of an earlier run, or its marks, could not be read: it is tried again. Told once a
    /// segment.
    Unread {
        /// The segment.
        segment: SegmentName,
        /// Where the read began; 0 for its marks.
        offset: u64,
        /// How it failed.
        error: DiskError,
    },
    /// A segment that this version cannot read. It is left as it is.
    Foreign {
        /// The segment.
        segment: SegmentName,
        /// The version of its format.
        version: u32,
    },
    /// A group of records was written and synced.
    Synced {
        /// How long the sync took.
        took: Duration,
        /// Bytes of the group on disk.
        bytes: u64,
    },
    /// The disk fails; the spool tries again by itself.
    BecameBroken(DiskError),
    /// The disk works again.
    Mended,
}

/// Why stored records were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Room was needed for newer ones.
    Full,
    /// They were older than they may be.
    Expired,
    /// They cannot be read any more.
    Damaged,
}

/// Why a record is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no room.
    Full {
        /// Bytes that the record needs on disk.
        bytes: u64,
        /// Bytes that the spool holds, and what waits to be written.
        held: u64,
        /// Bytes that it may hold.
        bytes_max: u64,
    },
    /// The disk fails.
    Broken {
        /// How it failed last.
        error: DiskError,
        /// When it is tried again: time left.
        retry_in: Duration,
    },
    /// The spool is being closed.
    Closed,
}

/// Whether the disk works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Working,
    /// It does not.
    Broken {
        /// How it failed last.
        error: DiskError,
        /// Since when it has failed.
        since: Instant,
    },
}

/// How the spool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Bytes on disk.
    pub bytes: u64,
    /// Records that are stored and not settled.
    pub records: u64,
    /// Items of them, by [`Signal::index`](crate::signal::Signal::index).
    pub items: [u64; 4],
    /// When the oldest of them was taken, as far as its segment tells: nanoseconds of Unix time.
    pub oldest_unix_nanos: Option<u64>,
    /// Records that were found damaged since the start.
    pub damaged: u64,
    /// Segments on disk.
    pub segments: usize,
    /// Whether the disk works.
    pub state: State,
    /// Whether segments of an earlier run are still being looked at.
    pub recovering: bool,
}
