//! Headers of senders that go on with their requests: each tenant's data under its own name.

use std::collections::BTreeMap;

use otlp::signal::Signal;
use tempfile::TempDir;

use crate::support::{
    Behaviour, Collector, Otlp, Payload, Received, Segment, Sender, Setup, Transport, count_ids,
    ids_in, payload, within,
};

const HEADER: &str = "x-scope-orgid";

/// Forwards the header of a tenant.
fn forwarding(setup: Setup) -> Setup {
    setup.set("OTLP_FORWARD_HEADERS", "X-Scope-OrgID")
}

/// A sender of a tenant; without a name one that names none.
async fn sender_of(otlp: &Otlp, transport: Transport, tenant: Option<&str>) -> Sender {
    let sender = otlp.sender(transport).await;
    match tenant {
        Some(tenant) => sender.header("X-Scope-OrgID", tenant),
        None => sender,
    }
}

/// Every value of a header of a request, in their order.
fn values(received: &Received, name: &str) -> Vec<String> {
    let values = received.headers.get_all(name).iter();
    values.map(|it| it.to_str().unwrap().to_owned()).collect()
}

/// Waits until every item has been taken, and looks at the name that it came under.
async fn assert_arrive_as(
    collector: &Collector,
    signal: Signal,
    sent: &BTreeMap<u64, Vec<String>>,
) {
    collector
        .until("every item has arrived", |log| {
            let ids = log.accepted.iter().filter(|it| it.signal == signal);
            let ids: usize = ids.map(|it| ids_in(signal, &it.body).len()).sum();
            ids >= sent.len()
        })
        .await;
    let once = count_ids(sent.keys().copied());
    assert_eq!(collector.accepted_ids(signal), once, "each once");
    collector.read(|log| {
        for received in log.accepted.iter().filter(|it| it.signal == signal) {
            for id in ids_in(signal, &received.body) {
                assert_eq!(values(received, HEADER), sent[&id], "item {id}");
            }
        }
    });
}

fn names(tenant: Option<&str>) -> Vec<String> {
    tenant.map(str::to_owned).into_iter().collect()
}

#[tokio::test]
async fn tenants_arrive_under_their_own_names_and_never_share_a_batch() {
    for protocol in ["grpc", "http/protobuf"] {
        for transport in Transport::ALL {
            let collector = Collector::start().await;
            // While the first is held nothing else goes: the others gather, each with its like.
            let otlp = forwarding(Setup::to([&collector]))
                .set("OTLP_PROTOCOL", protocol)
                .set("OTLP_ACKNOWLEDGE", "queued")
                .set("OTLP_FLUSH_INTERVAL", "1m")
                .start()
                .await;
            collector.behave(Behaviour::Hold);
            let mut sent = BTreeMap::new();
            let first = payload(Signal::Logs, 2);
            sent.extend(first.ids.iter().map(|id| (*id, names(Some("first")))));
            let mut sender = sender_of(&otlp, transport, Some("first")).await;
            assert!(sender.send(&first).await.accepted());
            collector
                .until("the first is there", |log| log.arrived.len() == 1)
                .await;
            let tenants = [Some("team-a"), None, Some("team-b")];
            let mut senders = Vec::new();
            for tenant in tenants {
                senders.push((tenant, sender_of(&otlp, transport, tenant).await));
            }
            for _ in 0..5 {
                for (tenant, sender) in &mut senders {
                    let request = payload(Signal::Logs, 2);
                    let answer = sender.send(&request).await;
                    assert!(answer.accepted(), "{answer:?}");
                    sent.extend(request.ids.iter().map(|id| (*id, names(*tenant))));
                }
            }
            collector.behave(Behaviour::Accept);
            assert_arrive_as(&collector, Signal::Logs, &sent).await;
            let requests = collector.read(|log| log.accepted.len());
            assert_eq!(
                requests,
                1 + tenants.len(),
                "{protocol} {transport:?}: a batch each"
            );
            otlp.until_ledger("nothing waits", |now| {
                now.items(Signal::Logs, "waiting") == 0.0
            })
            .await
            .assert_adds_up();
        }
    }
}

#[tokio::test]
async fn values_go_on_as_they_came_the_operator_s_win_and_others_stay_behind() {
    for protocol in ["grpc", "http/protobuf"] {
        for transport in Transport::ALL {
            let collector = Collector::start().await;
            let otlp = Setup::to([&collector])
                .set("OTLP_PROTOCOL", protocol)
                .set(
                    "OTLP_FORWARD_HEADERS",
                    "x-many,x-fixed,authorization,trace-bin",
                )
                .set("OTLP_HEADERS", "x-fixed=operator,x-own=1")
                .set("OTLP_LOGGING_LEVEL", "trace")
                .start()
                .await;
            let sender = otlp.sender(transport).await;
            let mut sender = sender
                .header("x-many", "one")
                .header("x-many", "two, three")
                .header("X-Fixed", "sender")
                .header("authorization", "Bearer c2VjcmV0")
                .header("trace-bin", "AAEC")
                .header("x-other", "stays");
            assert!(sender.send(&payload(Signal::Traces, 1)).await.accepted());
            collector.read(|log| {
                let [received] = &log.accepted[..] else {
                    panic!("one request");
                };
                assert_eq!(values(received, "x-many"), ["one", "two, three"]);
                assert_eq!(values(received, "x-fixed"), ["operator"]);
                assert_eq!(values(received, "x-own"), ["1"]);
                assert_eq!(values(received, "authorization"), ["Bearer c2VjcmV0"]);
                assert_eq!(values(received, "trace-bin"), ["AAEC"]);
                assert!(values(received, "x-other").is_empty());
            });
            let (_, metrics) = otlp.admin("/metrics").await;
            let (_, status) = otlp.admin("/api/status").await;
            for shown in [otlp.log(), metrics, status] {
                assert!(!shown.contains("c2VjcmV0"), "a value is shown:\n{shown}");
            }
        }
    }
}

#[tokio::test]
async fn without_the_key_no_header_goes_on() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    for transport in Transport::ALL {
        let mut sender = sender_of(&otlp, transport, Some("team-a")).await;
        assert!(sender.send(&payload(Signal::Logs, 1)).await.accepted());
    }
    collector.read(|log| {
        assert_eq!(log.accepted.len(), Transport::ALL.len());
        assert!(log.accepted.iter().all(|it| values(it, HEADER).is_empty()));
    });
}

#[tokio::test]
async fn headers_over_the_bound_are_refused_for_good() {
    let collector = Collector::start().await;
    let otlp = forwarding(Setup::to([&collector])).start().await;
    for transport in Transport::ALL {
        let long = "v".repeat(9000);
        let mut sender = sender_of(&otlp, transport, Some(&long)).await;
        let answer = sender.send(&payload(Signal::Logs, 1)).await;
        let expected = if transport == Transport::Grpc { 8 } else { 413 };
        assert_eq!((answer.code, answer.delay), (expected, None), "{answer:?}");
        assert!(answer.message.contains("over the 8192"), "{answer:?}");
        assert!(!answer.message.contains("vvv"), "{answer:?}");
    }
    assert!(collector.read(|log| log.arrived.is_empty()));
}

#[tokio::test]
async fn a_set_too_many_is_refused_for_now_and_taken_once_another_is_released() {
    for transport in Transport::ALL {
        let collector = Collector::start().await;
        let otlp = forwarding(Setup::to([&collector]))
            .set("OTLP_LIMITS_HEADER_SETS", "1")
            .start()
            .await;
        collector.behave(Behaviour::Hold);
        let mut first = sender_of(&otlp, transport, Some("team-a")).await;
        let held = tokio::spawn(async move { first.send(&payload(Signal::Logs, 1)).await });
        collector
            .until("the first is there", |log| log.arrived.len() == 1)
            .await;
        let mut second = sender_of(&otlp, transport, Some("team-b")).await;
        let request = payload(Signal::Logs, 1);
        let answer = second.send(&request).await;
        let expected = if transport == Transport::Grpc { 8 } else { 429 };
        assert_eq!(answer.code, expected, "{answer:?}");
        assert!(answer.delay.is_some(), "{answer:?}");
        assert!(answer.message.contains("limits.header_sets"), "{answer:?}");
        let ledger = otlp.ledger().await;
        let reason = [("reason", "header_sets_full")];
        assert_eq!(ledger.sum("otlp_errors_total", &reason), 1.0);
        collector.behave(Behaviour::Accept);
        assert!(held.await.unwrap().accepted());
        within("the next set is taken", async {
            while !second.send(&request).await.accepted() {}
        })
        .await;
        otlp.assert_ledger_adds_up().await;
    }
}

/// Its collector is gone, it is killed, and what comes after it is not even told which headers go
/// on: what is on the disk has them.
#[tokio::test]
async fn what_is_on_the_disk_keeps_its_headers_through_a_restart() {
    for protocol in ["grpc", "http/protobuf"] {
        let folder = TempDir::new().unwrap();
        let stored = |collector: &Collector| {
            Setup::to([collector])
                .set("OTLP_PROTOCOL", protocol)
                .set("OTLP_ACKNOWLEDGE", "stored")
                .set("OTLP_SPOOL_DIRECTORY", folder.path().to_str().unwrap())
        };
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let otlp = forwarding(stored(&collector)).start().await;
        let mut sent = BTreeMap::new();
        for (tenant, transport) in [Some("team-a"), None, Some("team-b")]
            .into_iter()
            .flat_map(|tenant| Transport::ALL.map(|transport| (tenant, transport)))
        {
            let mut sender = sender_of(&otlp, transport, tenant).await;
            let request = payload(Signal::Metrics, 3);
            let answer = sender.send(&request).await;
            assert!(answer.accepted(), "{answer:?}");
            sent.extend(request.ids.iter().map(|id| (*id, names(tenant))));
        }
        otlp.kill9().await;
        drop(collector);
        let collector = Collector::start().await;
        let otlp = stored(&collector).start().await;
        assert_arrive_as(&collector, Signal::Metrics, &sent).await;
        otlp.until_ledger("nothing is left", |now| {
            now.items(Signal::Metrics, "stored") == 0.0
        })
        .await;
        assert!(otlp.terminate().await.success(), "{}", otlp.log());
    }
}

#[tokio::test]
async fn a_record_whose_headers_cannot_be_read_is_dropped_as_damaged_and_the_others_arrive() {
    let folder = TempDir::new().unwrap();
    let requests: Vec<Payload> = (0..3).map(|_| payload(Signal::Logs, 2)).collect();
    Segment::of(0x10, &[], otlp::encoding::Encoding::Identity)
        .with(&requests[0], "x-scope-orgid: team-a\r\n")
        .with(&requests[1], "x-scope-orgid: a\r\nhost: elsewhere\r\n")
        .with(&requests[2], "")
        .sealed()
        .put(folder.path());
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_ACKNOWLEDGE", "stored")
        .set("OTLP_SPOOL_DIRECTORY", folder.path().to_str().unwrap())
        .start()
        .await;
    let mut expected = BTreeMap::new();
    for (request, tenant) in [(&requests[0], Some("team-a")), (&requests[2], None)] {
        expected.extend(request.ids.iter().map(|id| (*id, names(tenant))));
    }
    assert_arrive_as(&collector, Signal::Logs, &expected).await;
    let ledger = otlp
        .until_ledger("nothing is left", |now| {
            now.items(Signal::Logs, "stored") == 0.0
        })
        .await;
    assert_eq!(ledger.items(Signal::Logs, "dropped"), 2.0);
    let damaged = [("reason", "spool_damaged")];
    assert_eq!(ledger.sum("otlp_items_total", &damaged), 2.0);
    assert!(!otlp.log().contains("elsewhere"), "{}", otlp.log());
    assert!(otlp.terminate().await.success(), "{}", otlp.log());
}
