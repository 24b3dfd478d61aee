//! Question: what does HTTP/2 cost a request on the receiving side, without sockets? Method: a
//! connection's input, recorded once: settings, then requests whose heads repeat, in frames of
//! 16 KiB; it is read in pieces of 27 KB, as a socket gives them, bodies are touched and not kept,
//! and each request is answered. Unit: ns a request.

use std::hint::black_box;

use connection::{REQUESTS, input, reply, serve};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

mod connection;

fn framing(c: &mut Criterion) {
    let reply = reply();
    let mut group = c.benchmark_group("framing");
    group.throughput(Throughput::Elements(REQUESTS.into()));
    for (name, body_bytes) in [("1 span", 800), ("10 spans", 4_600), ("100 spans", 42_900)] {
        let input = input(body_bytes);
        group.bench_function(name, |b| b.iter(|| serve(black_box(&input), &reply)));
    }
    group.finish();
}

criterion_group!(benches, framing);
criterion_main!(benches);
