//! What arrived: totals, and item by item.

use std::time::Instant;

use bytes::Bytes;

use super::process;
use crate::{
    audit::Arrivals,
    results::{self, CollectReport},
    telemetry::{Encoding, Found, Level, Signal, Undecodable, inspect},
};

/// Counts and audits what a collector accepts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    level: Level,
    totals: CollectReport,
    items: [u64; Signal::ALL.len()],
    arrivals: Arrivals,
    found: Found,
    /// When the first request came, and the processor time spent until then.
    began: Option<(Instant, f64)>,
}

impl Tally {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            totals: CollectReport::default(),
            items: Default::default(),
            arrivals: Arrivals::new(level),
            found: Found::default(),
            began: None,
        }
    }

    /// A request came, whatever becomes of it.
    pub(super) fn begin(&mut self) {
        self.began
            .get_or_insert_with(|| (Instant::now(), process::cpu_seconds()));
    }

    /// Accepts a request: from now on its items have arrived. `wire` is its length as received.
    pub(super) fn accept(
        &mut self,
        signal: Signal,
        encoding: Encoding,
        body: &Bytes,
        wire: usize,
    ) -> Result<(), Undecodable> {
        self.found.clear();
        let count = inspect(signal, encoding, body, self.level, &mut self.found)?;
        self.arrivals.record(count, &self.found);
        self.items[signal as usize] += count.items;
        self.totals.requests += 1;
        self.totals.items += count.items;
        self.totals.body_bytes += body.len() as u64;
        self.totals.wire_bytes += wire as u64;
        Ok(())
    }

    /// A request came that is no export request, or whose body is not what it should be.
    pub(super) fn refuse(&mut self) {
        self.totals.undecodable += 1;
    }

    /// The totals so far; what was misbehaved at is known elsewhere.
    pub(super) fn report(&self) -> CollectReport {
        let by_signal = Signal::ALL.map(|it| (it.name().to_owned(), self.items[it as usize]));
        let cpu_share = self.began.map_or(0.0, |(began, spent)| {
            let elapsed = began.elapsed().as_secs_f64();
            (process::cpu_seconds() - spent) / elapsed.max(1e-3)
        });
        CollectReport {
            version: results::VERSION,
            items_by_signal: by_signal.into_iter().filter(|it| it.1 > 0).collect(),
            cpu_share: cpu_share.clamp(0.0, 1.0),
            ..self.totals.clone()
        }
    }

    /// The items that arrived, for good.
    pub(super) fn into_arrivals(self) -> Arrivals {
        self.arrivals
    }

    /// The items that arrived.
    pub(super) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }
}
