//! What is on the disk, and what was only in memory, when the process ends.

use otlp::signal::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{degrading, hasty, segments, send_taken, spooling, until_arrived};
use crate::support::{Behaviour, Collector, Setup, Transport, payload, within};

const CONNECTIONS: usize = 12;
const REQUESTS: usize = 5;

#[tokio::test]
async fn the_spool_outlives_a_kill_and_another_number_of_shards() {
    for (before, after) in [("3", "1"), ("1", "3")] {
        let collector = Collector::start().await;
        let folder = TempDir::new().unwrap();
        let stored = |setup: Setup, shards: &str| {
            spooling(setup.set("OTLP_ACKNOWLEDGE", "stored"), folder.path())
                .set("OTLP_WORKER_THREADS", shards)
        };
        collector.behave(Behaviour::Hold);
        let otlp = stored(Setup::to([&collector]), before).start().await;
        let mut calls = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let mut sender = otlp.sender(Transport::Http1).await;
            calls.spawn(async move {
                let mut ids = Vec::new();
                for _ in 0..REQUESTS {
                    let sent = payload(Signal::Logs, 3);
                    let answer = sender.send(&sent).await;
                    assert!(answer.accepted(), "{answer:?}");
                    ids.extend(sent.ids);
                }
                ids
            });
        }
        let ids = within("every answer", calls.join_all()).await.concat();
        otlp.kill9().await;
        assert!(collector.read(|log| log.accepted.is_empty()));
        drop(collector);
        let collector = Collector::start().await;
        let otlp = stored(Setup::to([&collector]), after).start().await;
        until_arrived(&collector, Signal::Logs, &ids).await;
        let ledger = otlp
            .until_ledger("nothing is left", |now| {
                let left = ["stored", "waiting"].map(|state| now.items(Signal::Logs, state));
                left == [0.0; 2] && now.items(Signal::Logs, "delivered") > 0.0
            })
            .await;
        assert_eq!(ledger.items(Signal::Logs, "received"), ids.len() as f64);
        let received = [("signal", "logs"), ("transport", "spool")];
        assert_eq!(
            ledger.sum("otlp_receiver_received_items_total", &received),
            ids.len() as f64
        );
        assert!(otlp.terminate().await.success(), "{}", otlp.log());
        assert_eq!(segments(folder.path()), 0, "{before} then {after} shards");
    }
}

/// Its senders were told OK from memory, and its collector is gone: the disk keeps it.
#[tokio::test]
async fn a_stop_takes_what_is_only_in_memory_to_the_disk() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let cached = |setup| {
        spooling(degrading(setup, "use_cache"), folder.path()).set("OTLP_ACKNOWLEDGE", "queued")
    };
    // Nothing opens the breaker, and the second attempt is a minute away: memory holds it all.
    let otlp = cached(Setup::to([&collector]))
        .set("OTLP_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1000")
        .set("OTLP_HEALTH_CHECK_UNHEALTHY_THRESHOLD", "100")
        .set("OTLP_RETRY_BASE_DELAY", "1m")
        .set("OTLP_RETRY_MAX_DELAY", "1m")
        .start()
        .await;
    collector.stop().await;
    let ids = send_taken(&otlp, Signal::Traces, 10).await;
    let ledger = otlp.ledger().await;
    ledger.assert_balanced();
    assert_eq!(ledger.items(Signal::Traces, "waiting"), ids.len() as f64);
    assert!(otlp.terminate().await.success(), "{}", otlp.log());
    assert!(segments(folder.path()) > 0, "{}", otlp.log());
    let collector = Collector::start().await;
    let otlp = cached(hasty(Setup::to([&collector]))).start().await;
    until_arrived(&collector, Signal::Traces, &ids).await;
    otlp.until_ledger("nothing is left", |now| {
        now.items(Signal::Traces, "stored") == 0.0
    })
    .await;
    let arrived = collector.accepted_ids(Signal::Traces);
    assert_eq!(arrived, crate::support::count_ids(ids), "each once");
}
