//! Senders that go away, or give up at a time they named: their work is let go where it has not
//! begun, and nobody else's is.

use std::{
    net::{Shutdown, TcpStream},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{self, SendRequest};
use http::HeaderMap;
use otlp::signal::Signal;
use socket2::SockRef;

use crate::support::{
    Answer, Behaviour, Collector, Otlp, Payload, Sender, Setup, Transport, grpc_path, payload, raw,
    within,
};

/// A forwarder whose collector has one place, which a request of a sender that stays has taken.
struct Full {
    collector: Collector,
    otlp: Otlp,
    first: tokio::task::JoinHandle<(Sender, Answer)>,
}

/// Items of the request that has the place, and of each that waits behind it.
const FIRST: u64 = 7;
const NEXT: u64 = 3;

impl Full {
    async fn start() -> Self {
        let collector = Collector::start().await;
        collector.behave(Behaviour::Hold);
        let setup = Setup::to([&collector]).set("OTLP_MAX_CONCURRENT_REQUESTS", "1");
        let otlp = setup.start().await;
        let mut sender = otlp.sender(Transport::Grpc).await;
        let first = tokio::spawn(async move {
            let answer = sender.send(&payload(Signal::Logs, FIRST)).await;
            (sender, answer)
        });
        collector
            .until("the place is taken", |log| log.arrived.len() == 1)
            .await;
        Self {
            collector,
            otlp,
            first,
        }
    }

    /// Waits until so many items wait.
    async fn waiting(&self, items: u64) {
        self.otlp
            .until_ledger("they wait", |now| {
                now.assert_balanced();
                now.items(Signal::Logs, "waiting") == items as f64
            })
            .await;
    }

    /// Waits until so many connections are open.
    async fn connections(&self, count: usize) {
        self.otlp
            .until_ledger("connections have ended", |now| {
                now.sum("otlp_receiver_connections", &[]) == count as f64
            })
            .await;
    }

    /// Lets the collector go on: only the first request is there, and the others were refused.
    async fn assert_let_go(self, refused: u64, reason: &str) {
        self.collector.behave(Behaviour::Accept);
        let (sender, answer) = within("the first answer", self.first).await.unwrap();
        assert!(answer.accepted(), "{answer:?}");
        let otlp = &self.otlp;
        otlp.until_ledger("nothing waits", |now| {
            now.items(Signal::Logs, "waiting") == 0.0
        })
        .await;
        drop(sender);
        let ledger = otlp.assert_ledger_adds_up().await;
        assert_eq!(ledger.items(Signal::Logs, "delivered"), FIRST as f64);
        let labels = [("state", "refused"), ("reason", reason)];
        let counted = ledger.sum("otlp_items_total", &labels);
        assert_eq!(counted, refused as f64, "refused for {reason}");
        let accepted = self.collector.accepted_ids(Signal::Logs);
        assert_eq!(accepted.len(), usize::try_from(FIRST).unwrap());
    }
}

/// A request over HTTP/1.1.
fn request(sent: &Payload) -> Vec<u8> {
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
         Content-Length: {}\r\n\r\n",
        sent.body.len()
    );
    [head.as_bytes(), &sent.body].concat()
}

/// Sends a request over a connection of its own.
fn send(full: &Full) -> TcpStream {
    let mut stream = raw::connect(full.otlp.address("http"));
    raw::write(&mut stream, &request(&payload(Signal::Logs, NEXT)));
    stream
}

fn assert_status(head: &str, status: u16) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
}

/// Ends the sending side of a sender that waits, and waits until it is asked whether it is there.
fn half_close(stream: &mut TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
    assert_status(&raw::read_head(stream), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_work_of_senders_that_close_or_reset_their_connections_is_let_go() {
    let full = Full::start().await;
    let closing = send(&full);
    let resetting = send(&full);
    SockRef::from(&resetting)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    full.waiting(FIRST + 2 * NEXT).await;
    drop((closing, resetting));
    full.connections(1).await;
    full.assert_let_go(2 * NEXT, "sender_gone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_has_ended_its_side_and_waits_is_answered() {
    let full = Full::start().await;
    let (mut staying, leaving) = (send(&full), send(&full));
    full.waiting(FIRST + 2 * NEXT).await;
    half_close(&mut staying);
    // Both have sent the same to the forwarder: an end.
    drop(leaving);
    full.connections(2).await;
    full.collector.behave(Behaviour::Accept);
    let head = raw::read_head(&mut staying);
    assert_status(&head, 200);
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert!(full.first.await.unwrap().1.accepted());
    let ledger = full.otlp.assert_ledger_adds_up().await;
    let delivered = ledger.items(Signal::Logs, "delivered");
    assert_eq!(delivered, (FIRST + NEXT) as f64);
    assert_eq!(ledger.items(Signal::Logs, "refused"), NEXT as f64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_ahead_while_a_call_waits_is_kept() {
    let full = Full::start().await;
    let mut ahead = send(&full);
    full.waiting(FIRST + NEXT).await;
    // A sweep that another connection has seen has passed this one too.
    let mut before = send(&full);
    half_close(&mut before);
    raw::write(&mut ahead, &request(&payload(Signal::Logs, NEXT)));
    let mut after = send(&full);
    half_close(&mut after);
    full.collector.behave(Behaviour::Accept);
    for _ in 0..2 {
        assert_status(&raw::read_head(&mut ahead), 200);
    }
    for other in [&mut before, &mut after] {
        assert_status(&raw::read_head(other), 200);
    }
    assert!(full.first.await.unwrap().1.accepted());
    let ledger = full.otlp.assert_ledger_adds_up().await;
    let delivered = ledger.items(Signal::Logs, "delivered");
    assert_eq!(delivered, (FIRST + 4 * NEXT) as f64);
}

/// A connection of gRPC by hand: a client library gives up by itself at its deadline.
async fn grpc(otlp: &Otlp) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(otlp.address("grpc"))
        .await
        .unwrap();
    let (calls, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    calls
}

/// Sends a request with a deadline; gives the head of its answer.
async fn call(mut calls: SendRequest<Bytes>, sent: Payload, timeout: &'static str) -> HeaderMap {
    let request = http::Request::post(format!("http://it{}", grpc_path(sent.signal)))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(())
        .unwrap();
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(sent.body.len().try_into().unwrap());
    framed.extend_from_slice(&sent.body);
    let (answer, mut body) = calls.send_request(request, false).unwrap();
    body.send_data(framed.freeze(), true).unwrap();
    answer.await.unwrap().headers().clone()
}

fn assert_deadline_exceeded(head: &HeaderMap) {
    assert_eq!(head["grpc-status"], "4", "{head:?}");
    let message = head["grpc-message"].to_str().unwrap();
    assert!(message.contains("deadline"), "{message}");
}

#[tokio::test]
async fn a_sender_is_told_when_its_deadline_passes_and_its_work_is_let_go() {
    let full = Full::start().await;
    let calls = grpc(&full.otlp).await;
    // The first of these deadlines is near when it comes, the second only after a sweep or two.
    for timeout in ["50m", "3S"] {
        let sent = payload(Signal::Logs, NEXT);
        let answered = call(calls.clone(), sent, timeout);
        assert_deadline_exceeded(&within("the deadline", answered).await);
        // Nothing of it waits for the collector.
        full.waiting(FIRST).await;
    }
    full.assert_let_go(2 * NEXT, "deadline").await;
}

#[tokio::test]
async fn a_deadline_that_passes_under_way_is_told_and_the_data_is_counted_by_what_comes_of_it() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector]).start().await;
    let calls = grpc(&otlp).await;
    let sent = payload(Signal::Logs, NEXT);
    let answered = within("the deadline", call(calls, sent, "300m")).await;
    assert_deadline_exceeded(&answered);
    let ledger = otlp.ledger().await;
    ledger.assert_balanced();
    assert_eq!(ledger.items(Signal::Logs, "waiting"), NEXT as f64);
    collector.behave(Behaviour::Accept);
    let ledger = otlp
        .until_ledger("it is delivered", |now| {
            now.items(Signal::Logs, "waiting") == 0.0
        })
        .await;
    ledger.assert_adds_up();
    assert_eq!(ledger.items(Signal::Logs, "delivered"), NEXT as f64);
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 3);
}

#[tokio::test]
async fn a_deadline_that_passes_between_two_attempts_ends_them() {
    let collector = Collector::start().await;
    collector.behave(Behaviour::Refuse {
        code: tonic::Code::Unavailable,
        delay: None,
    });
    let otlp = Setup::to([&collector])
        .set("OTLP_RETRY_BASE_DELAY", "20s")
        .set("OTLP_RETRY_MAX_DELAY", "20s")
        .set("OTLP_RETRY_JITTER", "false")
        .set("OTLP_TIMEOUT", "60s")
        .start()
        .await;
    let calls = grpc(&otlp).await;
    let sent = payload(Signal::Logs, NEXT);
    let answered = within("the deadline", call(calls, sent, "500m")).await;
    assert_deadline_exceeded(&answered);
    let ledger = otlp.assert_ledger_adds_up().await;
    let labels = [("state", "refused"), ("reason", "deadline")];
    assert_eq!(ledger.sum("otlp_items_total", &labels), NEXT as f64);
    assert_eq!(collector.read(|log| log.arrived.len()), 1);
}
