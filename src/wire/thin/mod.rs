//! Takes spans and log records out of a request, so that what stays still says the truth about all
//! of it. Metrics and profiles are never thinned: what is taken out of them is wrong afterwards.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod digest;
mod judge;
mod record;
mod span;
mod threshold;
mod tracestate;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use self::threshold::Threshold;
use self::{
    digest::Digest,
    judge::{Judge, Verdict},
    record::Records,
    span::Spans,
};
use super::{
    schema::{Id, Kind},
    splice::Splice,
    walk::{Fault, Flat, Malformed, Segments, Source, entry, inspect, pass},
};
use crate::{config::Validate, signal::Signal};

/// A request with some of its items taken out.
#[derive(Clone, Debug)]
pub struct Thinned {
    /// The body: received bytes, shared where they are long, and what changed.
    pub slices: Vec<Bytes>,
    /// Its length.
    pub bytes: usize,
    /// Items that are kept; where 0, there is nothing to send.
    pub items: u64,
    /// Items that were taken out.
    pub sampled: u64,
    /// Whether the body is another than the one received. It may be with no item taken out: what
    /// is kept says how many it stands for.
    pub changed: bool,
}

/// Takes spans out of a request: whole traces, the same ones on every shard and host.
///
/// A span is kept where its trace's randomness is not below `keep`, where its status is an error,
/// or where it has no sound trace id. A kept span says so in its tracestate, but for errors: they
/// are kept whatever their trace, and stand for themselves. docs/sampling.md has the rules.
///
/// - Cost: one pass over the top fields of each span; nothing else is decoded. What it keeps is
///   shared or copied as [`Thinned::slices`] says.
/// - Source: OpenTelemetry, "`TraceState`: Probability Sampling" (an equalizing downstream sampler);
///   W3C Trace Context Level 2.
///
/// # Errors
///
/// [`Malformed`] with what is wrong and where. Nothing deeper than a span's own fields and its
/// status is looked at.
pub fn thin_traces(body: &[Bytes], keep: Threshold) -> Result<Thinned, Malformed> {
    if keep == Threshold::KEEP_ALL {
        return whole(Signal::Traces, body);
    }
    thin(body, Id::TracesRequest, Spans::new(keep))
}

/// Takes log records out of a request, the least severe first.
///
/// Records of severity `keep_severity` and above are all kept. Of the others TRACE and DEBUG go
/// whole, and the rest is kept where the randomness of its trace is not below `keep`; a record
/// without a trace is judged by a hash of its bytes. A record that states no severity counts as
/// INFO.
///
/// - `keep_severity`: a `SeverityNumber`, 1 to 24; 0 keeps everything.
/// - Cost: one pass over the top fields of each record; those without a trace are read whole.
/// - Source: OpenTelemetry, "Logs Data Model", `SeverityNumber`.
///
/// # Errors
///
/// [`Malformed`] with what is wrong and where. Nothing deeper than a record's own fields is looked
/// at.
pub fn thin_logs(
    body: &[Bytes],
    keep: Threshold,
    keep_severity: u32,
) -> Result<Thinned, Malformed> {
    if keep == Threshold::KEEP_ALL {
        return whole(Signal::Logs, body);
    }
    thin(body, Id::LogsRequest, Records::new(keep, keep_severity))
}

/// The request as it is.
fn whole(signal: Signal, body: &[Bytes]) -> Result<Thinned, Malformed> {
    let items = inspect(signal, Validate::Items, body)?;
    Ok(unchanged(body, items))
}

fn unchanged(body: &[Bytes], items: u64) -> Thinned {
    Thinned {
        slices: body.to_vec(),
        bytes: length(body),
        items,
        sampled: 0,
        changed: false,
    }
}

fn length(slices: &[Bytes]) -> usize {
    slices
        .iter()
        .fold(0, |sum, slice| sum.saturating_add(slice.len()))
}

fn thin<J: Judge>(body: &[Bytes], root: Id, judge: J) -> Result<Thinned, Malformed> {
    let mut thinning = Thinning {
        source: Segments::new(body, root),
        judge,
        splice: Splice::default(),
        items: 0,
        sampled: 0,
        fault_at: None,
    };
    if let Err(what) = thinning.container(root, 0) {
        let at = thinning.fault_at.unwrap_or_else(|| thinning.source.at());
        return Err(Malformed { what, at });
    }
    if thinning.splice.is_empty() {
        return Ok(unchanged(body, thinning.items));
    }
    let slices = thinning.splice.apply(body);
    Ok(Thinned {
        bytes: length(&slices),
        slices,
        items: thinning.items,
        sampled: thinning.sampled,
        changed: true,
    })
}

/// A request that is being thinned.
struct Thinning<'a, J> {
    source: Segments<'a>,
    judge: J,
    splice: Splice,
    /// Items kept so far.
    items: u64,
    /// Items taken out so far.
    sampled: u64,
    /// Where the fault is, where the source does not know.
    fault_at: Option<usize>,
}

impl<J: Judge> Thinning<'_, J> {
    /// Goes through the message that the source holds, one on the way to the items and `depth`
    /// deep. The way is as long as the schema makes it: three messages.
    fn container(&mut self, message: Id, depth: usize) -> Result<(), Fault> {
        while !self.source.at_end() {
            let at = self.source.at();
            let key = self.source.varint()?;
            let entry = entry(message.table(), key);
            match entry.kind {
                Kind::Path => self.inner(at, entry.child, depth.wrapping_add(1))?,
                Kind::Item => self.item(at, depth.wrapping_add(1))?,
                _ => pass(&mut self.source, key, message, depth)?,
            }
        }
        Ok(())
    }

    /// Goes through the message inside whose field begins at `at`. Where its last item is taken
    /// out it goes whole: nothing is left to describe.
    fn inner(&mut self, at: usize, message: Id, depth: usize) -> Result<(), Fault> {
        let length = self.source.at();
        let mark = self.source.enter()?;
        let start = self.source.at();
        let open = self.splice.open(length..start);
        let before = (self.items, self.sampled);
        self.container(message, depth)?;
        let end = self.source.at();
        self.source.leave(mark);
        if self.items == before.0 && self.sampled > before.1 {
            self.splice.discard(&open, at..end);
        } else {
            self.splice.close(&open, end.saturating_sub(start));
        }
        Ok(())
    }

    /// Judges the item whose field begins at `at`.
    fn item(&mut self, at: usize, depth: usize) -> Result<(), Fault> {
        let length = self.source.at();
        let mark = self.source.enter()?;
        let start = self.source.at();
        let (verdict, origin) = if let Some(item) = self.source.whole() {
            let mut flat = Flat::new(item);
            let verdict = self.judge.judge(&mut flat, depth, || {
                let mut digest = Digest::default();
                digest.push(item);
                digest
            });
            if verdict.is_err() {
                self.fault_at = Some(start.saturating_add(flat.at()));
            }
            (verdict?, start)
        } else {
            // Only now are its bytes at hand.
            let mut digest = Digest::default();
            if J::BY_CONTENT {
                self.source.peek(|piece| digest.push(piece));
            }
            (self.judge.judge(&mut self.source, depth, || digest)?, 0)
        };
        let end = self.source.at();
        self.source.leave(mark);
        match verdict {
            Verdict::Keep => {}
            Verdict::Drop => {
                self.sampled = self.sampled.wrapping_add(1);
                self.splice.replace(at..end, &[]);
                return Ok(());
            }
            Verdict::Change(out) => {
                let open = self.splice.open(length..start);
                let out = origin.saturating_add(out.start)..origin.saturating_add(out.end);
                self.splice.replace(out, self.judge.written());
                self.splice.close(&open, end.saturating_sub(start));
            }
        }
        self.items = self.items.wrapping_add(1);
        Ok(())
    }
}
