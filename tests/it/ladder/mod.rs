//! The ladder end to end: what happens, step by step, where a collector does not take the data.

mod breaker;
mod disk;
mod quality;
mod restart;
mod routes;

use std::{net::SocketAddr, path::Path};

use otlp::signal::Signal;

use crate::support::{
    Answer, Behaviour, Collector, Ledger, Otlp, Payload, Setup, Transport, payload,
};

/// A collector that says "not now" to everything, and is counted doing so.
const UNAVAILABLE: Behaviour = Behaviour::Refuse {
    code: tonic::Code::Unavailable,
    delay: None,
};

/// One attempt for each batch, and a breaker that opens at the second failure.
fn hasty(setup: Setup) -> Setup {
    setup
        .set("OTLP_RETRY_MAX_ATTEMPTS", "1")
        .set("OTLP_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "2")
        .set("OTLP_CIRCUIT_BREAKER_MINIMUM_CALLS", "2")
        .set("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "1h")
}

/// These strategies of graceful degradation.
fn degrading(setup: Setup, strategies: &str) -> Setup {
    setup
        .set("OTLP_GRACEFUL_DEGRADATION_ENABLED", "true")
        .set("OTLP_GRACEFUL_DEGRADATION_STRATEGIES", strategies)
}

/// A spool in this folder.
fn spooling(setup: Setup, folder: &Path) -> Setup {
    setup.set("OTLP_SPOOL_DIRECTORY", folder.to_str().unwrap())
}

/// Files of the spool that hold data.
fn segments(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".spool")).count()
}

/// The state of a collector's breaker: 0 closed, 1 open, 2 half-open.
fn breaker(ledger: &Ledger, collector: SocketAddr) -> f64 {
    let name = collector.to_string();
    ledger.sum("otlp_circuit_breaker_state", &[("collector", &name)])
}

/// Times that a breaker changed to a state.
fn transitions(ledger: &Ledger, to: &str) -> f64 {
    ledger.sum("otlp_circuit_breaker_transitions_total", &[("to", to)])
}

/// Lines of the log with this message.
fn logged(otlp: &Otlp, message: &str) -> usize {
    otlp.log().lines().filter(|it| it.contains(message)).count()
}

/// Sends so many requests of two items, one after the other.
async fn send(otlp: &Otlp, signal: Signal, requests: usize) -> Vec<(Payload, Answer)> {
    let mut sender = otlp.sender(Transport::Grpc).await;
    let mut answers = Vec::new();
    for _ in 0..requests {
        let sent = payload(signal, 2);
        let answer = sender.send(&sent).await;
        answers.push((sent, answer));
    }
    answers
}

/// The same, where every one is to be taken; the ids of the items.
async fn send_taken(otlp: &Otlp, signal: Signal, requests: usize) -> Vec<u64> {
    let answers = send(otlp, signal, requests).await;
    let taken = answers.into_iter().map(|(sent, answer)| {
        assert!(answer.accepted(), "{answer:?}");
        sent.ids
    });
    taken.flatten().collect()
}

/// Waits until these items have arrived.
async fn until_arrived(collector: &Collector, signal: Signal, ids: &[u64]) {
    let mut left: std::collections::BTreeSet<u64> = ids.iter().copied().collect();
    let mut seen = 0;
    collector
        .until("every item has arrived", |log| {
            for received in &log.accepted[seen..] {
                if received.signal == signal {
                    for id in crate::support::ids_in(signal, &received.body) {
                        left.remove(&id);
                    }
                }
            }
            seen = log.accepted.len();
            left.is_empty()
        })
        .await;
}

/// Items of a signal that have no end yet. What leaves the disk waits for a moment before it has one.
fn left(ledger: &Ledger, signal: Signal) -> f64 {
    ledger.items(signal, "stored") + ledger.items(signal, "waiting")
}
