//! Bounds under weight: connections, memory, processor time.

use std::time::Duration;

use otlp::signal::Signal;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::support::{
    Behaviour, Collector, Sender, Setup, Transport, payload, payload_of_bytes, within,
};

const MIB: u64 = 1 << 20;

/// Lifts the soft limit of open files to the hard one; children inherit it.
fn lift_open_files(least: u64) {
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|hard| hard >= least),
        "the hard limit of open files is {:?}; this test needs {least}: raise it with `ulimit -Hn`",
        limit.maximum
    );
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
}

/// A connection of an idle sender. An HTTP/2 one has had the receiver's settings.
async fn idle_connection(address: std::net::SocketAddr, speaks: bool) -> TcpStream {
    const SETTINGS: u8 = 4;
    let mut stream = TcpStream::connect(address).await.unwrap();
    if speaks {
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(
            head[3], SETTINGS,
            "the first frame is the receiver's settings"
        );
    }
    stream
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little_and_starve_nobody() {
    const CONNECTIONS: usize = 10_000;
    const AT_A_TIME: usize = 100;
    lift_open_files(16_000);
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    let address = otlp.address("grpc");
    let mut active = otlp.sender(Transport::Grpc).await;
    let mut idle = Vec::with_capacity(CONNECTIONS);
    while idle.len() < CONNECTIONS {
        let opening = (0..AT_A_TIME).map(|number| idle_connection(address, number % 2 == 0));
        let opened: JoinSet<_> = opening.collect();
        idle.extend(within("connections open", opened.join_all()).await);
    }
    otlp.until_ledger("every connection is known", |now| {
        now.sum("otlp_receiver_connections", &[]) >= 10_000.0
    })
    .await;
    for _ in 0..100 {
        let answer = within("an answer", active.send(&payload(Signal::Traces, 1))).await;
        assert!(answer.accepted(), "{answer:?}");
    }
    let resident = otlp.memory("VmRSS");
    assert!(
        resident < 300 * MIB,
        "{} MiB resident with {CONNECTIONS} idle",
        resident / MIB
    );
    otlp.assert_ledger_adds_up().await;
    drop(idle);
}

#[tokio::test]
async fn memory_stays_bounded_when_the_collector_hangs() {
    const SENDERS: usize = 200;
    const CALLS: usize = 10;
    const LIMIT: u64 = 128 * MIB;
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let setup = Setup::to([&collector]).set("OTLP_MEMORY_LIMIT", "128MiB");
    let setup = setup.set("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "1s");
    let otlp = setup.set("OTLP_TIMEOUT", "500ms").start().await;
    let sent = payload_of_bytes(Signal::Logs, 1, 1 << 20);
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let transport = Transport::ALL[number % Transport::ALL.len()];
        let address = otlp.port_of(transport);
        let sent = sent.clone();
        senders.spawn(async move {
            let mut sender = Sender::connect(address, transport).await;
            for _ in 0..CALLS {
                let answer = sender.send(&sent).await;
                assert!(!answer.accepted(), "nothing was delivered: {answer:?}");
                assert!(
                    answer.delay.is_some(),
                    "{transport:?}: a delay is owed: {answer:?}"
                );
                // A body that is not read takes its connection with it.
                if answer
                    .headers
                    .get("connection")
                    .is_some_and(|it| it == "close")
                {
                    sender = Sender::connect(address, transport).await;
                }
            }
        });
    }
    within("every answer", senders.join_all()).await;
    let peak = otlp.memory("VmHWM");
    assert!(
        peak <= LIMIT + 64 * MIB,
        "{} MiB at the peak, limit {}",
        peak / MIB,
        LIMIT / MIB
    );
    collector.behave(Behaviour::Accept);
    let mut sender = otlp.sender(Transport::Grpc).await;
    within("service after the pressure", async {
        while !sender.send(&payload(Signal::Logs, 1)).await.accepted() {}
    })
    .await;
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn an_idle_forwarder_uses_no_processor_time() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    let mut sender = otlp.sender(Transport::Grpc).await;
    assert!(sender.send(&payload(Signal::Traces, 1)).await.accepted());
    let before = otlp.processor_time();
    // This measures over time; nothing waits for it.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let spent = otlp.processor_time() - before;
    // An unoptimised build, a connection open: a fifth of a per cent of one core.
    let allowed = Duration::from_millis(20);
    assert!(spent <= allowed, "{spent:?} in ten idle seconds");
}
