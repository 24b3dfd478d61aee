//! The bytes of a segment and of its marks. Every number is little-endian.

mod crc;
mod field;
mod header;
mod index;
mod marks;
mod record;
mod trailer;

pub use crc::Crc;
pub use header::{HeaderError, SegmentHeader};
pub use index::Entry;
pub use marks::Marks;
pub use record::{Kind, RECORD_HEADER, RecordHeader, record};
pub use trailer::{Summary, Trailer};

/// What every write of a segment begins at and is filled up to: the block of a direct write.
pub const BLOCK: u64 = 4096;

/// What the offset of a record is a multiple of.
pub const ALIGN: u64 = 8;

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// Where in its block the second copy of a header or trailer lies: in another sector.
const SECOND_COPY: usize = 2048;

/// `offset`, or the next multiple of `step` above it.
#[must_use]
pub const fn align(offset: u64, step: u64) -> u64 {
    offset.next_multiple_of(step)
}

/// A length in memory; no file that is read is longer than memory addresses.
#[must_use]
pub fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
