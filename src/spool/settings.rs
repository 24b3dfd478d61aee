//! What the spool of one shard is told.

use std::time::Duration;

/// What happens when the spool is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// New data is refused.
    Refuse,
    /// The oldest segment is dropped and counted.
    DropOldest,
}

/// In which order stored records are replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayOrder {
    /// What waits longest first.
    OldestFirst,
    /// What came last first.
    NewestFirst,
}

/// What the spool of one shard is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes on disk at the most.
    pub bytes_max: u64,
    /// How long a record is kept at the most; zero: no bound.
    pub age_max: Duration,
    /// What happens when `bytes_max` is reached.
    pub on_full: OnFull,
    /// Bytes at which a segment is sealed; at most a quarter of `bytes_max`.
    pub segment_bytes: u64,
    /// What is replayed first.
    pub order: ReplayOrder,
}
