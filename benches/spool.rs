//! Question: what does storing cost the processor, without the disk? Method: records of 43 kB are
//! appended until a group of 256 KiB (and of 4 MiB) waits, which is formed, and the operations are
//! answered at once; all of it, checksums and heads included, a new segment each 64 MiB. Unit: time a
//! group; the throughput line is bytes of body a second.

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otlp::{
    encoding::Encoding,
    rt,
    signal::Signal,
    spool::{Done, Event, OnFull, Record, ReplayOrder, Settings, Spool},
};

const BODY: usize = 43_000;

fn record(slice: &Bytes) -> Record {
    Record {
        signal: Signal::Traces,
        encoding: Encoding::Identity,
        items: 100,
        at: 1,
        headers: Bytes::new(),
        body: vec![slice.clone(), slice.clone(), slice.clone()],
        bytes: 3 * slice.len(),
    }
}

fn group(spool: &mut Spool, slice: &Bytes, records: usize) {
    let now = rt::now();
    for _ in 0..records {
        black_box(spool.append(record(slice), now).is_ok());
    }
    while let Some((id, op)) = spool.next_op(now) {
        black_box(&op);
        spool.done(id, Ok(Done::Nothing), now);
    }
    while let Some(event) = spool.next_event() {
        // Delivered at once, as in most cases.
        if let Event::Stored(_, place) = event {
            spool.settle(place);
        }
    }
}

fn spool(c: &mut Criterion) {
    let slice = Bytes::from(vec![7; BODY / 3]);
    let settings = Settings {
        bytes_max: 1 << 40,
        age_max: Duration::ZERO,
        on_full: OnFull::Refuse,
        segment_bytes: 64 << 20,
        order: ReplayOrder::OldestFirst,
        commit_delay: Duration::ZERO,
    };
    let mut benches = c.benchmark_group("spool");
    for (name, records) in [("256 KiB", 6), ("4 MiB", 97)] {
        benches.throughput(Throughput::Bytes((records * 3 * slice.len()) as u64));
        benches.bench_function(name, |b| {
            let mut spool = Spool::new(settings, 0, 1, &[], rt::now(), 1);
            b.iter(|| group(&mut spool, &slice, records));
        });
    }
    benches.finish();
}

criterion_group!(benches, spool);
criterion_main!(benches);
