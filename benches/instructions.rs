//! Question: how many instructions does each pure step take? Method: a step is run as often as the
//! second argument says, under a counter of instructions; twice as often minus once is the step
//! alone. The same figure on every machine, whatever else it does: `make instructions`.

use std::{env, hint::black_box, io::Write as _, time::Duration};

use bytes::Bytes;
use otlp::{
    batch::{Ack, Batch, BatchKey, Batcher, Budget, ExportRequest, Permit},
    config::Validate,
    encoding::Encoding,
    metrics::{Settled, ShardMetrics, Transport, Trigger},
    outcome::Outcome,
    rt,
    signal::Signal,
    wire::{Packer, Threshold, Unpacker, inspect, inspect_whole, thin_logs, thin_traces},
};
use payload::{ITEMS, Numbers, logs, metrics, traces};

mod connection;
mod payload;

/// Bytes of a frame of HTTP/2: how a body lies that was not copied.
const FRAME_BYTES: usize = 16 << 10;

/// Requests of a batch.
const REQUESTS: usize = 6;

/// A step: what it is called, what it is counted by, and how it is run so many times.
type Step = (&'static str, &'static str, fn(u32));

const STEPS: [Step; 15] = [
    ("walk-spans", "100 spans, items, one piece", |n| {
        walk(n, Signal::Traces, traces, Validate::Items, usize::MAX);
    }),
    ("walk-spans-cut", "100 spans, items, 16 KiB pieces", |n| {
        walk(n, Signal::Traces, traces, Validate::Items, FRAME_BYTES);
    }),
    ("walk-spans-full", "100 spans, full", |n| {
        walk(n, Signal::Traces, traces, Validate::Full, usize::MAX);
    }),
    ("walk-points-full", "100 points, full", |n| {
        walk(n, Signal::Metrics, metrics, Validate::Full, usize::MAX);
    }),
    ("walk-logs-full", "100 records, full", |n| {
        walk(n, Signal::Logs, logs, Validate::Full, usize::MAX);
    }),
    ("thin-spans", "100 spans, half dropped, half marked", |n| {
        thin(n, Signal::Traces, traces, 0.5, usize::MAX);
    }),
    ("thin-spans-cut", "the same, 16 KiB pieces", |n| {
        thin(n, Signal::Traces, traces, 0.5, FRAME_BYTES);
    }),
    ("thin-spans-mark", "100 spans, all marked", |n| {
        thin(n, Signal::Traces, traces, 0.9999, usize::MAX);
    }),
    ("thin-logs", "100 records, half dropped", |n| {
        thin(n, Signal::Logs, logs, 0.5, usize::MAX);
    }),
    ("batch", "6 requests batched and answered", |n| {
        batch(n, |batch| batch.resolve(|_| Outcome::Accepted));
    }),
    ("splice", "the same, cut in two and answered", |n| {
        batch(n, |batch| match batch.split() {
            Ok((one, two)) => {
                one.resolve(|_| Outcome::Accepted);
                two.resolve(|_| Outcome::Accepted);
            }
            Err(alone) => alone.resolve(|_| Outcome::Accepted),
        });
    }),
    ("pass-gzip", "100 spans, gzip, unpacked and proven", pass),
    ("counters", "100 spans received and delivered", counters),
    ("framing-1", "200 requests of 1 span", |n| {
        framing(n, 800);
    }),
    ("framing-100", "200 requests of 100 spans", |n| {
        framing(n, 42_900);
    }),
];

fn cut(body: &[u8], bytes: usize) -> Vec<Bytes> {
    let bytes = bytes.min(body.len());
    body.chunks(bytes).map(Bytes::copy_from_slice).collect()
}

fn walk(n: u32, signal: Signal, make: fn(&mut Numbers) -> Vec<u8>, level: Validate, bytes: usize) {
    let body = cut(&make(&mut Numbers::new()), bytes);
    for _ in 0..n {
        assert_eq!(inspect(signal, level, black_box(&body)), Ok(ITEMS));
    }
}

fn thin(n: u32, signal: Signal, make: fn(&mut Numbers) -> Vec<u8>, ratio: f64, bytes: usize) {
    let body = cut(&make(&mut Numbers::new()), bytes);
    let keep = Threshold::of_ratio(ratio);
    for _ in 0..n {
        let body = black_box(&body);
        let thinned = match signal {
            Signal::Logs => thin_logs(body, keep, 13),
            _ => thin_traces(body, keep),
        };
        black_box(thinned.is_ok_and(|thinned| thinned.changed));
    }
}

fn batch(n: u32, end: fn(Batch)) {
    let budget = Budget::new(1 << 30, |_| {});
    let slice = Bytes::from(vec![7; 42_900]);
    let now = rt::now();
    let mut batcher = Batcher::new(8192, 4 << 20, Duration::from_millis(200));
    for _ in 0..n {
        for _ in 0..REQUESTS {
            let mut permit = Permit::none(&budget);
            permit.cover(slice.len()).unwrap_or_default();
            let request = ExportRequest {
                signal: Signal::Traces,
                items: ITEMS,
                encoding: Encoding::Identity,
                body: vec![slice.clone()],
                bytes: slice.len(),
                deadline: None,
                place: None,
                headers: None,
                permit,
            };
            let (ack, waiter) = Ack::pending();
            black_box((ack, batcher.push(request, Some(waiter), now)));
        }
        let sealed = batcher.seal(
            &BatchKey::plain(Signal::Traces, Encoding::Identity),
            Trigger::Idle,
            now,
        );
        sealed.into_iter().for_each(end);
    }
}

fn pass(n: u32) {
    let body = cut(&traces(&mut Numbers::new()), FRAME_BYTES);
    let packed = cut(
        &Packer::new(Encoding::Gzip, 6).pack(body.into()).1.concat(),
        FRAME_BYTES,
    );
    let mut unpacker = Unpacker::new();
    for _ in 0..n {
        let items = unpacker.unpack(Encoding::Gzip, &packed, 64 << 20, |body, _| {
            inspect_whole(Signal::Traces, Validate::Items, body)
        });
        black_box(items.is_ok());
    }
}

fn counters(n: u32) {
    let shard = ShardMetrics::new(0);
    for _ in 0..n {
        shard.received(black_box(Signal::Traces), Transport::Grpc, black_box(100));
        shard.settle(
            black_box(Signal::Traces),
            black_box(100),
            Settled::Delivered,
        );
    }
}

fn framing(n: u32, body_bytes: usize) {
    let (input, reply) = (connection::input(body_bytes), connection::reply());
    for _ in 0..n {
        black_box(connection::serve(black_box(&input), &reply));
    }
}

/// `instructions STEP TIMES` runs a step; without them it lists the steps, a name and a text each.
fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.as_slice() {
        [name, times] => {
            let step = STEPS.iter().find(|(known, ..)| known == name);
            let times = times.parse().ok();
            if let (Some((_, _, run)), Some(times)) = (step, times) {
                run(times);
            }
        }
        _ => {
            let mut out = std::io::stdout().lock();
            for (name, what, _) in STEPS {
                if writeln!(out, "{name}\t{what}").is_err() {
                    return;
                }
            }
        }
    }
}
