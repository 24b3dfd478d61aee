//! Decides over spans: by the trace, but never against an error.

use std::ops::Range;

use super::{
    super::{
        schema::Id,
        splice::put_varint,
        walk::{Fault, Source, pass},
    },
    digest::Digest,
    judge::{Judge, Verdict, enumeration, trace_id},
    threshold::{Randomness, Threshold},
    tracestate::{self, Before, Said},
};

/// Keys of a span's fields and of its status's.
const TRACE_ID: u64 = 1 << 3 | 2;
const TRACE_STATE: u64 = 3 << 3 | 2;
const STATUS: u64 = 15 << 3 | 2;
const STATUS_CODE: u64 = 3 << 3;
/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

/// Keeps the traces that a threshold keeps.
#[derive(Debug)]
pub(super) struct Spans {
    keep: Threshold,
    /// The threshold as it is written.
    digits: String,
    /// The tracestate of the span that is being read.
    state: Vec<u8>,
    /// The tracestate that it gets.
    new_state: Vec<u8>,
    /// The bytes that are put into it.
    written: Vec<u8>,
}

/// What decides over a span.
#[derive(Debug, Default)]
struct Facts {
    trace: Option<[u8; 16]>,
    is_error: bool,
    /// The tracestate's length and text, where the span has one: the last, which counts.
    state: Option<Range<usize>>,
    /// Whether it is short enough to be read.
    is_readable: bool,
    /// Where a tracestate belongs that the span has not yet: before the first later field.
    place: Option<usize>,
}

impl Spans {
    pub(super) fn new(keep: Threshold) -> Self {
        Self {
            keep,
            digits: keep.digits(),
            state: Vec::new(),
            new_state: Vec::new(),
            written: Vec::new(),
        }
    }

    fn read<S: Source>(&mut self, source: &mut S, depth: usize) -> Result<Facts, Fault> {
        let mut facts = Facts {
            is_readable: true,
            ..Facts::default()
        };
        self.state.clear();
        while !source.at_end() {
            let at = source.at();
            let key = source.varint()?;
            if key > TRACE_STATE && facts.place.is_none() {
                facts.place = Some(at);
            }
            match key {
                TRACE_ID => facts.trace = trace_id(source)?,
                TRACE_STATE => {
                    let at = source.at();
                    self.state.clear();
                    let length = source.content(|piece| {
                        if self.state.len().saturating_add(piece.len()) <= tracestate::BYTES_MAX {
                            self.state.extend_from_slice(piece);
                        }
                    })?;
                    facts.is_readable = self.state.len() == length;
                    facts.state = Some(at..source.at());
                }
                STATUS => {
                    let mark = source.enter()?;
                    while !source.at_end() {
                        match source.varint()? {
                            STATUS_CODE => facts.is_error = enumeration(source)? == ERROR,
                            key => pass(source, key, Id::Status, depth.wrapping_add(1))?,
                        }
                    }
                    source.leave(mark);
                }
                _ => pass(source, key, Id::Span, depth)?,
            }
        }
        Ok(facts)
    }
}

impl Judge for Spans {
    const BY_CONTENT: bool = false;

    fn judge<S: Source>(
        &mut self,
        source: &mut S,
        depth: usize,
        _digest: impl FnOnce() -> Digest,
    ) -> Result<Verdict, Fault> {
        let facts = self.read(source, depth)?;
        let Some(of_trace) = facts.trace.and_then(Randomness::of_trace) else {
            return Ok(Verdict::Keep);
        };
        if facts.is_error {
            return Ok(Verdict::Keep);
        }
        let said = if facts.is_readable {
            Said::read(&self.state)
        } else {
            Said::NOTHING
        };
        let randomness = said.randomness.unwrap_or(of_trace);
        if !self.keep.keeps(randomness) {
            return Ok(Verdict::Drop);
        }
        let digits = match said.threshold {
            Before::Known(before) if !before.keeps(randomness) => None,
            Before::Known(before) if before >= self.keep => return Ok(Verdict::Keep),
            Before::Malformed => None,
            Before::Absent | Before::Known(_) => Some(self.digits.as_str()),
        };
        if !facts.is_readable || !tracestate::rewrite(&self.state, digits, &mut self.new_state) {
            return Ok(Verdict::Keep);
        }
        self.written.clear();
        let out = facts.state.unwrap_or_else(|| {
            put_varint(0x1a, &mut self.written);
            let place = facts.place.unwrap_or_else(|| source.at());
            place..place
        });
        put_varint(self.new_state.len(), &mut self.written);
        self.written.extend_from_slice(&self.new_state);
        Ok(Verdict::Change(out))
    }

    fn written(&self) -> &[u8] {
        &self.written
    }
}
