//! What is done when an operation has ended.

use std::time::Instant;

use super::{recover::Look, replay::Read};
use crate::spool::SegmentName;

/// What an operation that is under way is for.
#[derive(Debug)]
pub(super) enum Task {
    /// A segment is made.
    Create(SegmentName),
    /// A group is written and synced, since then.
    Write(SegmentName, Instant),
    /// The name of a new segment is synced.
    SyncNames(SegmentName),
    /// An index is written and synced.
    Seal(SegmentName),
    /// A segment of an earlier run is looked at.
    Look(Box<Look>),
    /// Something is read for a replay.
    Replay(Box<Read>),
    /// Marks are written.
    Marks(SegmentName),
    /// A segment is removed.
    Remove(SegmentName),
    /// A file is closed.
    Close(SegmentName),
    /// The disk is asked whether it lives.
    Probe,
}

impl Task {
    /// The segment whose file is busy with it.
    pub fn segment(&self) -> Option<SegmentName> {
        match self {
            Self::SyncNames(_) | Self::Probe => None,
            Self::Look(look) => Some(look.name),
            Self::Replay(read) => Some(read.name),
            Self::Create(name)
            | Self::Write(name, _)
            | Self::Seal(name)
            | Self::Marks(name)
            | Self::Remove(name)
            | Self::Close(name) => Some(*name),
        }
    }
}
