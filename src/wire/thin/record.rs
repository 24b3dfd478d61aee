//! Decides over log records: the least severe go first.

use super::{
    super::{
        schema::Id,
        walk::{Fault, Source, pass},
    },
    digest::Digest,
    judge::{Judge, Verdict, enumeration, trace_id},
    threshold::{Randomness, Threshold},
};

/// Keys of a log record's fields.
const SEVERITY_NUMBER: u64 = 2 << 3;
const TRACE_ID: u64 = 9 << 3 | 2;

/// The highest severity of DEBUG: up to it nothing is kept once anything is thinned.
const DEBUG_MAX: u32 = 8;
/// The lowest severity of INFO, which counts where a record states none.
const INFO: u32 = 9;

/// Keeps what is severe, and of the rest what a threshold keeps.
#[derive(Debug)]
pub(super) struct Records {
    keep: Threshold,
    keep_severity: u32,
}

impl Records {
    pub(super) const fn new(keep: Threshold, keep_severity: u32) -> Self {
        Self {
            keep,
            keep_severity,
        }
    }
}

impl Judge for Records {
    const BY_CONTENT: bool = true;

    fn judge<S: Source>(
        &mut self,
        source: &mut S,
        depth: usize,
        digest: impl FnOnce() -> Digest,
    ) -> Result<Verdict, Fault> {
        let mut severity = 0;
        let mut trace = None;
        while !source.at_end() {
            match source.varint()? {
                SEVERITY_NUMBER => severity = enumeration(source)?,
                TRACE_ID => trace = trace_id(source)?,
                key => pass(source, key, Id::LogRecord, depth)?,
            }
        }
        let severity = match u32::try_from(severity) {
            Ok(stated @ 1..) => stated,
            _ => INFO,
        };
        if severity >= self.keep_severity {
            return Ok(Verdict::Keep);
        }
        if severity <= DEBUG_MAX {
            return Ok(Verdict::Drop);
        }
        let randomness = trace
            .and_then(Randomness::of_trace)
            .unwrap_or_else(|| digest().randomness());
        Ok(if self.keep.keeps(randomness) {
            Verdict::Keep
        } else {
            Verdict::Drop
        })
    }

    fn written(&self) -> &[u8] {
        &[]
    }
}
