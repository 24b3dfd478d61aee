//! What the spool of one shard is told.

use std::time::Duration;

use crate::config;
pub use crate::config::{OnFull, ReplayOrder};

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
    /// How long after the beginning of a group the next one begins, where little waits for it.
    pub commit_delay: Duration,
}

impl Settings {
    /// The part of one of so many shards.
    #[must_use]
    pub fn new(config: &config::Spool, shards: u64) -> Self {
        let bytes_max = config.bytes_max / shards.max(1);
        Self {
            bytes_max,
            age_max: config.age_max,
            on_full: config.on_full,
            // Room is made segment by segment, so there have to be some.
            segment_bytes: config.segment_bytes.min(bytes_max / 4),
            order: config.replay,
            commit_delay: config.commit_delay,
        }
    }
}
