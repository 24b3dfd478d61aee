//! The matrix of faults: what a collector can do wrong, over each protocol it is spoken to in, and
//! what the sender is told, what is sent again, when, and where every item ends.

mod act;
mod collector;
mod grpc;
mod http1;
mod table;

use std::{future::Future, pin::Pin, time::Duration};

use otlp::signal::Signal;
use tokio::task::JoinSet;

use act::Act;
use collector::{Collector, Wire};
use table::{Expect, Row, rows};

use crate::support::{Answer, Ledger, Otlp, Setup, Transport, payload, within};

/// Items of the request that is sent in each cell.
const ITEMS: u32 = 2;

/// Cells that run at once: each has a forwarder of its own.
const AT_ONCE: usize = 8;

/// The delay before the second attempt; each further one is twice as long, up to the longest.
const BASE_DELAY: Duration = Duration::from_millis(40);
const MAX_DELAY: Duration = Duration::from_millis(100);

/// Three attempts with just these delays.
const RETRIED: [(&str, &str); 4] = [
    ("OTLP_RETRY_MAX_ATTEMPTS", "3"),
    ("OTLP_RETRY_BASE_DELAY", "40ms"),
    ("OTLP_RETRY_MAX_DELAY", "100ms"),
    ("OTLP_RETRY_JITTER", "false"),
];

/// Runs every row in a cell of its own, and names those that fail.
async fn every_row(cell: impl Fn(Row) -> Pin<Box<dyn Future<Output = ()> + Send>>) {
    let mut waiting = rows().into_iter();
    let mut running = JoinSet::new();
    let mut names = std::collections::HashMap::new();
    let mut failed = Vec::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(row) = waiting.next()
        {
            let name = row.name.clone();
            names.insert(running.spawn(cell(row)).id(), name);
        }
        let Some(ended) = within("a cell", running.join_next_with_id()).await else {
            break;
        };
        if let Err(error) = ended {
            failed.push(names[&error.id()].clone());
        }
    }
    assert!(names.len() >= 24, "only {} rows", names.len());
    assert!(
        failed.is_empty(),
        "{} rows failed: {failed:#?}",
        failed.len()
    );
}

/// A forwarder in front of that collector.
async fn forwarder(
    collector: &Collector,
    row: &Row,
    more: &[(&str, &str)],
    breaker: &[(&str, String)],
) -> Otlp {
    let mut setup = Setup::to_addresses([collector.address])
        .set("OTLP_PROTOCOL", row.wire.protocol())
        .set("OTLP_HTTP_VERSION", "1.1")
        .set("OTLP_LIMITS_RESPONSE_BYTES", "64KiB");
    // Only where nothing comes: elsewhere a slow machine would make failures of its own.
    if row.act.is_silent() {
        setup = setup.set("OTLP_TIMEOUT_READ_TIMEOUT", "1s");
    }
    for (name, value) in more {
        setup = setup.set(name, value);
    }
    for (name, value) in breaker {
        setup = setup.set(name, value);
    }
    setup.start().await
}

/// A refusal must say whether to come back, and when: both or neither.
fn assert_told(answer: &Answer, expect: Expect, name: &str) {
    let retryable = matches!(answer.code, 1 | 4 | 8 | 10 | 11 | 14 | 15) && answer.delay.is_some();
    match expect {
        Expect::Taken => assert!(answer.accepted() && !answer.partial, "{name}: {answer:?}"),
        Expect::TakenBut(rejected) => {
            assert!(answer.accepted(), "{name}: {answer:?}");
            assert_eq!(answer.rejected, rejected, "{name}: {answer:?}");
        }
        Expect::Again(least) => {
            assert!(!answer.accepted() && retryable, "{name}: {answer:?}");
            assert!(answer.delay.unwrap() >= least, "{name}: {answer:?}");
        }
        Expect::Never => {
            assert!(!answer.accepted() && !retryable, "{name}: {answer:?}");
            assert_eq!(answer.delay, None, "{name}: {answer:?}");
        }
    }
}

/// Where the items of one attempt are.
fn assert_counted(ledger: &Ledger, expect: Expect, name: &str) {
    let rejected = match expect {
        Expect::TakenBut(rejected) => rejected as f64,
        _ => 0.0,
    };
    let all = f64::from(ITEMS);
    let places = match expect {
        Expect::Taken | Expect::TakenBut(_) => [all - rejected, rejected, 0.0],
        Expect::Again(_) => [0.0, 0.0, all],
        Expect::Never => [0.0, all, 0.0],
    };
    let counted =
        ["delivered", "rejected", "refused"].map(|state| ledger.items(Signal::Traces, state));
    assert_eq!(counted, places, "{name}: delivered, rejected, refused");
}

/// Attempts that reached the collector.
fn assert_attempts(collector: &Collector, row: &Row, expected: usize) {
    let attempts = collector.attempts().len();
    let most = if row.unprocessed {
        expected * 2
    } else {
        expected
    };
    assert!(
        (expected..=most).contains(&attempts),
        "{}: {attempts} attempts instead of {expected}",
        row.name
    );
}

/// No attempt comes sooner after the one before than the configuration says, or the collector.
fn assert_patient(collector: &Collector, row: &Row) {
    let Expect::Again(least) = row.expect else {
        return;
    };
    if row.unprocessed {
        return;
    }
    let attempts = collector.attempts();
    let mut delay = BASE_DELAY;
    for pair in attempts.windows(2) {
        let waited = pair[1].at - pair[0].at;
        let owed = delay.max(least);
        assert!(waited >= owed, "{}: {waited:?} of {owed:?}", row.name);
        delay = (delay * 2).min(MAX_DELAY);
    }
}

/// The bodies of all attempts are the same bytes: nothing is left out and nothing added.
fn assert_same_bytes(collector: &Collector, sent: &[u8], name: &str) {
    for attempt in collector.attempts() {
        let body = attempt.body.filter(|_| attempt.act != Act::CloseAtAccept);
        if let Some(body) = body {
            let (came, whole) = (body.len(), sent.len());
            assert!(body == sent, "{name}: other bytes: {came} of {whole}");
        }
    }
}

/// What a row says of the collector itself: whether an attempt is a failure to its breaker. One that
/// asks for patience works, and so does one that refuses for good.
fn is_failure(row: &Row) -> bool {
    let asks_for_patience = match row.wire {
        Wire::Grpc => matches!(row.act, Act::Grpc(8, _)),
        // 429 without a gRPC status is UNAVAILABLE to gRPC.
        Wire::Http1 => matches!(row.act, Act::Http(429, _)),
    };
    matches!(row.expect, Expect::Again(_)) && !asks_for_patience
}

/// Settings under which the breaker opens at just so many failures, and stays so.
fn opens_at(failures: usize) -> [(&'static str, String); 3] {
    [
        ("OTLP_CIRCUIT_BREAKER_MINIMUM_CALLS", failures.to_string()),
        (
            "OTLP_CIRCUIT_BREAKER_FAILURE_THRESHOLD",
            failures.to_string(),
        ),
        ("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "1h".to_owned()),
    ]
}

/// The state of the breaker now, as its gauge has it.
fn breaker(ledger: &Ledger) -> f64 {
    ledger.sum("otlp_circuit_breaker_state", &[])
}

const CLOSED: f64 = 0.0;
const OPEN: f64 = 1.0;

/// How often the breaker went to each state.
fn assert_breaker_went(ledger: &Ledger, expected: [(&str, f64); 3], name: &str) {
    let went = expected.map(|(to, _)| {
        let times = ledger.sum("otlp_circuit_breaker_transitions_total", &[("to", to)]);
        (to, times)
    });
    assert_eq!(went, expected, "{name}: breakers went");
}

/// The breaker opened once and is open, or never left its closed state.
fn assert_breaker(ledger: &Ledger, is_open: bool, name: &str) {
    let (state, opened) = if is_open { (OPEN, 1.0) } else { (CLOSED, 0.0) };
    assert_eq!(breaker(ledger), state, "{name}: the breaker's state");
    let expected = [("open", opened), ("half_open", 0.0), ("closed", 0.0)];
    assert_breaker_went(ledger, expected, name);
}

/// One attempt, and a breaker that opens at the first failure.
#[tokio::test]
async fn every_fault_is_told_to_a_sender_that_is_to_repeat_by_itself() {
    every_row(|row| {
        Box::pin(async move {
            let collector = Collector::listening(row.wire, [], row.act.clone());
            let patience = if row.act.is_silent() { "300ms" } else { "30s" };
            let once = [("OTLP_RETRY_MAX_ATTEMPTS", "1"), ("OTLP_TIMEOUT", patience)];
            let otlp = forwarder(&collector, &row, &once, &opens_at(1)).await;
            let sent = payload(Signal::Traces, ITEMS.into());
            let answer = otlp.sender(Transport::Grpc).await.send(&sent).await;
            assert_told(&answer, row.expect, &row.name);
            assert_attempts(&collector, &row, 1);
            assert_same_bytes(&collector, &sent.body, &row.name);
            let ledger = otlp.assert_ledger_adds_up().await;
            assert_counted(&ledger, row.expect, &row.name);
            assert_breaker(&ledger, is_failure(&row), &row.name);
        })
    })
    .await;
}

/// Two attempts fail and the third is taken: the sender hears OK, and nothing of the others. The
/// breaker, one failure short of its threshold, never leaves its closed state.
#[tokio::test]
async fn every_fault_that_passes_is_tried_again_and_no_sooner_than_it_may() {
    every_row(|row| {
        Box::pin(async move {
            let collector = Collector::listening(row.wire, vec![row.act.clone(); 2], Act::Accept);
            let otlp = forwarder(&collector, &row, &RETRIED, &opens_at(3)).await;
            let sent = payload(Signal::Traces, ITEMS.into());
            let answer = otlp.sender(Transport::Grpc).await.send(&sent).await;
            let ledger = otlp.assert_ledger_adds_up().await;
            let (attempts, expect) = match row.expect {
                Expect::Again(_) => (3, Expect::Taken),
                once => (1, once),
            };
            assert_told(&answer, expect, &row.name);
            assert_attempts(&collector, &row, attempts);
            assert_patient(&collector, &row);
            assert_same_bytes(&collector, &sent.body, &row.name);
            assert_counted(&ledger, expect, &row.name);
            let retries = ledger.sum("otlp_export_retries_total", &[("signal", "traces")]);
            // What may be sent again at once is not a retry.
            let least = if row.unprocessed { 0 } else { attempts - 1 };
            assert!(retries >= least as f64, "{}: {retries} retries", row.name);
            assert_breaker(&ledger, false, &row.name);
        })
    })
    .await;
}

/// Every attempt fails: after the last one the sender is told so, once, with a delay; and the
/// breaker, which as many failures open, is open where they are the collector's fault.
#[tokio::test]
async fn every_fault_that_stays_is_told_after_the_last_attempt() {
    every_row(|row| {
        Box::pin(async move {
            let collector = Collector::listening(row.wire, [], row.act.clone());
            let otlp = forwarder(&collector, &row, &RETRIED, &opens_at(3)).await;
            let sent = payload(Signal::Traces, ITEMS.into());
            let answer = otlp.sender(Transport::Grpc).await.send(&sent).await;
            assert_told(&answer, row.expect, &row.name);
            let attempts = match row.expect {
                Expect::Again(_) => 3,
                _ => 1,
            };
            assert_attempts(&collector, &row, attempts);
            assert_patient(&collector, &row);
            let ledger = otlp.assert_ledger_adds_up().await;
            assert_counted(&ledger, row.expect, &row.name);
            assert_breaker(&ledger, is_failure(&row), &row.name);
        })
    })
    .await;
}

/// What is on disk is tried again until it is taken, however often that is; what can never be
/// taken is dropped, counted, and not tried again. The last failure opens the breaker, which lets the
/// next attempt through to see: that is taken, and closes it.
#[tokio::test]
async fn every_fault_that_passes_delivers_what_was_stored() {
    every_row(|row| {
        Box::pin(async move {
            let failures = match row.expect {
                // A second each.
                Expect::Again(least) if least >= Duration::from_secs(1) => 2,
                _ => 4,
            };
            let collector =
                Collector::listening(row.wire, vec![row.act.clone(); failures], Act::Accept);
            let spool = tempfile::tempdir().unwrap();
            let stored = [
                ("OTLP_ACKNOWLEDGE", "stored"),
                ("OTLP_SPOOL_DIRECTORY", spool.path().to_str().unwrap()),
            ];
            // What is sent again at once uses the script up before so many attempts have failed.
            let opens = is_failure(&row) && !row.unprocessed;
            let mut reopening = opens_at(if opens { failures } else { 2 * failures });
            reopening[2].1 = "100ms".to_owned();
            let otlp = forwarder(
                &collector,
                &row,
                &[
                    &RETRIED[..],
                    &stored,
                    &[("OTLP_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS", "1")],
                ]
                .concat(),
                &reopening,
            )
            .await;
            let sent = payload(Signal::Traces, ITEMS.into());
            let answer = otlp.sender(Transport::Grpc).await.send(&sent).await;
            assert_told(&answer, Expect::Taken, &row.name);
            let ledger = otlp
                .until_ledger(&format!("{}: nothing is left", row.name), |now| {
                    let left = ["waiting", "stored"].map(|state| now.items(Signal::Traces, state));
                    left == [0.0, 0.0] && breaker(now) == CLOSED
                })
                .await;
            let attempts = match row.expect {
                Expect::Again(_) => failures + 1,
                _ => 1,
            };
            assert_attempts(&collector, &row, attempts);
            assert_patient(&collector, &row);
            assert_same_bytes(&collector, &sent.body, &row.name);
            let all = f64::from(ITEMS);
            let (delivered, gone) = match row.expect {
                Expect::Taken | Expect::Again(_) => (all, 0.0),
                Expect::TakenBut(rejected) => (all - rejected as f64, rejected as f64),
                Expect::Never => (0.0, all),
            };
            let counted = ["delivered", "dropped"].map(|it| ledger.items(Signal::Traces, it));
            let rejected = ledger.items(Signal::Traces, "rejected");
            assert_eq!(counted[0], delivered, "{}: delivered", row.name);
            assert_eq!(counted[1] + rejected, gone, "{}: dropped", row.name);
            let times = if opens { 1.0 } else { 0.0 };
            let expected = [("open", times), ("half_open", times), ("closed", times)];
            assert_breaker_went(&ledger, expected, &row.name);
        })
    })
    .await;
}
