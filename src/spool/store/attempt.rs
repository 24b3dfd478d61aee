//! When what cannot be read is given up: not before the disk has shown that it lives.

use std::time::Instant;

use crate::spool::{
    DiskError,
    backoff::delay,
    format::{BLOCK, length},
    scan::Scanner,
};

/// Attempts after which a part of a file counts as unreadable.
const PART: u32 = 4;

/// Attempts after which a file that is not there counts as gone.
const FILE: u32 = 8;

/// Failed reads of the same bytes, in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    failed: u32,
    /// What the disk had done well at the first failure.
    successes: u64,
}

/// What follows from a failed read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is read again then.
    Again(Instant),
    /// These bytes are lost: other things have been read or written meanwhile.
    PartIsLost,
    /// The file is gone.
    FileIsGone,
}

impl Attempts {
    /// After one failure more.
    pub fn failed(&mut self, error: &DiskError, successes: u64, now: Instant) -> Verdict {
        if self.failed == 0 {
            self.successes = successes;
        }
        self.failed = self.failed.saturating_add(1);
        let is_gone = error.kind == std::io::ErrorKind::NotFound;
        let lives = successes > self.successes;
        match (lives, is_gone) {
            (true, false) if self.failed >= PART => Verdict::PartIsLost,
            (true, true) if self.failed >= FILE => Verdict::FileIsGone,
            _ => Verdict::Again(now + delay(self.failed)),
        }
    }
}

/// A scan over a disk that may not read everything.
#[derive(Debug)]
pub(super) struct Scanning {
    pub scanner: Scanner,
    attempts: Attempts,
}

impl Scanning {
    pub fn new(scanner: Scanner) -> Self {
        Self {
            scanner,
            attempts: Attempts::default(),
        }
    }

    /// What to read: a block alone after a failure, so that little is passed over.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let (at, bytes) = self.scanner.wants()?;
        Some(match self.attempts.failed {
            0 => (at, bytes),
            _ => (at, bytes.min(length(rest_of_block(at)))),
        })
    }

    pub fn take(&mut self, bytes: &[u8]) {
        let wanted = self.wants().map_or(0, |(_, bytes)| bytes);
        self.scanner.take_of(bytes, wanted);
        self.attempts = Attempts::default();
    }

    /// A read has failed: when it is tried again, or that the file is gone.
    pub fn failed(&mut self, error: &DiskError, successes: u64, now: Instant) -> Verdict {
        let verdict = self.attempts.failed(error, successes, now);
        if verdict == Verdict::PartIsLost
            && let Some((at, _)) = self.scanner.wants()
        {
            self.scanner.skip(rest_of_block(at));
            self.attempts = Attempts::default();
        }
        verdict
    }
}

fn rest_of_block(at: u64) -> u64 {
    BLOCK - at % BLOCK
}
