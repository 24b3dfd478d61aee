//! What does it cost to thin a request? Spans that are dropped, marked or marked anew, and log
//! records, in one piece and in the 16 KiB segments of HTTP/2 frames. Unit: time of one request; the
//! throughput line gives items a second. Command: `cargo bench --bench splice`.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp::wire::{Thinned, Threshold, thin_logs, thin_traces};
use payload::{ITEMS, Numbers, logs, traces};
use prost::Message as _;

#[expect(dead_code, reason = "metrics are never thinned")]
mod payload;

/// Requests that are thinned in turn, so that no branch predictor learns one by heart.
const REQUESTS: usize = 32;
/// From which severity on records are kept: WARN.
const KEEP_SEVERITY: u32 = 13;

/// A request of spans that all have this tracestate.
fn traces_with(n: &mut Numbers, state: &str) -> Vec<u8> {
    let body = traces(n);
    let mut request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap_or_default();
    let scopes = request
        .resource_spans
        .iter_mut()
        .flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        state.clone_into(&mut span.trace_state);
    }
    request.encode_to_vec()
}

fn splice(criterion: &mut Criterion) {
    type Encode = fn(&mut Numbers) -> Vec<u8>;
    type Thin = fn(&[Bytes], Threshold) -> Option<Thinned>;
    let of_traces: Thin = |body, keep| thin_traces(body, keep).ok();
    let of_logs: Thin = |body, keep| thin_logs(body, keep, KEEP_SEVERITY).ok();
    let cases: [(&str, Encode, Thin, f64); 5] = [
        (
            "spans, half dropped, half left as they are",
            |n| traces_with(n, "ot=th:8"),
            of_traces,
            0.5,
        ),
        ("spans, half dropped, half marked", traces, of_traces, 0.5),
        ("spans, all marked", traces, of_traces, 0.9999),
        (
            "spans, all marked anew",
            |n| traces_with(n, "ot=th:0;rv:ffffffffffffff,vendor=value"),
            of_traces,
            0.5,
        ),
        ("records, half dropped", logs, of_logs, 0.5),
    ];
    for (name, encode, thin, ratio) in cases {
        let keep = Threshold::of_ratio(ratio);
        let mut n = Numbers::new();
        let bodies: Vec<Bytes> = (0..REQUESTS).map(|_| Bytes::from(encode(&mut n))).collect();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(ITEMS));
        for (size, pieces) in [(usize::MAX, "whole"), (16_384, "16 KiB segments")] {
            let requests: Vec<Vec<Bytes>> = bodies.iter().map(|body| cut(body, size)).collect();
            for body in &requests {
                let items = thin(body, keep).map(|thinned| thinned.items + thinned.sampled);
                assert_eq!(items, Some(ITEMS), "the request is sound");
            }
            let mut requests = requests.iter().cycle();
            group.bench_function(pieces, |bencher| {
                bencher.iter(|| requests.next().map(|body| thin(body, keep)));
            });
        }
        group.finish();
    }
}

/// The body in segments of at most `size` bytes.
fn cut(body: &Bytes, size: usize) -> Vec<Bytes> {
    let size = size.min(body.len());
    let starts = (0..body.len()).step_by(size);
    starts
        .map(|start| body.slice(start..body.len().min(start + size)))
        .collect()
}

criterion_group!(benches, splice);
criterion_main!(benches);
