//! What building and reading a request costs: `cargo bench -p loadtest --bench telemetry`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use loadtest::telemetry::{
    Count, Encoding, Found, Level, Mix, Payload, Payloads, Signal, Workload, inspect,
};

/// Times of which the best counts: what disturbs only ever adds.
const ROUNDS: usize = 10;

/// Requests in a round.
const REQUESTS: u32 = 40;

fn main() {
    println!(
        "{:<30} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "100 items a request", "bytes", "build", "count", "ids", "full"
    );
    for signal in Signal::ALL {
        for (encoding, name) in [(Encoding::Protobuf, "protobuf"), (Encoding::Json, "json")] {
            let workload = Workload {
                signals: Mix::only(signal),
                items: 100,
                encoding,
                sender: 1,
                seed: 1,
            };
            let start = Instant::now();
            let mut payloads = Payloads::new(&workload);
            let pool = start.elapsed();
            let build = best(|| drop(black_box(payloads.next())));
            let requests: Vec<_> = (0..REQUESTS).map(|_| payloads.next()).collect();
            let bytes: usize = requests.iter().map(|request| request.body.len()).sum();
            let [count, ids, full] = [Level::Count, Level::Ids, Level::Full]
                .map(|level| read(&requests, encoding, level));
            println!(
                "{:<30} {:>10} {build:>10.1?} {count:>10.1?} {ids:>10.1?} {full:>10.1?}",
                format!("{signal} {name} (pool {pool:.0?})"),
                bytes / requests.len(),
            );
        }
    }
}

fn read(requests: &[Payload], encoding: Encoding, level: Level) -> Duration {
    let mut found = Found::default();
    let mut turns = requests.iter().cycle();
    best(|| {
        let Some(request) = turns.next() else { return };
        found.clear();
        let read: Result<Count, _> =
            inspect(request.signal, encoding, &request.body, level, &mut found);
        assert!(read.is_ok_and(|count| count.items == 100));
    })
}

/// The best mean of a round.
fn best(mut once: impl FnMut()) -> Duration {
    let round = |once: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..REQUESTS).for_each(|_| once());
        start.elapsed() / REQUESTS
    };
    (0..ROUNDS)
        .map(|_| round(&mut once))
        .min()
        .unwrap_or_default()
}
