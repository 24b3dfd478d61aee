//! Collectors behind HTTP/1.1, byte by byte: what they answer, when they close, what they break.

use std::net::SocketAddr;

use bytes::Bytes;
use otlp::signal::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use crate::support::{Answer, Otlp, Setup, Transport, ids_in, payload, payload_of_bytes, within};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// One request as it lay on the wire.
struct Request {
    head: String,
    body: Vec<u8>,
}

/// A collector that a test plays itself, connection by connection.
struct Peer {
    listener: TcpListener,
    address: SocketAddr,
}

impl Peer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    async fn accept(&self) -> TcpStream {
        let (stream, _) = within("a connection", self.listener.accept())
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Whether the forwarder has opened a connection that was not accepted.
    async fn has_more(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.listener.accept() => true,
            () = tokio::task::yield_now() => false,
        }
    }
}

fn setup(address: SocketAddr) -> Setup {
    Setup::to_addresses([address])
        .set("OTLP_RETRY_MAX_ATTEMPTS", "1")
        .set("OTLP_HEALTH_CHECK_INTERVAL", "1h")
        .set("OTLP_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1000")
        .set("OTLP_PROTOCOL", "http/protobuf")
        .set("OTLP_HTTP_VERSION", "1.1")
}

/// Sends one request and does not wait for its answer.
async fn send(otlp: &Otlp, calls: &mut JoinSet<Answer>, padding: usize) {
    let mut sender = otlp.sender(Transport::Grpc).await;
    let payload = payload_of_bytes(Signal::Traces, 1, padding);
    calls.spawn(async move { sender.send(&payload).await });
}

async fn answered(calls: &mut JoinSet<Answer>) -> Answer {
    within("an answer", calls.join_next())
        .await
        .unwrap()
        .unwrap()
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = within("a head", stream.read_u8()).await;
        head.push(byte.expect("the head is not whole"));
    }
    String::from_utf8(head).unwrap()
}

async fn read_request(stream: &mut TcpStream) -> Request {
    let head = read_head(stream).await;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.expect("the length is told").parse().unwrap()];
    within("a body", stream.read_exact(&mut body))
        .await
        .unwrap();
    Request { head, body }
}

#[tokio::test]
async fn the_request_is_a_plain_one() {
    let peer = Peer::start().await;
    let otlp = setup(peer.address)
        .set("OTLP_HEADERS", "x-tenant=one")
        .start()
        .await;
    let mut calls = JoinSet::new();
    send(&otlp, &mut calls, 10).await;
    let mut stream = peer.accept().await;
    let Request { head, body } = read_request(&mut stream).await;
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /v1/traces HTTP/1.1");
    lines.sort_unstable();
    let agent = format!("user-agent: otlp/{}", env!("CARGO_PKG_VERSION"));
    let host = format!("host: {}", peer.address);
    let length = format!("content-length: {}", body.len());
    let expected = [
        length.as_str(),
        "content-type: application/x-protobuf",
        &host,
        &agent,
        "x-tenant: one",
    ];
    assert_eq!(lines, expected);
    assert_eq!(ids_in(Signal::Traces, &body).len(), 1);
    stream.write_all(OK.as_bytes()).await.unwrap();
    assert!(answered(&mut calls).await.accepted());
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn every_form_of_an_answer_is_read_on_one_connection() {
    let peer = Peer::start().await;
    let otlp = setup(peer.address).start().await;
    let mut calls = JoinSet::new();
    let forms = [
        OK.to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\x0a\x00\r\n0\r\n\r\n"
            .to_owned(),
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n{OK}"),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n\x0a\x00".to_owned(),
    ];
    send(&otlp, &mut calls, 10).await;
    let mut stream = peer.accept().await;
    for form in &forms {
        read_request(&mut stream).await;
        for byte in form.bytes() {
            stream.write_all(&[byte]).await.unwrap();
        }
        let answer = answered(&mut calls).await;
        assert!(answer.accepted(), "{form:?}: {answer:?}");
        send(&otlp, &mut calls, 10).await;
    }
    read_request(&mut stream).await;
    let end = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\nuntil the end";
    stream.write_all(end.as_bytes()).await.unwrap();
    drop(stream);
    let answer = answered(&mut calls).await;
    assert_eq!(
        answer.delay.map(|delay| delay.as_secs()),
        Some(7),
        "{answer:?}"
    );
    assert!(!peer.has_more().await, "one connection carried them all");
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_connection_that_the_collector_closed_while_it_was_idle_loses_nothing() {
    let peer = Peer::start().await;
    let otlp = setup(peer.address)
        .set("OTLP_CONNECTION_POOL_SIZE", "1")
        .start()
        .await;
    let mut calls = JoinSet::new();
    for answer in [OK, &OK.replace("Content", "Connection: close\r\nContent")] {
        for _ in 0..20 {
            send(&otlp, &mut calls, 10).await;
            let mut stream = peer.accept().await;
            read_request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Closed before the next request is sent: nobody says so but the socket.
            drop(stream);
            let answer = answered(&mut calls).await;
            assert!(answer.accepted(), "{answer:?}");
        }
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_read() {
    let peer = Peer::start().await;
    let otlp = setup(peer.address).start().await;
    let mut calls = JoinSet::new();
    send(&otlp, &mut calls, 16 << 20).await;
    let mut stream = peer.accept().await;
    let head = read_head(&mut stream).await;
    assert!(
        head.contains("content-length: 167"),
        "a body of 16 MiB: {head}"
    );
    let early = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(early.as_bytes()).await.unwrap();
    // The rest of the body is met with a reset.
    drop(stream);
    let answer = answered(&mut calls).await;
    assert!(answer.message.contains("413"), "{answer:?}");
    assert_eq!(answer.delay, None, "as large as ever: {answer:?}");
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn an_answer_that_is_none_or_too_long_is_named_and_harms_nothing() {
    let endless_head = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(20_000));
    let endless_body = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(70_000));
    let long_body = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n".to_owned();
    let peer = Peer::start().await;
    let otlp = setup(peer.address)
        .set("OTLP_LIMITS_RESPONSE_BYTES", "64KiB")
        .start()
        .await;
    let mut calls = JoinSet::new();
    for (bytes, named) in [
        ("\0\0\0\x04\0\0\0\0\0".to_owned(), "HTTP/1.1"),
        ("HTTP/1.1 101 Switching\r\n\r\n".to_owned(), "protocol"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n".repeat(2),
            "HTTP/1.1",
        ),
        (endless_head, "16384"),
        (endless_body, "limits.response_bytes"),
        (long_body, "limits.response_bytes"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_owned(),
            "closed",
        ),
        (String::new(), "closed"),
    ] {
        send(&otlp, &mut calls, 10).await;
        let mut stream = peer.accept().await;
        read_request(&mut stream).await;
        // The forwarder may be gone before it has read all.
        drop(stream.write_all(bytes.as_bytes()).await);
        drop(stream.shutdown().await);
        let answer = answered(&mut calls).await;
        assert!(!answer.accepted() && answer.delay.is_some(), "{answer:?}");
        assert!(answer.message.contains(named), "{named}: {answer:?}");
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_takes_its_connection_along() {
    let peer = Peer::start().await;
    let otlp = setup(peer.address)
        .set("OTLP_TIMEOUT_OPERATION_TIMEOUT", "200ms")
        .start()
        .await;
    let mut calls = JoinSet::new();
    send(&otlp, &mut calls, 10).await;
    let mut silent = peer.accept().await;
    read_request(&mut silent).await;
    assert!(!answered(&mut calls).await.accepted());
    let read = within("its end", silent.read(&mut [0])).await.unwrap();
    assert_eq!(
        read, 0,
        "closed: an answer could be taken for the next one's"
    );
    otlp.assert_ledger_adds_up().await;
}

/// Takes connections whose sockets hold little, and tells each body.
async fn narrow(bodies: mpsc::Sender<Vec<u8>>) -> (SocketAddr, JoinSet<()>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(16).unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let bodies = bodies.clone();
            connections.spawn(async move {
                loop {
                    let request = read_request(&mut stream).await;
                    bodies.send(request.body).await.unwrap();
                    stream.write_all(OK.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (address, serving)
}

#[tokio::test]
async fn a_collector_that_takes_a_little_at_a_time_gets_every_byte() {
    let (tell, mut bodies) = mpsc::channel(16);
    let (address, _serving) = narrow(tell).await;
    let otlp = setup(address).start().await;
    let mut calls = JoinSet::new();
    let mut sent = Vec::new();
    for bytes in [3 << 20, 1 << 20, 100, 50_000] {
        let payload = payload_of_bytes(Signal::Profiles, 1, bytes);
        sent.push(payload.body.clone());
        let mut sender = otlp.sender(Transport::Grpc).await;
        calls.spawn(async move { sender.send(&payload).await });
    }
    for answer in within("every answer", calls.join_all()).await {
        assert!(answer.accepted(), "{answer:?}");
    }
    while !sent.is_empty() {
        let body = Bytes::from(bodies.recv().await.unwrap());
        let place = sent.iter().position(|sent| *sent == body);
        sent.remove(place.expect("a body arrives as it was sent"));
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_batch_of_more_requests_than_one_write_takes_arrives_whole() {
    const REQUESTS: u16 = 700;
    let peer = Peer::start().await;
    let otlp = setup(peer.address)
        .set("OTLP_MAX_CONCURRENT_REQUESTS", "1")
        .set("OTLP_LIMITS_STREAMS", "1024")
        .start()
        .await;
    // While the first one is under way the others gather.
    let mut first = JoinSet::new();
    send(&otlp, &mut first, 10).await;
    let mut stream = peer.accept().await;
    read_request(&mut stream).await;
    let payloads: Vec<_> = (0..REQUESTS).map(|_| payload(Signal::Traces, 1)).collect();
    let mut expected: Vec<_> = payloads.iter().flat_map(|it| it.ids.clone()).collect();
    let sender = otlp.sender(Transport::Grpc).await;
    let mut calls = JoinSet::new();
    for payload in payloads {
        let mut sender = sender.share();
        calls.spawn(async move { sender.send(&payload).await });
    }
    otlp.until_ledger("all are received", |ledger| {
        ledger.items(Signal::Traces, "waiting") == f64::from(REQUESTS) + 1.0
    })
    .await;
    stream.write_all(OK.as_bytes()).await.unwrap();
    let mut arrived = Vec::new();
    let mut largest = 0;
    while arrived.len() < usize::from(REQUESTS) {
        let ids = ids_in(Signal::Traces, &read_request(&mut stream).await.body);
        largest = largest.max(ids.len());
        arrived.extend(ids);
        stream.write_all(OK.as_bytes()).await.unwrap();
    }
    assert!(largest > 256, "one request of so many pieces: {largest}");
    arrived.sort_unstable();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
    for answer in within("every answer", calls.join_all()).await {
        assert!(answer.accepted(), "{answer:?}");
    }
    otlp.assert_ledger_adds_up().await;
}
