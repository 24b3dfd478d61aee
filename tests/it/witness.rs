//! The witnesses themselves: senders speak to the collector with nothing in between.

use std::time::Duration;

use otlp::signal::Signal;
use tonic::Code;

use crate::support::{Behaviour, Collector, Sender, Transport, count_ids, payload, within};

#[tokio::test]
async fn the_collector_keeps_every_byte_of_every_transport() {
    let collector = Collector::start().await;
    for transport in Transport::ALL {
        for signal in Signal::ALL {
            let sent = payload(signal, 3);
            let answer = Sender::connect(collector.address, transport)
                .await
                .send(&sent)
                .await;
            assert!(
                answer.accepted() && !answer.partial,
                "{transport:?} {signal}: {answer:?}"
            );
            let last = collector.read(|log| log.accepted.last().unwrap().clone());
            assert_eq!(
                (last.signal, last.body),
                (signal, sent.body),
                "{transport:?}"
            );
        }
    }
    assert!(
        collector
            .accepted_ids(Signal::Logs)
            .values()
            .all(|count| *count == 1)
    );
}

#[tokio::test]
async fn the_collector_says_every_code_with_and_without_a_delay() {
    let collector = Collector::start().await;
    let mut sender = Sender::connect(collector.address, Transport::Grpc).await;
    let sent = payload(Signal::Traces, 1);
    for number in 1..=16_u16 {
        for delay in [None, Some(Duration::from_millis(1500))] {
            collector.behave(Behaviour::Refuse {
                code: Code::from(i32::from(number)),
                delay,
            });
            let answer = sender.send(&sent).await;
            assert_eq!((answer.code, answer.delay), (number, delay));
        }
    }
    collector.behave(Behaviour::RefuseHttp {
        status: 429,
        retry_after: Some("7"),
    });
    let mut sender = Sender::connect(collector.address, Transport::Http1).await;
    let answer = sender.send(&sent).await;
    assert_eq!(
        (answer.code, answer.delay),
        (429, Some(Duration::from_secs(7)))
    );
    assert!(collector.accepted_ids(Signal::Traces).is_empty());
}

#[tokio::test]
async fn a_held_request_is_answered_when_the_collector_is_let_go() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let sent = payload(Signal::Metrics, 2);
    let mut sender = Sender::connect(collector.address, Transport::Grpc).await;
    let ids = count_ids(sent.ids.clone());
    let call = tokio::spawn(async move { sender.send(&sent).await });
    collector
        .until("the request arrives", |log| log.arrived.len() == 1)
        .await;
    assert!(!call.is_finished() && collector.accepted_ids(Signal::Metrics).is_empty());
    collector.behave(Behaviour::Partial {
        rejected: 1,
        message: "one too many",
    });
    let answer = within("the answer", call).await.unwrap();
    assert_eq!((answer.code, answer.rejected), (0, 1));
    assert_eq!(collector.accepted_ids(Signal::Metrics), ids);
}

#[tokio::test]
async fn only_a_request_with_the_poison_is_refused_as_bad() {
    let collector = Collector::start().await;
    let (good, bad) = (payload(Signal::Logs, 2), payload(Signal::Logs, 2));
    collector.behave(Behaviour::Poison(bad.ids[1]));
    for (transport, code) in [(Transport::Grpc, 3), (Transport::Http2, 400)] {
        let mut sender = Sender::connect(collector.address, transport).await;
        assert!(sender.send(&good).await.accepted());
        assert_eq!(sender.send(&bad).await.code, code);
    }
}

#[tokio::test]
async fn a_stopped_collector_takes_no_connection_and_a_restarted_one_does() {
    let address = Collector::start().await.stop().await;
    assert!(Sender::try_connect(address, Transport::Grpc).await.is_err());
    let collector = Collector::start_at(address).await;
    let mut sender = Sender::connect(address, Transport::Grpc).await.gzip();
    let sent = payload(Signal::Traces, 1);
    assert!(sender.send(&sent).await.accepted());
    assert_eq!(
        collector.read(|log| log.accepted[0].body.clone()),
        sent.body
    );
}
