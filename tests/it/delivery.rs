//! What goes in comes out: every item once, every request's bytes unchanged.

use bytes::Bytes;
use http::Version;
use otlp::signal::Signal;

use crate::support::{
    Collector, Payload, Setup, Transport, count_ids, payload, payload_of_bytes, within,
};

/// Sends three requests of every signal through every transport, all at once.
async fn send_everything(setup: Setup, collector: &Collector) {
    let otlp = setup.start().await;
    let mut calls = tokio::task::JoinSet::new();
    let mut sent = Vec::new();
    for transport in Transport::ALL {
        for signal in Signal::ALL {
            for items in [1, 5, 100] {
                let payload = payload(signal, items);
                sent.push(payload.clone());
                let mut sender = otlp.sender(transport).await;
                calls.spawn(async move {
                    let answer = sender.send(&payload).await;
                    assert!(
                        answer.accepted() && !answer.partial,
                        "{transport:?}: {answer:?}"
                    );
                });
            }
        }
    }
    within("every answer", calls.join_all()).await;
    assert_arrived_unchanged(collector, &sent);
    let ledger = otlp.assert_ledger_adds_up().await;
    for signal in Signal::ALL {
        let items = (1.0 + 5.0 + 100.0) * 3.0;
        assert_eq!(ledger.items(signal, "received"), items, "{signal}");
        assert_eq!(ledger.items(signal, "delivered"), items, "{signal}");
    }
}

fn assert_arrived_unchanged(collector: &Collector, sent: &[Payload]) {
    for signal in Signal::ALL {
        let of_signal: Vec<_> = sent
            .iter()
            .filter(|payload| payload.signal == signal)
            .collect();
        let ids = count_ids(of_signal.iter().flat_map(|payload| payload.ids.clone()));
        assert_eq!(
            collector.accepted_ids(signal),
            ids,
            "{signal}: each item arrives once"
        );
        let arrived: Vec<Bytes> = collector.read(|log| {
            let of_signal = log
                .accepted
                .iter()
                .filter(|received| received.signal == signal);
            of_signal.map(|received| received.body.clone()).collect()
        });
        for payload in &of_signal {
            let holders = arrived
                .iter()
                .filter(|batch| contains(batch, &payload.body))
                .count();
            assert_eq!(
                holders, 1,
                "{signal}: a request's bytes lie unchanged in one batch"
            );
        }
        let bytes_in: usize = of_signal.iter().map(|payload| payload.body.len()).sum();
        let bytes_out: usize = arrived.iter().map(Bytes::len).sum();
        assert_eq!(
            bytes_in, bytes_out,
            "{signal}: a batch is its requests and nothing else"
        );
        if signal == Signal::Profiles {
            assert_eq!(arrived.len(), of_signal.len(), "profiles are never merged");
        }
    }
}

fn contains(batch: &[u8], request: &[u8]) -> bool {
    batch.windows(request.len()).any(|window| window == request)
}

#[tokio::test]
async fn every_item_arrives_once_and_unchanged_over_grpc() {
    let collector = Collector::start().await;
    send_everything(Setup::to([&collector]), &collector).await;
}

#[tokio::test]
async fn every_item_arrives_once_and_unchanged_over_http_1() {
    let collector = Collector::start().await;
    let setup = Setup::to([&collector]).set("OTLP_PROTOCOL", "http/protobuf");
    send_everything(setup.set("OTLP_HTTP_VERSION", "1.1"), &collector).await;
    let versions =
        collector.read(|log| log.arrived.iter().all(|it| it.version == Version::HTTP_11));
    assert!(versions, "HTTP/1.1 was asked for");
}

#[tokio::test]
async fn every_item_arrives_once_and_unchanged_over_http_2() {
    let collector = Collector::start().await;
    let setup = Setup::to([&collector]).set("OTLP_PROTOCOL", "http/protobuf");
    send_everything(setup.set("OTLP_HTTP_VERSION", "2"), &collector).await;
    let versions = collector.read(|log| log.arrived.iter().all(|it| it.version == Version::HTTP_2));
    assert!(versions, "HTTP/2 was asked for");
}

#[tokio::test]
async fn full_validation_forwards_the_same_bytes() {
    let collector = Collector::start().await;
    send_everything(
        Setup::to([&collector]).set("OTLP_VALIDATE", "full"),
        &collector,
    )
    .await;
}

#[tokio::test]
async fn every_data_port_speaks_every_transport() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    for listener in ["grpc", "http"] {
        for transport in Transport::ALL {
            let address = otlp.address(listener);
            let mut sender = crate::support::Sender::connect(address, transport).await;
            assert!(
                sender.send(&payload(Signal::Traces, 1)).await.accepted(),
                "{listener}"
            );
        }
    }
}

#[tokio::test]
async fn e2_what_is_sent_in_gzip_says_so_and_holds_the_same_bytes() {
    for (protocol, encoding) in [
        ("grpc", "grpc-encoding"),
        ("http/protobuf", "content-encoding"),
    ] {
        let collector = Collector::start().await;
        let setup = Setup::to([&collector]).set("OTLP_PROTOCOL", protocol);
        let otlp = setup.set("OTLP_COMPRESSION", "gzip").start().await;
        let sent = payload_of_bytes(Signal::Logs, 10, 10_000);
        assert!(
            otlp.sender(Transport::Grpc)
                .await
                .send(&sent)
                .await
                .accepted()
        );
        let received = collector.read(|log| log.accepted[0].clone());
        assert_eq!(received.headers[encoding], "gzip", "{protocol}");
        assert!(
            received.body == sent.body,
            "{protocol}: other bytes came out"
        );
    }
}

#[tokio::test]
async fn a_request_of_many_megabytes_arrives_whole_over_every_transport() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    for transport in Transport::ALL {
        let sent = payload_of_bytes(Signal::Traces, 3, 8 << 20);
        let answer = otlp.sender(transport).await.send(&sent).await;
        assert!(answer.accepted(), "{transport:?}: {answer:?}");
        let last = collector.read(|log| log.accepted.last().unwrap().body.clone());
        assert!(
            last == sent.body,
            "{transport:?}: {} of {}",
            last.len(),
            sent.body.len()
        );
    }
}

#[tokio::test]
async fn several_collectors_are_all_used() {
    let collectors = [
        Collector::start().await,
        Collector::start().await,
        Collector::start().await,
    ];
    let setup = Setup::to(&collectors).set("OTLP_BATCH_SIZE", "1");
    let otlp = setup.start().await;
    let mut sender = otlp.sender(Transport::Grpc).await;
    let mut ids = Vec::new();
    for _ in 0..60 {
        let sent = payload(Signal::Logs, 1);
        assert!(sender.send(&sent).await.accepted());
        ids.extend(sent.ids);
    }
    let shares = collectors
        .each_ref()
        .map(|collector| collector.accepted_ids(Signal::Logs));
    assert!(
        shares.iter().all(|share| !share.is_empty()),
        "{:?}",
        shares.each_ref().map(|s| s.len())
    );
    let all = count_ids(shares.into_iter().flat_map(|share| share.into_keys()));
    assert_eq!(all, count_ids(ids), "each item went to one collector");
}

#[tokio::test]
async fn a_signal_with_a_collector_of_its_own_goes_there_alone() {
    let (common, own) = (Collector::start().await, Collector::start().await);
    let endpoint = format!("http://{}", own.address);
    let setup = Setup::to([&common]).set("OTLP_LOGS_ENDPOINT", &endpoint);
    let otlp = setup.start().await;
    let mut sender = otlp.sender(Transport::Grpc).await;
    for signal in Signal::ALL {
        assert!(
            sender.send(&payload(signal, 2)).await.accepted(),
            "{signal}"
        );
    }
    assert_eq!(own.accepted_ids(Signal::Logs).len(), 2);
    assert!(common.accepted_ids(Signal::Logs).is_empty());
    assert_eq!(common.accepted_ids(Signal::Traces).len(), 2);
}
