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
    pub(super) fn thin(&mut self, mut request: ExportRequest) -> Option<ExportRequest> {
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
        // One that came packed goes on unpacked: where memory has no room for that, it goes on whole.
        if thinned.changed && request.permit.cover(thinned.bytes).is_err() {
            return Some(request);
        }
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    };
    use prost::Message as _;

    use super::*;
    use crate::{
        batch::{Budget, Permit},
        config::Config,
        delivery::Lent,
        jitter::Jitter,
        metrics::{ShardMetrics, Transport},
        wire::Packer,
    };

    const SPANS: u8 = 200;

    /// Spans that pack well.
    fn spans() -> Bytes {
        let span = |number| Span {
            trace_id: vec![number; 16],
            name: "the same name again and again ".repeat(60),
            ..Span::default()
        };
        let spans = (1..=SPANS).map(span).collect();
        let scope_spans = vec![ScopeSpans {
            spans,
            ..ScopeSpans::default()
        }];
        let resource_spans = vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }
            .encode_to_vec()
            .into()
    }

    #[test]
    fn what_goes_on_unpacked_is_charged_for_its_unpacked_bytes() {
        let budget = Budget::new(4 << 20, |_| {});
        let mut config = Config::default();
        config.degradation.enabled = true;
        config.degradation.reduce_quality = true;
        let now = crate::rt::now();
        let metrics = ShardMetrics::new(0);
        let lent = Lent {
            metrics: std::sync::Arc::clone(&metrics),
            budget: Rc::clone(&budget),
            jitter: Jitter::new(1),
            spool: None,
        };
        let mut delivery = Delivery::new(&config, lent, now, 0);
        delivery.triggers[Signal::Traces.index()].evaluate(true, now);
        let mut others = Permit::none(&budget);
        others.cover(1_900_000).unwrap();

        let (encoding, packed) =
            Packer::new(Encoding::Gzip, 1).pack(std::sync::Arc::new([spans()]));
        let bytes = packed.iter().map(Bytes::len).sum();
        let mut permit = Permit::none(&budget);
        permit.cover(bytes).unwrap();
        let request = ExportRequest {
            signal: Signal::Traces,
            items: SPANS.into(),
            encoding,
            headers: None,
            body: packed.to_vec(),
            bytes,
            deadline: None,
            place: None,
            permit,
        };
        metrics.received(Signal::Traces, Transport::Grpc, SPANS.into());
        let before = budget.used();
        let thinned = delivery.thin(request).unwrap();
        assert_eq!(thinned.encoding, Encoding::Identity);
        assert!(thinned.items < SPANS.into() && thinned.bytes > 10 * bytes);
        let charged = budget.used() - before;
        assert!(charged > thinned.bytes, "{charged} of {}", thinned.bytes);
        drop((thinned, others));
        assert_eq!(budget.used(), 0);
    }
}
