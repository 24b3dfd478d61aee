//! What does it cost to prove and count a request? Both levels, in one piece and in the 16 KiB
//! segments of HTTP/2 frames. Unit: time of one request; the throughput line gives items a second.
//! Command: `cargo bench --bench walk`.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otlp::{config::Validate, signal::Signal, wire::inspect};
use payload::{ITEMS, Numbers, logs, metrics, traces};

mod payload;

/// Requests that are walked in turn, so that no branch predictor learns one by heart.
const REQUESTS: usize = 32;

fn walk(criterion: &mut Criterion) {
    type Encode = fn(&mut Numbers) -> Vec<u8>;
    let signals: [(Signal, Encode); 3] = [
        (Signal::Traces, traces),
        (Signal::Metrics, metrics),
        (Signal::Logs, logs),
    ];
    for (signal, encode) in signals {
        let mut n = Numbers::new();
        let bodies: Vec<Bytes> = (0..REQUESTS).map(|_| Bytes::from(encode(&mut n))).collect();
        let bytes = bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len();
        let mut group = criterion.benchmark_group(format!("{signal}, {bytes} bytes"));
        group.throughput(Throughput::Elements(ITEMS));
        for (level, name) in [(Validate::Items, "items"), (Validate::Full, "full")] {
            for (size, pieces) in [(usize::MAX, "whole"), (16_384, "16 KiB segments")] {
                let requests: Vec<Vec<Bytes>> = bodies.iter().map(|body| cut(body, size)).collect();
                for body in &requests {
                    assert_eq!(
                        inspect(signal, level, body),
                        Ok(ITEMS),
                        "the request is sound"
                    );
                }
                let mut requests = requests.iter().cycle();
                group.bench_function(format!("{name}, {pieces}"), |bencher| {
                    bencher.iter(|| requests.next().map(|body| inspect(signal, level, body)));
                });
            }
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

criterion_group!(benches, walk);
criterion_main!(benches);
