//! Question: what does counting cost the data path? Method: one thread calls one counter again and
//! again, so every line is in its cache and the values vary as little as they can. Unit: ns a call.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, SystemTime},
};

use criterion::{Criterion, criterion_group, criterion_main};
use otlp::{
    metrics::{Answer, Registry, Settled, ShardMetrics, Transport, Trigger, View},
    outcome::{Code, Reason},
    signal::Signal,
};

fn data_path(c: &mut Criterion) {
    let shard = ShardMetrics::new(0);
    let mut group = c.benchmark_group("counters");
    group.bench_function("received", |b| {
        b.iter(|| shard.received(black_box(Signal::Traces), Transport::Grpc, black_box(100)));
    });
    group.bench_function("received_and_settled", |b| {
        b.iter(|| {
            shard.received(black_box(Signal::Traces), Transport::Grpc, black_box(100));
            shard.settle(
                black_box(Signal::Traces),
                black_box(100),
                black_box(Settled::Delivered),
            );
        });
    });
    let refused = Settled::Refused(Reason::Collector(Code::Unavailable));
    group.bench_function("received_and_refused", |b| {
        b.iter(|| {
            shard.received(black_box(Signal::Traces), Transport::Grpc, black_box(100));
            shard.settle(
                black_box(Signal::Traces),
                black_box(100),
                black_box(refused),
            );
        });
    });
    group.bench_function("received_stored_and_settled", |b| {
        b.iter(|| {
            let (signal, items) = black_box((Signal::Traces, 100));
            shard.received(signal, Transport::Grpc, items);
            shard.stored(signal, items);
            shard.unstored(signal, items);
            shard.settle(signal, items, black_box(Settled::Delivered));
        });
    });
    group.bench_function("answered", |b| {
        let duration = Duration::from_micros(1500);
        b.iter(|| {
            let signal = black_box(Some(Signal::Traces));
            shard.answered(
                signal,
                Transport::Grpc,
                Answer::Accepted,
                100,
                black_box(duration),
            );
        });
    });
    group.bench_function("batch_sealed", |b| {
        b.iter(|| {
            shard.batch_sealed(
                black_box(Signal::Logs),
                9,
                black_box(900),
                400_000,
                Trigger::Size,
            );
        });
    });
    group.finish();
}

fn scrape(c: &mut Criterion) {
    let shards: Vec<Arc<ShardMetrics>> = (0..2).map(ShardMetrics::new).collect();
    let registry = Registry::new(shards);
    c.bench_function("scrape_two_shards", |b| {
        b.iter(|| registry.render(View::default(), SystemTime::UNIX_EPOCH));
    });
}

criterion_group!(benches, data_path, scrape);
criterion_main!(benches);
