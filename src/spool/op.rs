//! What the disk is asked to do, and what it answers.

use std::{fmt, io};

use bytes::Bytes;

use super::SegmentName;

/// Which operation an answer belongs to. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpId(pub(super) u64);

/// One operation on the directory of the spool.
///
/// What has been given may be performed at once and in any order: an operation that must come after
/// another is given only when that one is done. Each is answered once, by
/// [`Spool::done`](super::Spool::done).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes a new, empty segment and opens it for writing. Fails where the file exists.
    Create {
        /// The segment.
        segment: SegmentName,
    },
    /// Writes at an offset of a segment that was created and not closed, and makes what was written,
    /// and the segment's length, survive a power cut. Offset and length are multiples of 4,096. The
    /// pieces lie one after the other. Where it fails, any part of them may lie there.
    Write {
        /// The segment.
        segment: SegmentName,
        /// Where the first byte goes.
        offset: u64,
        /// What is written.
        pieces: Vec<Bytes>,
        /// The length of all pieces.
        bytes: usize,
    },
    /// Makes the names in the directory survive a power cut.
    SyncDirectory,
    /// Reads from a segment: [`Done::Bytes`], shorter where the file ends.
    Read {
        /// The segment; it may be one that is written to.
        segment: SegmentName,
        /// Where the first byte is. Any offset.
        offset: u64,
        /// How many bytes. Any length above 0.
        bytes: usize,
    },
    /// Replaces the marks of a segment: a temporary file and a rename, not synced.
    WriteMarks {
        /// The segment.
        segment: SegmentName,
        /// The whole file.
        bytes: Bytes,
    },
    /// Reads the marks of a segment: [`Done::Bytes`].
    ReadMarks {
        /// The segment.
        segment: SegmentName,
    },
    /// Closes a segment's file: it is not written any more, and will hardly be read soon.
    Close {
        /// The segment.
        segment: SegmentName,
    },
    /// Closes a segment's file where it is open, and removes it and then its marks. That one of the
    /// two is not there is no error.
    Remove {
        /// The segment.
        segment: SegmentName,
    },
}

impl Op {
    /// The segment it is about; none for the directory.
    #[must_use]
    pub const fn segment(&self) -> Option<SegmentName> {
        match self {
            Self::SyncDirectory => None,
            Self::Create { segment }
            | Self::Write { segment, .. }
            | Self::Read { segment, .. }
            | Self::WriteMarks { segment, .. }
            | Self::ReadMarks { segment }
            | Self::Close { segment }
            | Self::Remove { segment } => Some(*segment),
        }
    }
}

/// How an operation ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is done.
    Nothing,
    /// What was read.
    Bytes(Bytes),
}

/// How an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// What kind of failure it is.
    pub kind: io::ErrorKind,
    /// What the system said, and about which file.
    pub text: String,
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        Self {
            kind: error.kind(),
            text: error.to_string(),
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
