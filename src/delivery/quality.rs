//! Thinning under pressure: less of each trace's company rather than nothing of any.

use bytes::Bytes;

use super::Delivery;
use crate::{
    batch::ExportRequest,
    degrade,
    encoding::Encoding,
    metrics::Settled,
    signal::Signal,
    wire::{Thinned, Threshold, thin_logs, thin_traces},
};

impl Delivery {
    /// Takes out of a request what the pressure asks for; `None` where nothing is left of it.
    pub(super) fn thin(&mut self, request: ExportRequest) -> Option<ExportRequest> {
        let signal = request.signal;
        if !self.is_thinning(signal) {
            return Some(request);
        }
        let ratio = degrade::keep_ratio(self.pressure(), self.degradation.min_ratio);
        self.set_ratio(signal, ratio);
        if ratio >= 1.0 {
            return Some(request);
        }
        let keep = Threshold::of_ratio(ratio);
        let Some(thinned) = self.thinned(&request, keep) else {
            // What is not taken apart goes on whole: it was proven, and is not lost for this.
            return Some(request);
        };
        self.metrics
            .settle(signal, thinned.sampled, Settled::Sampled);
        if thinned.items == 0 {
            return None;
        }
        Some(match thinned.changed {
            false => request,
            true => ExportRequest {
                items: thinned.items,
                encoding: Encoding::Identity,
                body: thinned.slices,
                bytes: thinned.bytes,
                ..request
            },
        })
    }

    /// Whether a signal is thinned while the pressure asks for it.
    pub(super) fn is_thinning(&self, signal: Signal) -> bool {
        self.degradation.reduce_quality
            && matches!(signal, Signal::Traces | Signal::Logs)
            && self.triggers[signal.index()].active().is_some()
    }

    fn thinned(&mut self, request: &ExportRequest, keep: Threshold) -> Option<Thinned> {
        let unpacked;
        let body = match request.encoding {
            Encoding::Identity => &request.body,
            packed => {
                // What it unpacks to is not charged, so it is bounded by what is free.
                let bytes_max = self.budget.limit().saturating_sub(self.budget.used()) / 2;
                let take = |body: &mut Vec<u8>, _| Bytes::from(std::mem::take(body));
                let body = self.unpacker.unpack(packed, &request.body, bytes_max, take);
                unpacked = vec![body.ok()?];
                &unpacked
            }
        };
        let thinned = match request.signal {
            Signal::Traces => thin_traces(body, keep),
            Signal::Logs => thin_logs(body, keep, self.degradation.logs_keep),
            Signal::Metrics | Signal::Profiles => return None,
        };
        thinned.ok()
    }

    /// How full the memory or the disk is, whichever is fuller: 0 to 1.
    fn pressure(&self) -> f64 {
        let memory = share(self.budget.used(), self.budget.limit());
        memory.max(self.spooling.fill()).clamp(0.0, 1.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
