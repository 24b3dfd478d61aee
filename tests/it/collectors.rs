//! Collectors that read slowly, are of another kind, or mean harm.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use otlp::signal::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

use crate::support::{Setup, Transport, payload, payload_of_bytes, within};

/// Bytes of the prefix of a gRPC message.
const PREFIX_BYTES: usize = 5;

/// A collector whose socket holds little: whoever writes to it must wait for room again and again.
async fn narrow(bodies: tokio::sync::mpsc::Sender<Vec<u8>>) -> (SocketAddr, JoinSet<()>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(16).unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(32 << 20)
            .initial_connection_window_size(32 << 20);
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        let mut calls = JoinSet::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let bodies = bodies.clone();
            calls.spawn(async move {
                let (mut stream, mut body) = (request.into_body(), Vec::new());
                while let Some(chunk) = stream.data().await {
                    body.extend_from_slice(&chunk.unwrap());
                }
                let head = Response::builder().header("grpc-status", "0").body(());
                respond.send_response(head.unwrap(), true).unwrap();
                bodies.send(body).await.unwrap();
            });
        }
    });
    (address, serving)
}

#[tokio::test]
async fn a_collector_that_takes_a_little_at_a_time_gets_every_byte() {
    let (tell, mut bodies) = tokio::sync::mpsc::channel(16);
    let (address, _serving) = narrow(tell).await;
    let setup = Setup::to_addresses([address]).set("OTLP_CONNECTION_POOL_SIZE", "1");
    let otlp = setup.start().await;
    for _ in 0..2 {
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
        for _ in 0..sent.len() {
            let body = bodies.recv().await.unwrap();
            let place = sent.iter().position(|sent| body[PREFIX_BYTES..] == **sent);
            sent.remove(place.expect("a body arrives as it was sent"));
        }
    }
    otlp.assert_ledger_adds_up().await;
}

/// Answers every connection with the same bytes, and holds it open.
async fn says(bytes: Vec<u8>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut held = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let bytes = bytes.clone();
            held.spawn(async move {
                // The forwarder may be gone before it has read all.
                drop(stream.write_all(&bytes).await);
                let mut ignored = [0; 4096];
                while stream.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    (address, serving)
}

#[tokio::test]
async fn a_collector_that_breaks_the_protocol_is_named_and_harms_nothing() {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
    let cases = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "HTTP/1.1"),
        (vec![0xff; 100_000], "settings"),
        (
            [settings, [0, 0, 0, 9, 0, 0, 0, 0, 1]].concat(),
            "PROTOCOL_ERROR",
        ),
        ([&settings[..], &go_away].concat(), "ENHANCE_YOUR_CALM"),
        (
            [&settings[..], &ping.repeat(1 << 16)].concat(),
            "ENHANCE_YOUR_CALM",
        ),
    ];
    for (bytes, named) in cases {
        let (address, _serving) = says(bytes).await;
        let otlp = Setup::to_addresses([address]).start().await;
        for transport in Transport::ALL {
            let mut sender = otlp.sender(transport).await;
            let answer = within(named, sender.send(&payload(Signal::Traces, 1))).await;
            assert!(answer.delay.is_some(), "worth another try: {answer:?}");
            assert!(answer.message.contains(named), "{named}: {answer:?}");
        }
        otlp.assert_ledger_adds_up().await;
    }
}
