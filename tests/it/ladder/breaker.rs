//! The circuit breaker from outside: when it opens, what it keeps away, how it closes, and who says
//! so.

use std::time::Duration;

use otlp::signal::Signal;

use super::{UNAVAILABLE, breaker, hasty, logged, send, send_taken, transitions};
use crate::support::{Behaviour, Collector, Otlp, Setup, Transport, payload, within};

const CHANGED: &str = "a circuit breaker changed";

/// The collector's row in `/api/status`.
async fn row(otlp: &Otlp) -> serde_json::Value {
    let (_, status) = otlp.admin("/api/status").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["collectors"][0].clone()
}

#[tokio::test]
async fn it_opens_after_its_failures_and_makes_no_call_while_open() {
    let collector = Collector::start().await;
    collector.behave(UNAVAILABLE);
    let otlp = hasty(Setup::to([&collector])).start().await;
    for (_, answer) in send(&otlp, Signal::Traces, 2).await {
        assert_eq!(answer.code, 14, "{answer:?}");
    }
    let ledger = otlp.ledger().await;
    assert_eq!(breaker(&ledger, collector.address), 1.0, "open");
    // The recovery timeout is an hour, of which some time has passed.
    let (least, most) = (Duration::from_secs(3000), Duration::from_secs(5400));
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        for signal in Signal::ALL {
            let answer = sender.send(&payload(signal, 2)).await;
            assert!(!answer.accepted(), "{transport:?}: {answer:?}");
            let delay = answer.delay.expect("the time that is left");
            assert!((least..most).contains(&delay), "{transport:?}: {delay:?}");
            assert!(
                answer.message.contains("the collector says no"),
                "why: {answer:?}"
            );
        }
    }
    let attempts = collector.read(|log| log.arrived.len());
    assert_eq!(attempts, 2, "no call is made while it is open");
    let ledger = otlp.assert_ledger_adds_up().await;
    assert_eq!(transitions(&ledger, "open"), 1.0);
    assert_eq!(transitions(&ledger, "half_open"), 0.0);
    assert_eq!(transitions(&ledger, "closed"), 0.0);
    assert_eq!(logged(&otlp, CHANGED), 1, "{}", otlp.log());
    assert!(otlp.log().contains("circuit_breaker"), "{}", otlp.log());
    let (code, ready) = otlp.admin("/ready").await;
    assert_eq!(code, 200, "a collector's failure is not this process's");
    let told = format!("collector {}: breaker open", collector.address);
    assert!(ready.contains(&told), "{ready}");
    let row = row(&otlp).await;
    assert_eq!(row["breaker"], "open", "{row}");
    let error = row["error"].as_str().unwrap_or_default();
    assert!(error.contains("the collector says no"), "{row}");
}

#[tokio::test]
async fn after_its_time_a_failure_opens_it_again_and_successes_close_it() {
    let collector = Collector::start().await;
    collector.behave(UNAVAILABLE);
    let otlp = hasty(Setup::to([&collector]))
        .set("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "200ms")
        .set("OTLP_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS", "2")
        .start()
        .await;
    send(&otlp, Signal::Traces, 2).await;
    let is_half_open = |now: &_| breaker(now, collector.address) == 2.0;
    otlp.until_ledger("half-open", is_half_open).await;
    let (_, failed) = send(&otlp, Signal::Traces, 1).await.remove(0);
    assert_eq!(failed.code, 14, "{failed:?}");
    assert_eq!(collector.read(|log| log.arrived.len()), 3, "one trial");
    collector.behave(Behaviour::Accept);
    otlp.until_ledger("half-open again", |now| {
        transitions(now, "half_open") == 2.0 && is_half_open(now)
    })
    .await;
    send_taken(&otlp, Signal::Traces, 2).await;
    let ledger = otlp
        .until_ledger("closed", |now| breaker(now, collector.address) == 0.0)
        .await;
    let counted = ["open", "half_open", "closed"].map(|to| transitions(&ledger, to));
    assert_eq!(counted, [2.0, 2.0, 1.0], "open, half-open, closed");
    assert_eq!(logged(&otlp, CHANGED), 5, "each once:\n{}", otlp.log());
    assert_eq!(logged(&otlp, "the recovery timeout has passed"), 2);
    assert_eq!(logged(&otlp, "a trial call failed"), 1);
    assert_eq!(logged(&otlp, "2 trial calls succeeded"), 1);
    let row = row(&otlp).await;
    assert_eq!(row["breaker"], "closed", "{row}");
    assert_eq!(row["error"], serde_json::Value::Null, "{row}");
    otlp.assert_ledger_adds_up().await;
}

/// The recovery timeout is an hour: only a probe can tell so soon that the collector is back,
/// whether or not probes have taken it out before.
#[tokio::test]
async fn a_probe_finds_a_collector_that_is_back_before_its_time() {
    for (unhealthy_threshold, healthy) in [("100", 1.0), ("1", 0.0)] {
        let collector = Collector::start().await;
        let otlp = hasty(Setup::to([&collector]))
            .set("OTLP_HEALTH_CHECK_INTERVAL", "1s")
            .set("OTLP_HEALTH_CHECK_TIMEOUT", "1s")
            .set("OTLP_HEALTH_CHECK_UNHEALTHY_THRESHOLD", unhealthy_threshold)
            .start()
            .await;
        let address = collector.stop().await;
        within("the breaker is open", async {
            while breaker(&otlp.ledger().await, address) == 0.0 {
                for (_, answer) in send(&otlp, Signal::Logs, 1).await {
                    assert!(!answer.accepted() && answer.delay.is_some(), "{answer:?}");
                }
            }
        })
        .await;
        otlp.until_ledger("a probe has met nobody", |now| {
            let probes = [("result", "unhealthy")];
            now.sum("otlp_collector_probes_total", &probes) > 0.0
                && now.sum("otlp_collector_healthy", &[]) == healthy
        })
        .await;
        let (_, answer) = send(&otlp, Signal::Logs, 1).await.remove(0);
        assert_eq!(answer.code, 14, "{answer:?}");
        let collector = Collector::start_at(address).await;
        otlp.until_ledger("half-open", |now| breaker(now, address) == 2.0)
            .await;
        assert_eq!(logged(&otlp, "a probe succeeded"), 1, "{}", otlp.log());
        send_taken(&otlp, Signal::Logs, 3).await;
        otlp.until_ledger("closed", |now| breaker(now, address) == 0.0)
            .await;
        assert_eq!(collector.accepted_ids(Signal::Logs).len(), 6);
        otlp.assert_ledger_adds_up().await;
    }
}
