//! Question: what does batching cost a request? Method: requests of three slices are pushed until a
//! batch of 1 MiB is sealed, and the batch is answered; all of it, budget and waiters included.
//! Unit: ns a request (a batch's time divided by its requests is in the throughput line).

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use otlp::{
    batch::{Ack, BatchKey, Batcher, Budget, ExportRequest, Permit},
    encoding::Encoding,
    metrics::Trigger,
    outcome::Outcome,
    rt,
    signal::Signal,
};

const REQUESTS: u64 = 24;

fn batch(c: &mut Criterion) {
    let budget = Budget::new(1 << 30, |_| {});
    let slice = Bytes::from(vec![7; 14_300]);
    let now = rt::now();
    let key = BatchKey::plain(Signal::Traces, Encoding::Identity);
    let mut group = c.benchmark_group("batch");
    group.throughput(Throughput::Elements(REQUESTS));
    for (name, queued) in [("delivered", false), ("queued", true)] {
        group.bench_function(name, |b| {
            b.iter_batched(
                || Batcher::new(8192, 4 << 20, Duration::from_millis(200)),
                |mut batcher| {
                    for _ in 0..REQUESTS {
                        let body = vec![slice.clone(), slice.clone(), slice.clone()];
                        let bytes = 3 * slice.len();
                        let mut permit = Permit::none(&budget);
                        permit.cover(bytes).unwrap_or_default();
                        let request = ExportRequest {
                            signal: Signal::Traces,
                            encoding: Encoding::Identity,
                            items: 100,
                            body,
                            bytes,
                            deadline: None,
                            place: None,
                            headers: None,
                            permit,
                        };
                        let (ack, waiter) = (!queued).then(Ack::pending).unzip();
                        let sealed = batcher.push(request, waiter, now);
                        black_box((ack, sealed.is_some()));
                    }
                    if let Some(batch) = batcher.seal(&key, Trigger::Idle, now) {
                        batch.resolve(|_| Outcome::Accepted);
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
