//! Bounds that a peer meets: slow bodies, idle connections, what is validated, several shards.

use std::io::Read;

use bytes::Bytes;
use otlp::signal::Signal;
use tokio::task::JoinSet;

use crate::support::{
    Behaviour, Collector, Payload, Setup, Transport, count_ids, ids_in, payload, raw, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_in_time_is_refused() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_LIMITS_REQUEST_TIMEOUT", "200ms")
        .start()
        .await;
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(
        &mut stream,
        b"POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
          Content-Length: 1000\r\n\r\nhalf",
    );
    let head = raw::read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(collector.read(|log| log.arrived.is_empty()));
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_a_call_is_closed_after_the_idle_timeout() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_LIMITS_IDLE_TIMEOUT", "1s")
        .start()
        .await;
    let mut silent = raw::connect(otlp.address("http"));
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "closed without a word: {rest:?}");
    let mut speaking = raw::connect(otlp.address("grpc"));
    raw::write(
        &mut speaking,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    );
    speaking.read_to_end(&mut rest).unwrap();
    assert!(
        !rest.is_empty(),
        "the receiver's settings came before the end"
    );
}

#[tokio::test]
async fn full_validation_refuses_what_the_walk_to_the_items_lets_pass() {
    // A span with a name that is no UTF-8: request > resource_spans > scope_spans > span > name.
    let body = Bytes::from_static(b"\x0A\x07\x12\x05\x12\x03\x2A\x01\xFF");
    let bad = Payload {
        signal: Signal::Traces,
        ids: Vec::new(),
        body,
    };
    for (validate, accepted) in [("items", true), ("full", false)] {
        let collector = Collector::start().await;
        let otlp = Setup::to([&collector])
            .set("OTLP_VALIDATE", validate)
            .start()
            .await;
        let answer = otlp.sender(Transport::Grpc).await.send(&bad).await;
        assert_eq!(answer.accepted(), accepted, "{validate}: {answer:?}");
        assert!(accepted || answer.code == 3, "{validate}: {answer:?}");
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn a_sender_that_leaves_before_its_answer_leaves_a_ledger_that_adds_up() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector]).start().await;
    let mut calls = JoinSet::new();
    let mut ids = Vec::new();
    for transport in Transport::ALL {
        let sent = payload(Signal::Metrics, 4);
        ids.extend(sent.ids.clone());
        let mut sender = otlp.sender(transport).await;
        calls.spawn(async move { drop(sender.try_send(&sent).await) });
    }
    otlp.until_ledger("all wait", |now| {
        now.items(Signal::Metrics, "waiting") == 12.0
    })
    .await;
    // What is under way goes on without its sender.
    collector
        .until("all is under way", |log| {
            let arrived = log.arrived.iter();
            let ids = arrived.map(|it| ids_in(it.signal, &it.body).len());
            ids.sum::<usize>() == 12
        })
        .await;
    calls.shutdown().await;
    collector.behave(Behaviour::Accept);
    let settled = otlp
        .until_ledger("nothing waits", |now| {
            now.items(Signal::Metrics, "waiting") == 0.0
        })
        .await;
    assert_eq!(settled.items(Signal::Metrics, "delivered"), 12.0);
    assert_eq!(collector.accepted_ids(Signal::Metrics), count_ids(ids));
}

#[tokio::test]
async fn two_shards_keep_one_ledger() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_WORKER_THREADS", "2")
        .start()
        .await;
    let mut calls = JoinSet::new();
    for number in 0..60 {
        let transport = Transport::ALL[number % Transport::ALL.len()];
        let mut sender = otlp.sender(transport).await;
        calls.spawn(async move { sender.send(&payload(Signal::Logs, 2)).await });
    }
    let answers = within("every answer", calls.join_all()).await;
    assert!(
        answers.iter().all(|answer| answer.accepted()),
        "{answers:?}"
    );
    let ledger = otlp.assert_ledger_adds_up().await;
    assert_eq!(ledger.items(Signal::Logs, "delivered"), 120.0);
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 120);
}

#[tokio::test]
async fn a_long_queue_that_became_too_late_is_accounted_for_and_harms_nothing() {
    const REQUESTS: usize = 3_000;
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let setup = Setup::to([&collector])
        .set("OTLP_ACKNOWLEDGE", "queued")
        .set("OTLP_TIMEOUT", "1s")
        .set("OTLP_RETRY_MAX_ELAPSED", "2s");
    let setup = setup
        .set("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "1s")
        .set("OTLP_BATCH_SIZE", "1")
        .set("OTLP_MAX_CONCURRENT_REQUESTS", "1");
    let otlp = setup.start().await;
    let sender = otlp.sender(Transport::Grpc).await;
    let mut calls = JoinSet::new();
    for _ in 0..REQUESTS {
        let mut sender = sender.share();
        calls.spawn(async move { sender.send(&payload(Signal::Logs, 1)).await });
    }
    let answers = within("every answer", calls.join_all()).await;
    assert!(
        answers.iter().all(|answer| answer.accepted()),
        "queued is taken at once"
    );
    let settled = otlp
        .until_ledger("nothing waits", |now| {
            now.items(Signal::Logs, "waiting") == 0.0
        })
        .await;
    assert_eq!(settled.items(Signal::Logs, "received"), 3_000.0);
    assert_eq!(
        settled.items(Signal::Logs, "dropped"),
        3_000.0,
        "what was acknowledged is named"
    );
    collector.behave(Behaviour::Accept);
    assert!(
        sender
            .share()
            .send(&payload(Signal::Logs, 1))
            .await
            .accepted()
    );
    otlp.until_ledger("it is delivered", |now| {
        now.items(Signal::Logs, "delivered") == 1.0
    })
    .await;
}
