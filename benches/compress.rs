//! What do packing and passing through cost? Unit: time of one batch or request; the throughput line
//! gives bytes a second, counted unpacked. The names tell what was saved: bytes in by bytes out.
//! Command: `cargo bench --bench compress`.
//!
//! - `pack`: a batch of spans at each level of each codec.
//! - `pass`: a compressed request of 100 spans from whole body to answer, against inflating it.
//! - `merge`: plain requests from whole body to packed batch, against compressing the same bytes.

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use otlp::{
    batch::{Ack, BatchKey, Batcher, Budget, ExportRequest, Permit},
    config::Validate,
    encoding::Encoding,
    metrics::Trigger,
    outcome::Outcome,
    rt,
    signal::Signal,
    wire::{Packer, Unpacker, inspect, inspect_whole},
};
use payload::{ITEMS, Numbers, logs, metrics, traces};

mod payload;

/// Batches and requests that are taken in turn.
const DISTINCT: usize = 8;
/// Bytes of a frame of HTTP/2: how a body lies.
const FRAME_BYTES: usize = 16 << 10;

fn cut(body: &[u8]) -> Vec<Bytes> {
    body.chunks(FRAME_BYTES)
        .map(Bytes::copy_from_slice)
        .collect()
}

/// Batches of about so many bytes, as slices.
fn batches(encode: fn(&mut Numbers) -> Vec<u8>, bytes: usize) -> Vec<Arc<[Bytes]>> {
    let mut n = Numbers::new();
    let mut batch = || {
        let mut slices = Vec::new();
        let mut len = 0;
        while len < bytes {
            let body = encode(&mut n);
            len += body.len();
            slices.extend(cut(&body));
        }
        slices.into()
    };
    (0..DISTINCT).map(|_| batch()).collect()
}

fn len(slices: &[Bytes]) -> usize {
    slices.iter().map(Bytes::len).sum()
}

/// How many times smaller a batch becomes.
fn ratio(packer: &mut Packer, batches: &[Arc<[Bytes]>]) -> String {
    let plain: usize = batches.iter().map(|batch| len(batch)).sum();
    let packed = |batch: &Arc<[Bytes]>| len(&packer.pack(Arc::clone(batch)).1);
    let packed: usize = batches.iter().map(packed).sum();
    format!("{}.{:02} x", plain / packed, plain % packed * 100 / packed)
}

fn pack(criterion: &mut Criterion) {
    for bytes in [128 << 10, 1 << 20] {
        let batches = batches(traces, bytes);
        let mut group = criterion.benchmark_group(format!("pack {} KiB of spans", bytes >> 10));
        group.throughput(Throughput::Bytes(len(&batches[0]) as u64));
        for (encoding, levels) in [(Encoding::Gzip, 1..=9), (Encoding::Zstd, 1..=6)] {
            for level in levels {
                let mut packer = Packer::new(encoding, level);
                let ratio = ratio(&mut packer, &batches);
                let mut batches = batches.iter().cycle();
                group.bench_function(format!("{encoding} {level}, {ratio}"), |bencher| {
                    bencher.iter(|| batches.next().map(|batch| packer.pack(Arc::clone(batch))));
                });
            }
        }
        group.finish();
    }
    for (signal, encode) in [
        (Signal::Metrics, metrics as fn(&mut Numbers) -> Vec<u8>),
        (Signal::Logs, logs),
    ] {
        let batches = batches(encode, 128 << 10);
        let mut group = criterion.benchmark_group(format!("pack 128 KiB of {signal}"));
        group.throughput(Throughput::Bytes(len(&batches[0]) as u64));
        for (encoding, level) in [
            (Encoding::Gzip, 1),
            (Encoding::Gzip, 6),
            (Encoding::Zstd, 1),
        ] {
            let mut packer = Packer::new(encoding, level);
            let ratio = ratio(&mut packer, &batches);
            let mut batches = batches.iter().cycle();
            group.bench_function(format!("{encoding} {level}, {ratio}"), |bencher| {
                bencher.iter(|| batches.next().map(|batch| packer.pack(Arc::clone(batch))));
            });
        }
        group.finish();
    }
}

/// One request as the receiver hands it over.
fn request(budget: &std::rc::Rc<Budget>, encoding: Encoding, body: Vec<Bytes>) -> ExportRequest {
    let bytes = len(&body);
    let mut permit = Permit::none(budget);
    permit.cover(bytes).unwrap_or_default();
    ExportRequest {
        signal: Signal::Traces,
        items: ITEMS,
        encoding,
        body,
        bytes,
        deadline: None,
        place: None,
        headers: None,
        permit,
    }
}

fn batcher() -> Batcher {
    Batcher::new(1 << 20, 128 << 10, Duration::from_millis(200))
}

fn pass(criterion: &mut Criterion) {
    let budget = Budget::new(1 << 30, |_| {});
    let now = rt::now();
    let mut n = Numbers::new();
    let bodies: Vec<Vec<u8>> = (0..DISTINCT).map(|_| traces(&mut n)).collect();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let mut packer = Packer::new(encoding, 6);
        let packed: Vec<Vec<Bytes>> = bodies
            .iter()
            .map(|body| cut(&packer.pack(cut(body).into()).1.concat()))
            .collect();
        let mut group = criterion.benchmark_group(format!("pass {encoding}"));
        group.throughput(Throughput::Bytes(bodies[0].len() as u64));
        let mut unpacker = Unpacker::new();
        let mut batcher = batcher();
        let mut turn = packed.iter().cycle();
        group.bench_function("proven, batched, cut, answered", |bencher| {
            bencher.iter(|| {
                let body = turn.next().cloned().unwrap_or_default();
                let items = unpacker.unpack(encoding, &body, 64 << 20, |body, _| {
                    inspect_whole(Signal::Traces, Validate::Items, body)
                });
                black_box(items.is_ok());
                let (ack, waiter) = Ack::pending();
                let sealed = batcher.push(request(&budget, encoding, body), Some(waiter), now);
                if let Some(batch) = sealed {
                    for request in batch.into_requests() {
                        request.resolve(|_| Outcome::Accepted);
                    }
                }
                ack
            });
        });
        let mut turn = packed.iter().cycle();
        let mut out: Vec<u8> = Vec::with_capacity(1 << 20);
        let mut inflate = Decompress::new(false);
        let mut decompress = zstd::bulk::Decompressor::new().unwrap_or_else(|_| unreachable!());
        group.bench_function("inflated and nothing else", |bencher| {
            bencher.iter(|| {
                let body = turn.next().map_or(&[][..], |body| &body[0][..]);
                out.clear();
                if encoding == Encoding::Gzip {
                    inflate.reset(false);
                    let deflated = &body[10..];
                    inflate
                        .decompress_vec(deflated, &mut out, FlushDecompress::Finish)
                        .is_ok()
                } else {
                    decompress.decompress_to_buffer(body, &mut out).is_ok()
                }
            });
        });
        group.finish();
    }
}

fn merge(criterion: &mut Criterion) {
    const REQUESTS: usize = 3;
    let budget = Budget::new(1 << 30, |_| {});
    let now = rt::now();
    let mut n = Numbers::new();
    let bodies: Vec<Vec<Bytes>> = (0..DISTINCT * REQUESTS)
        .map(|_| cut(&traces(&mut n)))
        .collect();
    let joined: Vec<Vec<u8>> = bodies
        .chunks(REQUESTS)
        .map(|bodies| bodies.concat().concat())
        .collect();
    for (encoding, level) in [(Encoding::Gzip, 1), (Encoding::Zstd, 1)] {
        let mut group = criterion.benchmark_group(format!("merge {encoding} {level}"));
        group.throughput(Throughput::Bytes(joined[0].len() as u64));
        let mut packer = Packer::new(encoding, level);
        let mut batcher = batcher();
        let mut turn = bodies.iter().cycle();
        group.bench_function("proven, batched, packed, answered", |bencher| {
            bencher.iter(|| {
                for body in turn.by_ref().take(REQUESTS) {
                    let items = inspect(Signal::Traces, Validate::Items, body);
                    black_box(items.is_ok());
                    let request = request(&budget, Encoding::Identity, body.clone());
                    black_box(batcher.push(request, None, now).is_some());
                }
                let batch = batcher.seal(
                    &BatchKey::plain(Signal::Traces, Encoding::Identity),
                    Trigger::Idle,
                    now,
                );
                batch.map(|batch| {
                    let packed = packer.pack(batch.slices());
                    batch.resolve(|_| Outcome::Accepted);
                    packed
                })
            });
        });
        let mut turn = joined.iter().cycle();
        let mut out: Vec<u8> = Vec::with_capacity(1 << 20);
        let mut deflate = Compress::new(Compression::new(level), false);
        let mut compress = zstd::bulk::Compressor::new(1).unwrap_or_else(|_| unreachable!());
        group.bench_function("compressed and nothing else", |bencher| {
            bencher.iter(|| {
                let body = turn.next().map_or(&[][..], Vec::as_slice);
                out.clear();
                if encoding == Encoding::Gzip {
                    deflate.reset();
                    deflate
                        .compress_vec(body, &mut out, FlushCompress::Finish)
                        .is_ok()
                } else {
                    compress.compress_to_buffer(body, &mut out).is_ok()
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, pack, pass, merge);
criterion_main!(benches);
