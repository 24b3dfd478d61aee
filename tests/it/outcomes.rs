//! A sender is told what became of its request, no sooner and nothing else.

use std::time::Duration;

use otlp::signal::Signal;
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{Answer, Behaviour, Collector, Setup, Transport, count_ids, payload, within};

/// Whether a client may repeat after this gRPC code, by the specification's table.
fn may_repeat(code: u16, with_delay: bool) -> bool {
    matches!(code, 1 | 4 | 10 | 11 | 14 | 15) || (code == 8 && with_delay)
}

/// A refusal whose code, delay and retryability agree with each other and with what is expected.
fn assert_refused(answer: &Answer, transport: Transport, retryable: bool, what: &str) {
    assert!(
        !answer.accepted(),
        "{what}: {transport:?} was told OK: {answer:?}"
    );
    let says_retryable = match transport {
        Transport::Grpc => may_repeat(answer.code, answer.delay.is_some()),
        Transport::Http1 | Transport::Http2 => matches!(answer.code, 429 | 502 | 503 | 504),
    };
    assert_eq!(
        says_retryable, retryable,
        "{what}: {transport:?}: {answer:?}"
    );
    assert_eq!(
        answer.delay.is_some(),
        retryable,
        "{what}: {transport:?}: {answer:?}"
    );
    assert!(
        !answer.message.is_empty(),
        "{what}: {transport:?}: {answer:?}"
    );
}

/// One attempt for each request, however many have failed before it.
fn once_and_always(setup: Setup) -> Setup {
    setup
        .set("OTLP_RETRY_MAX_ATTEMPTS", "1")
        .set("OTLP_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1000")
}

#[tokio::test]
async fn delivered_means_that_no_ok_comes_before_the_collector_s() {
    for transport in Transport::ALL {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let otlp = Setup::to([&collector]).start().await;
        let mut sender = otlp.sender(transport).await;
        let call = tokio::spawn(async move { sender.send(&payload(Signal::Traces, 1)).await });
        collector
            .until("the request arrives", |log| log.arrived.len() == 1)
            .await;
        // A full exchange with the forwarder beside the call: time enough for a hasty OK.
        let ledger = otlp.ledger().await;
        ledger.assert_balanced();
        assert_eq!(ledger.items(Signal::Traces, "waiting"), 1.0);
        assert!(
            !call.is_finished(),
            "{transport:?}: answered before the collector did"
        );
        collector.behave(Behaviour::Accept);
        assert!(within("the answer", call).await.unwrap().accepted());
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn queued_means_ok_although_the_collector_hangs() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector])
        .set("OTLP_ACKNOWLEDGE", "queued")
        .start()
        .await;
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        let answer = within("an answer", sender.send(&payload(Signal::Logs, 1))).await;
        assert!(answer.accepted(), "{transport:?}: {answer:?}");
    }
    let ledger = otlp.ledger().await;
    ledger.assert_balanced();
    assert_eq!(ledger.items(Signal::Logs, "waiting"), 3.0);
    collector.behave(Behaviour::Accept);
    let nothing_waits =
        |ledger: &crate::support::Ledger| ledger.items(Signal::Logs, "waiting") == 0.0;
    otlp.until_ledger("all is delivered", nothing_waits)
        .await
        .assert_adds_up();
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 3);
}

#[tokio::test]
async fn every_code_of_a_collector_keeps_its_retryability() {
    let collector = Collector::start().await;
    let otlp = once_and_always(Setup::to([&collector])).start().await;
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        for number in 1..=16_u16 {
            for delay in [None, Some(Duration::from_millis(1500))] {
                collector.behave(Behaviour::Refuse {
                    code: Code::from(i32::from(number)),
                    delay,
                });
                let answer = sender.send(&payload(Signal::Traces, 2)).await;
                let retryable = may_repeat(number, delay.is_some());
                assert_refused(
                    &answer,
                    transport,
                    retryable,
                    &format!("{number} {delay:?}"),
                );
                if let (true, Some(least)) = (retryable, delay) {
                    assert!(answer.delay.unwrap() >= least, "{number}: {answer:?}");
                }
            }
        }
    }
    let ledger = otlp.assert_ledger_adds_up().await;
    assert_eq!(ledger.items(Signal::Traces, "delivered"), 0.0);
    assert_eq!(
        ledger.items(Signal::Traces, "received"),
        3.0 * 16.0 * 2.0 * 2.0
    );
}

#[tokio::test]
async fn every_http_status_of_a_collector_keeps_its_retryability() {
    for version in ["1.1", "2"] {
        let collector = Collector::start().await;
        let setup = Setup::to([&collector]).set("OTLP_PROTOCOL", "http/protobuf");
        let setup = once_and_always(setup.set("OTLP_HTTP_VERSION", version));
        let otlp = setup.start().await;
        for transport in Transport::ALL {
            let mut sender = otlp.sender(transport).await;
            for status in [
                400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 501, 502, 503, 504,
            ] {
                for retry_after in [None, Some("7")] {
                    collector.behave(Behaviour::RefuseHttp {
                        status,
                        retry_after,
                    });
                    let answer = sender.send(&payload(Signal::Metrics, 1)).await;
                    let retryable = matches!(status, 429 | 502 | 503 | 504);
                    assert_refused(&answer, transport, retryable, &format!("{status}"));
                    if retryable && retry_after.is_some() {
                        assert!(
                            answer.delay.unwrap() >= Duration::from_secs(7),
                            "{answer:?}"
                        );
                    }
                }
            }
        }
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn the_poison_of_a_merged_batch_is_refused_to_its_own_sender_alone() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let setup = Setup::to([&collector]).set("OTLP_PROTOCOL", protocol);
        let otlp = setup.start().await;
        let sender = otlp.sender(Transport::Grpc).await;
        let sent: Vec<_> = (0..60).map(|_| payload(Signal::Logs, 2)).collect();
        let poison = sent[30].ids[0];
        let mut calls = JoinSet::new();
        for payload in sent.clone() {
            let mut sender = sender.share();
            calls.spawn(async move { (payload.ids[0], sender.send(&payload).await) });
        }
        otlp.until_ledger("all wait", |now| {
            now.items(Signal::Logs, "waiting") == 120.0
        })
        .await;
        collector
            .until("a batch arrives", |log| !log.arrived.is_empty())
            .await;
        collector.behave(Behaviour::Poison(poison));
        for (id, answer) in within("every answer", calls.join_all()).await {
            if id == poison {
                assert_refused(&answer, Transport::Grpc, false, "the poison");
                assert_eq!(answer.code, 3, "{answer:?}");
            } else {
                assert!(answer.accepted(), "{protocol}: a good request: {answer:?}");
            }
        }
        let merged = collector.read(|log| {
            log.arrived.iter().any(|batch| {
                let ids = crate::support::ids_in(Signal::Logs, &batch.body);
                ids.contains(&poison) && ids.len() > 2
            })
        });
        assert!(
            merged,
            "{protocol}: the poison was merged with others before it was cut out"
        );
        let good = sent.iter().filter(|payload| payload.ids[0] != poison);
        let good = count_ids(good.flat_map(|payload| payload.ids.clone()));
        assert_eq!(
            collector.accepted_ids(Signal::Logs),
            good,
            "each good item arrives once"
        );
        let ledger = otlp.assert_ledger_adds_up().await;
        assert_eq!(ledger.items(Signal::Logs, "rejected"), 2.0);
    }
}

#[tokio::test]
async fn r6_a_partial_success_is_handed_through() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Partial {
            rejected: 2,
            message: "two are too old",
        });
        let otlp = Setup::to([&collector])
            .set("OTLP_PROTOCOL", protocol)
            .start()
            .await;
        for transport in Transport::ALL {
            for signal in Signal::ALL {
                let answer = otlp.sender(transport).await.send(&payload(signal, 5)).await;
                assert!(answer.accepted(), "{transport:?} {signal}: {answer:?}");
                let told = (answer.rejected, answer.message.as_str());
                assert_eq!(told, (2, "two are too old"), "{transport:?} {signal}");
                let sent_once = collector.read(|log| log.arrived.len() == log.accepted.len());
                assert!(sent_once, "a partial success is never sent again");
            }
        }
        let ledger = otlp.assert_ledger_adds_up().await;
        assert_eq!(ledger.items(Signal::Logs, "rejected"), 6.0);
        assert_eq!(ledger.items(Signal::Logs, "delivered"), 9.0);
    }
}

#[tokio::test]
async fn r7_a_warning_is_handed_through() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Partial {
        rejected: 0,
        message: "an old field is used",
    });
    let otlp = Setup::to([&collector]).start().await;
    for transport in Transport::ALL {
        let answer = otlp
            .sender(transport)
            .await
            .send(&payload(Signal::Traces, 1))
            .await;
        assert!(
            answer.accepted() && answer.rejected == 0,
            "{transport:?}: {answer:?}"
        );
        assert_eq!(answer.message, "an old field is used", "{transport:?}");
    }
    let ledger = otlp.assert_ledger_adds_up().await;
    assert_eq!(ledger.items(Signal::Traces, "delivered"), 3.0);
}

#[tokio::test]
async fn a_collector_that_does_not_answer_in_time_is_worth_another_try() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    for protocol in ["grpc", "http/protobuf"] {
        let setup = Setup::to([&collector]).set("OTLP_PROTOCOL", protocol);
        let otlp = setup.set("OTLP_TIMEOUT", "300ms").start().await;
        for transport in Transport::ALL {
            let mut sender = otlp.sender(transport).await;
            let answer = within("a timeout", sender.send(&payload(Signal::Logs, 1))).await;
            assert_refused(&answer, transport, true, protocol);
        }
        let ledger = otlp.assert_ledger_adds_up().await;
        assert_eq!(ledger.items(Signal::Logs, "refused"), 3.0);
    }
}

#[tokio::test]
async fn a_collector_that_is_down_is_worth_another_try_and_is_found_again() {
    for protocol in ["grpc", "http/protobuf"] {
        let address = Collector::start().await.stop().await;
        let setup = Setup::to_addresses([address]).set("OTLP_PROTOCOL", protocol);
        let otlp = setup.start().await;
        for transport in Transport::ALL {
            let answer = otlp
                .sender(transport)
                .await
                .send(&payload(Signal::Logs, 1))
                .await;
            assert_refused(&answer, transport, true, protocol);
        }
        let collector = Collector::start_at(address).await;
        let sent = payload(Signal::Logs, 1);
        let mut sender = otlp.sender(Transport::Grpc).await;
        within("the collector is found again", async {
            while !sender.send(&sent).await.accepted() {}
        })
        .await;
        assert_eq!(collector.accepted_ids(Signal::Logs), count_ids(sent.ids));
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn a_collector_that_breaks_off_is_worth_another_try() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let otlp = Setup::to([&collector])
            .set("OTLP_PROTOCOL", protocol)
            .start()
            .await;
        let mut calls = JoinSet::new();
        for transport in Transport::ALL {
            let mut sender = otlp.sender(transport).await;
            calls.spawn(async move { (transport, sender.send(&payload(Signal::Logs, 1)).await) });
        }
        otlp.until_ledger("all wait", |now| now.items(Signal::Logs, "waiting") == 3.0)
            .await;
        collector
            .until("a batch arrives", |log| !log.arrived.is_empty())
            .await;
        collector.stop().await;
        for (transport, answer) in within("every answer", calls.join_all()).await {
            assert_refused(&answer, transport, true, protocol);
        }
        otlp.assert_ledger_adds_up().await;
    }
}
