//! Compressed traffic: what goes on as it came, what is merged, and who is told what.

use std::collections::BTreeSet;

use bytes::Bytes;
use otlp::{encoding::Encoding, signal::Signal};
use tokio::task::JoinSet;

use crate::support::{
    Answer, Behaviour, Collector, Otlp, Payload, Sender, Setup, Transport, count_ids, ids_in, pack,
    payload, payload_of_bytes, within,
};

const PACKED: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

/// The header that names the compression of a request to a collector.
const ENCODING_HEADERS: [&str; 2] = ["grpc-encoding", "content-encoding"];

/// Every way to speak with a collector, as variables.
const EXPORTS: [(&str, &str); 3] = [
    ("grpc", "2"),
    ("http/protobuf", "1.1"),
    ("http/protobuf", "2"),
];

fn exporting(collector: &Collector, export: (&str, &str), encoding: Encoding) -> Setup {
    Setup::to([collector])
        .set("OTLP_PROTOCOL", export.0)
        .set("OTLP_HTTP_VERSION", export.1)
        .set("OTLP_COMPRESSION", encoding.name())
}

/// A sender of bodies that are packed already.
async fn sender(otlp: &Otlp, transport: Transport) -> Sender {
    match transport {
        Transport::Grpc => Sender::connect(otlp.address("grpc"), Transport::Http2).await,
        transport => otlp.sender(transport).await,
    }
}

/// Sends each body over a connection of its own, all at once; the answers in any order, each with
/// the first id of its payload.
async fn send_all(
    otlp: &Otlp,
    transport: Transport,
    encoding: Encoding,
    sent: &[Payload],
) -> JoinSet<(u64, Answer)> {
    let mut calls = JoinSet::new();
    for payload in sent {
        let mut sender = sender(otlp, transport).await;
        let (signal, id) = (payload.signal, payload.ids[0]);
        let wire = pack(encoding, &payload.body);
        calls.spawn(async move {
            let answer = sender.send_packed(transport, signal, encoding, &wire).await;
            (id, answer)
        });
    }
    calls
}

/// Waits until the first batch is held by the collector and the rest waits behind it.
async fn until_all_wait(otlp: &Otlp, collector: &Collector, signal: Signal, items: usize) {
    otlp.until_ledger("all wait", |now| {
        now.items(signal, "waiting") == f64::from(u32::try_from(items).unwrap())
    })
    .await;
    collector
        .until("a request arrives", |log| !log.arrived.is_empty())
        .await;
}

fn wires(collector: &Collector) -> BTreeSet<Bytes> {
    collector.read(|log| log.arrived.iter().map(|it| it.wire.clone()).collect())
}

fn encodings(collector: &Collector) -> BTreeSet<String> {
    collector.read(|log| {
        let name = |headers: &http::HeaderMap| {
            let header = ENCODING_HEADERS.iter().find_map(|name| headers.get(*name));
            let name = header.map_or("identity", |it| it.to_str().unwrap());
            name.to_owned()
        };
        log.arrived.iter().map(|it| name(&it.headers)).collect()
    })
}

#[tokio::test]
async fn what_comes_in_the_compression_that_is_sent_goes_on_byte_for_byte() {
    for encoding in PACKED {
        for export in EXPORTS {
            let collector = Collector::start().await;
            collector.behave(Behaviour::Hold);
            let otlp = exporting(&collector, export, encoding).start().await;
            let mut calls = Vec::new();
            let mut all: Vec<Payload> = Vec::new();
            for transport in Transport::ALL {
                let sent: Vec<_> = (0..12).map(|_| payload(Signal::Traces, 5)).collect();
                calls.push(send_all(&otlp, transport, encoding, &sent).await);
                all.extend(sent);
            }
            until_all_wait(&otlp, &collector, Signal::Traces, 12 * 3 * 5).await;
            collector.behave(Behaviour::Accept);
            for calls in calls {
                for (_, answer) in within("every answer", calls.join_all()).await {
                    assert!(answer.accepted(), "{encoding} {export:?}: {answer:?}");
                }
            }
            let expected: BTreeSet<_> = all.iter().map(|it| pack(encoding, &it.body)).collect();
            assert!(wires(&collector) == expected, "{encoding} {export:?}");
            assert_eq!(collector.read(|log| log.arrived.len()), all.len());
            assert_eq!(encodings(&collector), [encoding.name().to_owned()].into());
            let ledger = otlp.assert_ledger_adds_up().await;
            assert_eq!(ledger.items(Signal::Traces, "delivered"), 12.0 * 3.0 * 5.0);
        }
    }
}

#[tokio::test]
async fn every_signal_is_passed_on_and_a_large_body_too() {
    for encoding in PACKED {
        let collector = Collector::start().await;
        let otlp = exporting(&collector, EXPORTS[0], encoding).start().await;
        let mut sender = sender(&otlp, Transport::Http2).await;
        for signal in Signal::ALL {
            for padding in [0, 9 << 20] {
                let sent = payload_of_bytes(signal, 2, padding);
                let wire = pack(encoding, &sent.body);
                let answer = sender
                    .send_packed(Transport::Http2, signal, encoding, &wire)
                    .await;
                assert!(answer.accepted(), "{encoding} {signal}: {answer:?}");
                let last = collector.read(|log| log.accepted.last().unwrap().clone());
                assert!(
                    last.wire == wire && last.body == sent.body,
                    "{encoding} {signal}"
                );
            }
        }
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn plain_requests_are_merged_and_then_compressed() {
    for encoding in PACKED {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let otlp = exporting(&collector, EXPORTS[0], encoding).start().await;
        let sent: Vec<_> = (0..20).map(|_| payload(Signal::Logs, 3)).collect();
        let calls = send_all(&otlp, Transport::Grpc, Encoding::Identity, &sent).await;
        until_all_wait(&otlp, &collector, Signal::Logs, 60).await;
        collector.behave(Behaviour::Accept);
        for (_, answer) in within("every answer", calls.join_all()).await {
            assert!(answer.accepted(), "{answer:?}");
        }
        assert!(
            collector.read(|log| log.arrived.len()) < 20,
            "{encoding}: none was merged"
        );
        assert_eq!(encodings(&collector), [encoding.name().to_owned()].into());
        let ids = count_ids(sent.into_iter().flat_map(|it| it.ids));
        assert_eq!(collector.accepted_ids(Signal::Logs), ids);
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn what_comes_compressed_and_is_sent_plain_is_merged_plain() {
    for encoding in PACKED {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let otlp = Setup::to([&collector]).start().await;
        let sent: Vec<_> = (0..20).map(|_| payload(Signal::Metrics, 3)).collect();
        let calls = send_all(&otlp, Transport::Grpc, encoding, &sent).await;
        until_all_wait(&otlp, &collector, Signal::Metrics, 60).await;
        collector.behave(Behaviour::Accept);
        for (_, answer) in within("every answer", calls.join_all()).await {
            assert!(answer.accepted(), "{answer:?}");
        }
        assert!(
            collector.read(|log| log.arrived.len()) < 20,
            "{encoding}: none was merged"
        );
        assert_eq!(encodings(&collector), ["identity".to_owned()].into());
        let ids = count_ids(sent.into_iter().flat_map(|it| it.ids));
        assert_eq!(collector.accepted_ids(Signal::Metrics), ids);
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn encodings_may_be_mixed_on_one_connection() {
    for out in Encoding::ALL {
        let collector = Collector::start().await;
        let name = if out.is_packed() { out.name() } else { "none" };
        let otlp = Setup::to([&collector])
            .set("OTLP_COMPRESSION", name)
            .start()
            .await;
        for transport in Transport::ALL {
            let mut sender = sender(&otlp, transport).await;
            for encoding in Encoding::ALL.into_iter().cycle().take(9) {
                let sent = payload(Signal::Traces, 2);
                let wire = pack(encoding, &sent.body);
                let answer = sender
                    .send_packed(transport, sent.signal, encoding, &wire)
                    .await;
                assert!(answer.accepted(), "{transport:?} {encoding}: {answer:?}");
                let last = collector.read(|log| log.accepted.last().unwrap().clone());
                assert!(last.body == sent.body, "{transport:?} {encoding} to {out}");
                assert_eq!(last.wire == wire, encoding == out, "{encoding} to {out}");
            }
        }
        assert_eq!(encodings(&collector), [out.name().to_owned()].into());
        otlp.assert_ledger_adds_up().await;
    }
}

#[tokio::test]
async fn each_request_that_goes_on_as_it_came_has_its_own_outcome() {
    for encoding in PACKED {
        for export in EXPORTS {
            let collector = Collector::start().await;
            collector.behave(Behaviour::Hold);
            let otlp = exporting(&collector, export, encoding).start().await;
            let sent: Vec<_> = (0..40).map(|_| payload(Signal::Logs, 2)).collect();
            let poison = sent[17].ids[0];
            let calls = send_all(&otlp, Transport::Http1, encoding, &sent).await;
            until_all_wait(&otlp, &collector, Signal::Logs, 80).await;
            collector.behave(Behaviour::Poison(poison));
            for (id, answer) in within("every answer", calls.join_all()).await {
                if id == poison {
                    assert_eq!(answer.code, 400, "{export:?}: {answer:?}");
                } else {
                    assert!(answer.accepted(), "{export:?}: {answer:?}");
                }
            }
            let arrived = collector.read(|log| log.arrived.len());
            assert_eq!(arrived, 40, "{export:?}: nothing is sent twice");
            let ledger = otlp.assert_ledger_adds_up().await;
            assert_eq!(ledger.items(Signal::Logs, "rejected"), 2.0);
            assert_eq!(ledger.items(Signal::Logs, "delivered"), 78.0);
        }
    }
}

#[tokio::test]
async fn a_partial_success_of_a_request_that_goes_on_as_it_came_is_exact() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = exporting(&collector, EXPORTS[0], Encoding::Gzip)
        .start()
        .await;
    let sent: Vec<_> = (0..20).map(|_| payload(Signal::Logs, 5)).collect();
    let calls = send_all(&otlp, Transport::Http1, Encoding::Gzip, &sent).await;
    until_all_wait(&otlp, &collector, Signal::Logs, 100).await;
    collector.behave(Behaviour::Partial {
        rejected: 2,
        message: "two are too old",
    });
    for (_, answer) in within("every answer", calls.join_all()).await {
        assert!(answer.accepted(), "{answer:?}");
        assert_eq!(
            (answer.rejected, answer.message.as_str()),
            (2, "two are too old")
        );
    }
    let ledger = otlp.assert_ledger_adds_up().await;
    assert_eq!(ledger.items(Signal::Logs, "rejected"), 40.0);
    assert_eq!(ledger.items(Signal::Logs, "delivered"), 60.0);
}

#[tokio::test]
async fn to_a_collector_that_reads_every_member_compressed_requests_are_joined_and_cut_back() {
    for encoding in PACKED {
        let collector = Collector::start().await;
        collector.read_every_member();
        collector.behave(Behaviour::Hold);
        let otlp = exporting(&collector, EXPORTS[0], encoding)
            .set(
                "OTLP_MERGE_COMPRESSED",
                &format!("http://{}", collector.address),
            )
            .start()
            .await;
        let sent: Vec<_> = (0..30).map(|_| payload(Signal::Logs, 2)).collect();
        let poison = sent[11].ids[0];
        let calls = send_all(&otlp, Transport::Http1, encoding, &sent).await;
        until_all_wait(&otlp, &collector, Signal::Logs, 60).await;
        collector.behave(Behaviour::Poison(poison));
        for (id, answer) in within("every answer", calls.join_all()).await {
            if id == poison {
                assert_eq!(answer.code, 400, "{encoding}: {answer:?}");
            } else {
                assert!(answer.accepted(), "{encoding}: {answer:?}");
            }
        }
        let joined = collector.read(|log| {
            let ids = |body: &Bytes| ids_in(Signal::Logs, body);
            log.arrived
                .iter()
                .any(|it| ids(&it.body).contains(&poison) && ids(&it.body).len() > 2)
        });
        assert!(
            joined,
            "{encoding}: the poison was joined with others before it was cut out"
        );
        let good = sent.iter().filter(|it| it.ids[0] != poison);
        let good = count_ids(good.flat_map(|it| it.ids.clone()));
        assert_eq!(collector.accepted_ids(Signal::Logs), good, "{encoding}");
        let ledger = otlp.assert_ledger_adds_up().await;
        assert_eq!(ledger.items(Signal::Logs, "rejected"), 2.0);
    }
}

#[tokio::test]
async fn several_members_in_one_body_reach_a_collector_that_reads_the_first_alone() {
    for encoding in PACKED {
        for listed in [false, true] {
            let collector = Collector::start().await;
            let mut setup = exporting(&collector, EXPORTS[0], encoding);
            if listed {
                collector.read_every_member();
                let url = format!("http://{}", collector.address);
                setup = setup.set("OTLP_MERGE_COMPRESSED", &url);
            }
            let otlp = setup.start().await;
            let parts = [payload(Signal::Traces, 2), payload(Signal::Traces, 3)];
            let wire: Bytes = parts
                .each_ref()
                .map(|it| pack(encoding, &it.body))
                .concat()
                .into();
            let mut sender = sender(&otlp, Transport::Http1).await;
            let answer = sender
                .send_packed(Transport::Http1, Signal::Traces, encoding, &wire)
                .await;
            assert!(answer.accepted(), "{encoding}: {answer:?}");
            let ids = count_ids(parts.into_iter().flat_map(|it| it.ids));
            assert_eq!(
                collector.accepted_ids(Signal::Traces),
                ids,
                "{encoding} {listed}"
            );
            assert_eq!(wires(&collector).contains(&wire), listed, "{encoding}");
            otlp.assert_ledger_adds_up().await;
        }
    }
}

#[tokio::test]
async fn what_goes_on_as_it_came_holds_memory_for_its_compressed_bytes_alone() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = exporting(&collector, EXPORTS[0], Encoding::Gzip)
        .set("OTLP_MEMORY_LIMIT", "8MiB")
        .set("OTLP_LIMITS_REQUEST_BYTES", "4MiB")
        .start()
        .await;
    // Unpacked these are four times what the process may hold.
    let sent: Vec<_> = (0..32)
        .map(|_| payload_of_bytes(Signal::Logs, 1, 1 << 20))
        .collect();
    let calls = send_all(&otlp, Transport::Http1, Encoding::Gzip, &sent).await;
    until_all_wait(&otlp, &collector, Signal::Logs, 32).await;
    collector.behave(Behaviour::Accept);
    for (_, answer) in within("every answer", calls.join_all()).await {
        assert!(answer.accepted(), "{answer:?}");
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_body_that_does_not_unpack_is_refused_and_none_of_it_is_sent() {
    let collector = Collector::start().await;
    for encoding in PACKED {
        let otlp = exporting(&collector, EXPORTS[0], encoding)
            .set("OTLP_LIMITS_REQUEST_BYTES", "1MiB")
            .start()
            .await;
        let good = pack(encoding, &payload(Signal::Traces, 1).body);
        let garbage: Bytes = [&good[..], b"garbage"].concat().into();
        let bomb = pack(encoding, &vec![0; 8 << 20]);
        let not_otlp = pack(encoding, b"\x0a\x7f");
        let other = PACKED[usize::from(encoding == Encoding::Gzip)];
        let of_the_other = pack(other, &payload(Signal::Traces, 1).body);
        for transport in Transport::ALL {
            let mut sender = sender(&otlp, transport).await;
            for (bad, codes) in [
                (good.slice(..good.len() - 1), [3, 400]),
                (garbage.clone(), [3, 400]),
                (not_otlp.clone(), [3, 400]),
                (of_the_other.clone(), [3, 400]),
                (bomb.clone(), [8, 413]),
            ] {
                let answer = sender
                    .send_packed(transport, Signal::Traces, encoding, &bad)
                    .await;
                let code = codes[usize::from(transport != Transport::Grpc)];
                assert_eq!(answer.code, code, "{transport:?} {encoding}: {answer:?}");
                assert!(!answer.headers.contains_key("retry-after"));
            }
            let empty = pack(encoding, b"");
            let answer = sender
                .send_packed(transport, Signal::Traces, encoding, &empty)
                .await;
            assert!(answer.accepted(), "{transport:?} {encoding}: {answer:?}");
        }
        otlp.assert_ledger_adds_up().await;
    }
    assert!(collector.read(|log| log.arrived.is_empty()));
}

#[tokio::test]
async fn a_zstd_window_over_the_bound_is_refused_with_the_bound() {
    use std::io::Write;
    let collector = Collector::start().await;
    let otlp = exporting(&collector, EXPORTS[0], Encoding::Zstd)
        .start()
        .await;
    for (window_log, accepted) in [(23, true), (24, false)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(&payload(Signal::Logs, 1).body).unwrap();
        // The length is not known when the frame begins, so its window counts.
        encoder.flush().unwrap();
        let wire = encoder.finish().unwrap().into();
        let answer = sender(&otlp, Transport::Http1)
            .await
            .send_packed(Transport::Http1, Signal::Logs, Encoding::Zstd, &wire)
            .await;
        assert_eq!(answer.accepted(), accepted, "{window_log}: {answer:?}");
        assert!(accepted || answer.message.contains("23"), "{answer:?}");
        assert!(accepted || answer.code == 413, "{answer:?}");
    }
    otlp.assert_ledger_adds_up().await;
}
