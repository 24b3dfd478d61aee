//! Where a batch goes when its collector does not take it: to another one, to the fallback, in
//! parts; and what is not sent at all.

use http::{Request, header};
use otlp::signal::Signal;
use tokio::task::JoinSet;

use super::{UNAVAILABLE, breaker, degrading, hasty, send, send_taken};
use crate::support::{
    Behaviour, Collector, Sender, Setup, Transport, payload, payload_of_bytes, within,
};

#[tokio::test]
async fn of_two_collectors_the_one_that_works_takes_all_at_once() {
    let (one, other) = (Collector::start().await, Collector::start().await);
    let otlp = hasty(Setup::to([&one, &other])).start().await;
    send_taken(&otlp, Signal::Traces, 10).await;
    // One that cannot be reached costs nobody anything, not even an attempt.
    let address = one.stop().await;
    let before = other.accepted_ids(Signal::Traces).len();
    send_taken(&otlp, Signal::Traces, 10).await;
    assert_eq!(other.accepted_ids(Signal::Traces).len() - before, 20);
    let back = Collector::start_at(address).await;
    within("it is used again", async {
        while back.accepted_ids(Signal::Traces).is_empty() {
            send_taken(&otlp, Signal::Traces, 1).await;
        }
    })
    .await;
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn of_two_collectors_one_that_refuses_is_left_alone_once_its_breaker_is_open() {
    let (one, other) = (Collector::start().await, Collector::start().await);
    one.behave(UNAVAILABLE);
    let otlp = hasty(Setup::to([&one, &other])).start().await;
    let answers = send(&otlp, Signal::Logs, 20).await;
    let refused = answers.iter().filter(|(_, it)| !it.accepted()).count();
    assert_eq!(refused, 2, "as many as open the breaker");
    assert_eq!(one.read(|log| log.arrived.len()), 2);
    assert_eq!(other.accepted_ids(Signal::Logs).len(), 36);
    assert_eq!(breaker(&otlp.ledger().await, one.address), 1.0);
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn the_fallback_takes_over_and_gives_back_when_the_collector_is_well() {
    let (primary, fallback) = (Collector::start().await, Collector::start().await);
    let endpoint = format!("http://{}", fallback.address);
    let setup = degrading(hasty(Setup::to([&primary])), "use_fallback");
    let otlp = setup
        .set("OTLP_FALLBACK_ENDPOINT", &endpoint)
        .set("OTLP_FALLBACK_PROTOCOL", "grpc")
        .start()
        .await;
    send_taken(&otlp, Signal::Traces, 3).await;
    assert!(fallback.read(|log| log.arrived.is_empty()), "not yet");
    primary.behave(UNAVAILABLE);
    send_taken(&otlp, Signal::Traces, 20).await;
    assert_eq!(
        primary.read(|log| log.arrived.len()),
        3 + 2,
        "then it stays"
    );
    assert_eq!(fallback.accepted_ids(Signal::Traces).len(), 40);
    let active = [("signal", "traces"), ("strategy", "use_fallback")];
    otlp.until_ledger("degraded", |now| {
        now.sum("otlp_degradation_active", &active) == 1.0
    })
    .await;
    // It comes back as another process: a probe that meets nobody, then one that is answered.
    let address = primary.stop().await;
    otlp.until_ledger("a probe has failed", |now| {
        now.sum("otlp_collector_probes_total", &[("result", "unhealthy")]) > 0.0
    })
    .await;
    let primary = Collector::start_at(address).await;
    otlp.until_ledger("half-open", |now| breaker(now, address) == 2.0)
        .await;
    send_taken(&otlp, Signal::Traces, 3).await;
    otlp.until_ledger("closed", |now| breaker(now, address) == 0.0)
        .await;
    let before = fallback.accepted_ids(Signal::Traces).len();
    send_taken(&otlp, Signal::Traces, 10).await;
    assert_eq!(fallback.accepted_ids(Signal::Traces).len(), before);
    assert_eq!(primary.accepted_ids(Signal::Traces).len(), 26);
    otlp.until_ledger("no longer degraded", |now| {
        now.sum("otlp_degradation_active", &active) == 0.0
    })
    .await;
    otlp.assert_ledger_adds_up().await;
}

/// One place towards the collector, which holds what it has: what comes then has to wait.
fn narrow(collector: &Collector) -> Setup {
    Setup::to([collector])
        .set("OTLP_MAX_CONCURRENT_REQUESTS", "1")
        .set("OTLP_CONNECTION_POOL_SIZE", "1")
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_sent() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = narrow(&collector).start().await;
    let mut calls = JoinSet::new();
    let mut first = otlp.sender(Transport::Grpc).await;
    calls.spawn(async move { first.send(&payload(Signal::Traces, 1)).await });
    collector
        .until("the first is under way", |log| log.arrived.len() == 1)
        .await;
    // One sender goes, one has said how long it waits.
    let others = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let address = otlp.port_of(Transport::Http2);
    others.spawn(async move {
        let mut leaver = Sender::connect(address, Transport::Http2).await;
        leaver.try_send(&payload(Signal::Traces, 10)).await
    });
    let mut hurried = otlp.sender(Transport::Http2).await;
    let sent = payload(Signal::Traces, 100);
    let length = u32::try_from(sent.body.len()).unwrap().to_be_bytes();
    let request = Request::post(crate::support::grpc_path(Signal::Traces))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header("grpc-timeout", "1m")
        .body([&[0][..], &length, &sent.body].concat().into())
        .unwrap();
    let headers = within("the answer of the hurried", hurried.grpc_by_hand(request)).await;
    assert_eq!(headers["grpc-status"], "4", "deadline exceeded");
    otlp.until_ledger("two wait", |now| {
        now.items(Signal::Traces, "waiting") == 11.0
    })
    .await;
    // Its sockets are closed.
    others.shutdown_background();
    within("its end is seen", async {
        while otlp.ledger().await.sum("otlp_receiver_connections", &[]) > 2.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    collector.behave(Behaviour::Accept);
    let answers = within("the first answer", calls.join_all()).await;
    assert!(answers[0].accepted(), "{answers:?}");
    let ledger = otlp
        .until_ledger("none waits", |now| {
            now.items(Signal::Traces, "waiting") == 0.0
        })
        .await;
    assert_eq!(collector.accepted_ids(Signal::Traces).len(), 1);
    assert_eq!(ledger.items(Signal::Traces, "delivered"), 1.0);
    for (reason, items) in [("sender_gone", 10.0), ("deadline", 100.0)] {
        let refused = [("state", "refused"), ("reason", reason)];
        assert_eq!(ledger.sum("otlp_items_total", &refused), items, "{reason}");
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_cut_and_the_limit_is_remembered() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start().await;
        let otlp = narrow(&collector)
            .set("OTLP_PROTOCOL", protocol)
            .start()
            .await;
        let mut refused = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..3 {
            collector.behave(Behaviour::Hold);
            let before = collector.read(|log| (log.arrived.len(), log.accepted.len()));
            let mut calls = JoinSet::new();
            for number in 0..9 {
                let mut sender = otlp.sender(Transport::Grpc).await;
                let sent = payload_of_bytes(Signal::Logs, 1, 800);
                ids.extend(sent.ids.clone());
                calls.spawn(async move { sender.send(&sent).await });
                if number == 0 {
                    collector
                        .until("the first is under way", |log| log.arrived.len() > before.0)
                        .await;
                }
            }
            otlp.until_ledger("all wait", |now| now.items(Signal::Logs, "waiting") == 9.0)
                .await;
            collector.behave(Behaviour::TooLarge(2_500));
            let answers = within("every answer", calls.join_all()).await;
            assert!(
                answers.iter().all(crate::support::Answer::accepted),
                "{protocol}: {answers:?}"
            );
            refused.push(
                collector
                    .read(|log| (log.arrived.len() - before.0) - (log.accepted.len() - before.1)),
            );
        }
        assert!(refused[0] >= 1, "{protocol}: a batch was too large");
        assert_eq!(refused[1..], [0, 0], "{protocol}: none is again");
        let arrived = collector.accepted_ids(Signal::Logs);
        assert_eq!(arrived, crate::support::count_ids(ids), "{protocol}");
        otlp.assert_ledger_adds_up().await;
    }
}
