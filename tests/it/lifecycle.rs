//! From the ready line to the exit code: health, draining, and the second signal.

use otlp::signal::Signal;
use rustix::process::Signal as Kill;
use tokio::{sync::mpsc, task::JoinSet};

use crate::support::{Behaviour, Collector, Otlp, Sender, Setup, Transport, payload, within};

#[tokio::test]
async fn a_running_forwarder_is_healthy_and_ready() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    for path in ["/health", "/ready", "/metrics", "/api/status"] {
        let (status, body) = otlp.admin(path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    let name = collector.address.to_string();
    let (_, ready) = otlp.admin("/ready").await;
    let told = format!("ready\ncollector {name}: breaker closed");
    assert!(ready.starts_with(&told), "{ready}");
    let (_, status) = otlp.admin("/api/status").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["collectors"][0]["endpoint"], name, "{status}");
    let (_, metrics) = otlp.admin("/metrics").await;
    let state = format!("otlp_circuit_breaker_state{{collector=\"{name}\"}} 0\n");
    assert!(metrics.contains(&state), "{metrics}");
    assert_eq!(otlp.admin("/nowhere").await.0, 404);
}

#[tokio::test]
async fn an_idle_forwarder_ends_well_on_either_signal() {
    for signal in [Kill::TERM, Kill::INT] {
        let collector = Collector::start().await;
        let otlp = Setup::to([&collector]).start().await;
        otlp.signal(signal);
        let exit = otlp.exit().await;
        assert!(exit.success(), "{signal:?}: {exit}\n{}", otlp.log());
    }
}

#[tokio::test]
async fn a_forwarder_that_was_killed_starts_again_at_once_on_its_ports() {
    let collector = Collector::start().await;
    let mut otlp = Setup::to([&collector]).start().await;
    let [grpc, http, admin] =
        ["grpc", "http", "admin"].map(|listener| otlp.address(listener).to_string());
    let again = Setup::to([&collector])
        .set("OTLP_LISTEN_GRPC", &grpc)
        .set("OTLP_LISTEN_HTTP", &http)
        .set("OTLP_LISTEN_ADMIN", &admin);
    // The kernel is not always slow to give the ports back.
    for _ in 0..5 {
        let mut sender = otlp.sender(Transport::Grpc).await;
        assert!(sender.send(&payload(Signal::Logs, 1)).await.accepted());
        otlp.kill9().await;
        otlp = again.clone().start().await;
    }
}

/// Senders that never stop: each connection carries a few requests, then a new one is opened.
/// They end when no connection can be made any more, and tell every acknowledged id.
fn keep_sending(otlp: &Otlp, senders: usize) -> (JoinSet<()>, mpsc::UnboundedReceiver<u64>) {
    const REQUESTS_PER_CONNECTION: usize = 5;
    let (tell, acknowledged) = mpsc::unbounded_channel();
    let mut running = JoinSet::new();
    for number in 0..senders {
        let transport = Transport::ALL[number % Transport::ALL.len()];
        let address = otlp.port_of(transport);
        let tell = tell.clone();
        running.spawn(async move {
            while let Ok(mut sender) = Sender::try_connect(address, transport).await {
                for _ in 0..REQUESTS_PER_CONNECTION {
                    let sent = payload(Signal::Traces, 3);
                    let Ok(answer) = sender.try_send(&sent).await else {
                        break;
                    };
                    if answer.accepted() {
                        sent.ids.into_iter().for_each(|id| tell.send(id).unwrap());
                    }
                }
            }
        });
    }
    (running, acknowledged)
}

#[tokio::test]
async fn a_drain_under_load_loses_nothing_that_was_acknowledged() {
    for acknowledge in ["delivered", "queued"] {
        let collector = Collector::start().await;
        let setup = Setup::to([&collector]).set("OTLP_ACKNOWLEDGE", acknowledge);
        let otlp = setup.start().await;
        let (mut senders, mut acknowledged) = keep_sending(&otlp, 12);
        let mut ids = Vec::new();
        while ids.len() < 3_000 {
            ids.push(
                within("an acknowledgement", acknowledged.recv())
                    .await
                    .unwrap(),
            );
        }
        let exit = otlp.terminate().await;
        assert!(exit.success(), "{acknowledge}: {exit}\n{}", otlp.log());
        within("the senders' end", async {
            while senders.join_next().await.is_some() {}
        })
        .await;
        while let Some(id) = acknowledged.recv().await {
            ids.push(id);
        }
        let arrived = collector.accepted_ids(Signal::Traces);
        let missing = ids.iter().filter(|id| !arrived.contains_key(id)).count();
        assert_eq!(
            missing,
            0,
            "{acknowledge}: of {} acknowledged items",
            ids.len()
        );
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_calls_that_it_took() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector])
        .set("OTLP_DRAIN_TIMEOUT", "60s")
        .start()
        .await;
    let mut calls = JoinSet::new();
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        calls.spawn(async move { sender.send(&payload(Signal::Logs, 1)).await });
    }
    otlp.until_ledger("all wait", |now| now.items(Signal::Logs, "waiting") == 3.0)
        .await;
    otlp.signal(Kill::TERM);
    otlp.until_admin("/ready", 503).await;
    collector.behave(Behaviour::Accept);
    let answers = within("every answer", calls.join_all()).await;
    assert!(
        answers.iter().all(|answer| answer.accepted()),
        "{answers:?}"
    );
    assert!(otlp.exit().await.success(), "{}", otlp.log());
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 3);
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector])
        .set("OTLP_DRAIN_TIMEOUT", "10m")
        .start()
        .await;
    let mut sender = otlp.sender(Transport::Grpc).await;
    let call = tokio::spawn(async move { sender.try_send(&payload(Signal::Logs, 1)).await });
    collector
        .until("the request arrives", |log| log.arrived.len() == 1)
        .await;
    otlp.signal(Kill::TERM);
    otlp.until_admin("/ready", 503).await;
    otlp.signal(Kill::TERM);
    otlp.exit().await;
    let told_ok = within("the call's end", call)
        .await
        .unwrap()
        .is_ok_and(|it| it.accepted());
    assert!(
        !told_ok,
        "nothing was delivered, so nothing was acknowledged"
    );
}

#[tokio::test]
async fn a_drain_ends_at_its_timeout_although_the_collector_hangs() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector])
        .set("OTLP_DRAIN_TIMEOUT", "500ms")
        .start()
        .await;
    let mut sender = otlp.sender(Transport::Http1).await;
    let call = tokio::spawn(async move { sender.try_send(&payload(Signal::Logs, 1)).await });
    collector
        .until("the request arrives", |log| log.arrived.len() == 1)
        .await;
    otlp.terminate().await;
    let told_ok = within("the call's end", call)
        .await
        .unwrap()
        .is_ok_and(|it| it.accepted());
    assert!(
        !told_ok,
        "nothing was delivered, so nothing was acknowledged"
    );
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    const ROUNDS: usize = 20;
    // A linear congruential generator: other moments in each round, the same in every run.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..ROUNDS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let moment = usize::try_from((random >> 33) % 400).unwrap() + 1;
        let collector = Collector::start().await;
        let otlp = Setup::to([&collector]).start().await;
        let (mut senders, mut acknowledged) = keep_sending(&otlp, 6);
        let mut ids = Vec::new();
        while ids.len() < moment {
            ids.push(
                within("an acknowledgement", acknowledged.recv())
                    .await
                    .unwrap(),
            );
        }
        otlp.kill9().await;
        within("the senders' end", async {
            while senders.join_next().await.is_some() {}
        })
        .await;
        while let Some(id) = acknowledged.recv().await {
            ids.push(id);
        }
        let arrived = collector.accepted_ids(Signal::Traces);
        let missing = ids.iter().filter(|id| !arrived.contains_key(id)).count();
        assert_eq!(
            missing,
            0,
            "round {round}: of {} acknowledged items",
            ids.len()
        );
    }
}
