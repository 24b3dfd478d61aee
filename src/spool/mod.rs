//! The disk spool of one shard: what a record is on disk, when it is safe there, how it comes back.
//!
//! Pure and sans-I/O, but for [`Directory`] and [`inspect`]. [`Spool`] says which file operations are to be performed ([`Op`]), is told how
//! each ended ([`Done`], [`DiskError`]) and reports what follows ([`Event`]).
//!
//! # On disk
//!
//! One flat directory. A segment is a file `{sequence:016x}-{shard}.spool`: a header of 4,096 bytes,
//! then records, each at an offset that is a multiple of 8. Every write begins at a multiple of
//! 4,096 and is filled up with zeros to one. A segment that is full or closed ends with an index of
//! its records and a trailer; one that a crash cut off has neither and is scanned. A segment of an
//! earlier run is never appended to. `{sequence:016x}-{shard}.done` holds which records of the
//! segment need no replay any more.
//!
//! # What is promised
//!
//! [`Event::Stored`] comes after the record, its segment and the directory are synced. What is
//! damaged is found by its checksum, skipped alone, and counted.

mod backoff;
mod clock;
mod directory;
mod event;
pub mod format;
mod group;
pub mod inspect;
mod name;
mod op;
mod ranges;
mod record;
mod scan;
mod segment;
mod settings;
pub mod sim;
mod store;

pub use clock::UnixClock;
pub use directory::{Directory, OpenError, assign, read_small, segments};
pub use event::{Event, Refused, State, Status, Why};
pub use name::{FoundSegment, SegmentName};
pub use op::{DiskError, Done, Op, OpId};
pub use ranges::Ranges;
pub use record::{Place, Record, Ticket};
pub use scan::{Damage, SCAN_BYTES, Scanned, Scanner};
pub use settings::{OnFull, ReplayOrder, Settings};
pub use store::Spool;

#[cfg(test)]
mod tests;
