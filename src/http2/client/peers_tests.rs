//! The client against other people's servers, with small windows and few streams.

use std::{convert::Infallible, future::Future, io::IoSlice, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use super::{Answer, Client, Failure, Key, Options};
use crate::http2::hpack::{self, Decoder, TABLE_BYTES_DEFAULT};

const OPTIONS: Options = Options {
    fields_bytes_max: 16 << 10,
    body_bytes_max: 1 << 20,
    stream_window: 1 << 10,
    connection_window: 65_535,
    streams_before_settings: 1,
};

/// Bytes between the two that nobody has read: little, so that writes are cut anywhere.
const PIPE_BYTES: usize = 700;

fn block(path: &str) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "collector"),
        ("te", "trailers"),
    ] {
        hpack::encode(name.as_bytes(), value.as_bytes(), false, &mut block);
    }
    hpack::encode(b"x-key", b"secret", true, &mut block);
    Bytes::from(block)
}

/// The body of a request: as many bytes as its number says, all different from the next one's.
fn body(number: usize) -> Bytes {
    (0..number * 1777)
        .map(|at| (at * 31 + number).to_le_bytes()[0])
        .collect()
}

/// What a server answers: long enough for the small windows, made of what it got.
fn echo(body: &[u8]) -> Bytes {
    let sum = body.iter().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    Bytes::from(format!("{} {sum} ", body.len()).repeat(200))
}

enum Moved {
    Sent(usize),
    Came(usize),
}

/// Moves bytes until every request has its answer.
async fn exchange(
    client: &mut Client<Bytes>,
    keys: &[Key],
    io: DuplexStream,
) -> Vec<Result<Answer, Failure>> {
    let (mut reader, mut writer) = split(io);
    let mut answers: Vec<_> = keys.iter().map(|_| None).collect();
    let mut buffer = [0; 333];
    while answers.iter().any(Option::is_none) {
        let moved = {
            let mut pieces = [IoSlice::new(&[]); 7];
            let count = client.pieces(&mut pieces);
            tokio::select! {
                sent = writer.write_vectored(&pieces[..count]), if count > 0 => Moved::Sent(sent.unwrap()),
                came = reader.read(&mut buffer) => Moved::Came(came.unwrap()),
            }
        };
        match moved {
            Moved::Sent(bytes) => client.sent(bytes),
            Moved::Came(0) => client.end("closed"),
            Moved::Came(bytes) => client.receive(&buffer[..bytes]),
        }
        while let Some(key) = client.next_finished() {
            let place = keys.iter().position(|known| *known == key).unwrap();
            answers[place] = client.take(key);
        }
    }
    answers.into_iter().flatten().collect()
}

/// Sends `count` requests at once to a server and checks what comes back.
async fn check<F: Future<Output = ()> + Send + 'static>(
    count: usize,
    serve: impl FnOnce(DuplexStream) -> F,
) {
    let (ours, theirs) = duplex(PIPE_BYTES);
    let server = tokio::spawn(serve(theirs));
    let mut client = Client::new(OPTIONS);
    let keys: Vec<_> = (0..count)
        .map(|number| client.request(block("/v1/traces"), body(number)))
        .collect();
    let all = exchange(&mut client, &keys, ours);
    let answers = tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .unwrap();
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status, &answer.body),
            (200, &echo(&body(number))),
            "{number}"
        );
        assert_eq!(answer.fields.get("x-path"), Some(&b"/v1/traces"[..]));
        assert_eq!(answer.trailers.unwrap().get("grpc-status"), Some(&b"0"[..]));
    }
    assert!(client.is_open());
    server.abort();
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers
}

/// Answers one call of an h2 server, reading a little at a time.
async fn serve_h2(request: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    assert_eq!(request.headers()["x-key"], "secret");
    let path = request.uri().path().to_owned();
    let (mut stream, mut got) = (request.into_body(), Vec::new());
    while let Some(chunk) = stream.data().await {
        let chunk = chunk.unwrap();
        stream.flow_control().release_capacity(chunk.len()).unwrap();
        got.extend_from_slice(&chunk);
    }
    let head = Response::builder().header("x-path", path).body(()).unwrap();
    let mut send = respond.send_response(head, false).unwrap();
    send.send_data(echo(&got), false).unwrap();
    send.send_trailers(trailers()).unwrap();
}

async fn h2_server(builder: h2::server::Builder, io: DuplexStream) {
    let mut connection = builder.handshake(io).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(serve_h2(request, respond));
    }
}

#[tokio::test]
async fn h2_answers_over_small_windows_and_few_streams() {
    for (window, streams) in [(1, 100), (999, 3), (65_535, 1), (1 << 20, 1000)] {
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(window.max(65_535))
            .max_concurrent_streams(streams);
        let count = if window == 1 { 2 } else { 40 };
        check(count, |io| h2_server(builder, io)).await;
    }
}

#[tokio::test]
async fn h2_answers_in_large_frames_and_with_no_table() {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(1 << 20)
        .max_frame_size(1 << 20)
        .header_table_size(0);
    check(60, |io| h2_server(builder, io)).await;
}

#[tokio::test]
async fn hyper_answers() {
    let service = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
        let path = request.uri().path().to_owned();
        let got = request.into_body().collect().await.unwrap().to_bytes();
        let body = Full::new(echo(&got)).with_trailers(async { Some(Ok(trailers())) });
        let head = Response::builder().header("x-path", path);
        Ok::<_, Infallible>(head.body(body).unwrap())
    });
    let serve = async move |io| {
        let executor = hyper_util::rt::TokioExecutor::new();
        let mut builder = hyper::server::conn::http2::Builder::new(executor);
        builder
            .initial_stream_window_size(3000)
            .max_concurrent_streams(5);
        let io = hyper_util::rt::TokioIo::new(io);
        // Its end is the test's.
        drop(builder.serve_connection(io, service).await);
    };
    check(40, serve).await;
}

#[tokio::test]
async fn a_server_that_shuts_down_answers_what_it_took_and_the_rest_can_be_sent_again() {
    let (ours, theirs) = duplex(PIPE_BYTES);
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(2);
        let mut connection = builder.handshake(theirs).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        connection.graceful_shutdown();
        tokio::spawn(serve_h2(request, respond));
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(serve_h2(request, respond));
        }
    });
    let mut client = Client::new(OPTIONS);
    let keys: Vec<_> = (0..9)
        .map(|number| client.request(block("/v1/logs"), body(number)))
        .collect();
    let answers = exchange(&mut client, &keys, ours).await;
    assert!(answers[0].is_ok());
    let refused = answers.iter().filter(|answer| answer.is_err());
    assert!(refused.clone().count() >= 6);
    for answer in refused {
        assert!(
            answer.as_ref().unwrap_err().is_not_processed(),
            "{answer:?}"
        );
    }
    assert!(!client.is_open());
}

/// The header blocks of another encoder, with its table and its Huffman strings.
#[tokio::test]
async fn the_header_blocks_of_h2_are_read() {
    let (theirs, mut ours) = duplex(1 << 20);
    let (mut sender, connection) = h2::client::handshake(theirs).await.unwrap();
    tokio::spawn(connection);
    // No more than h2 opens before it has read settings.
    const REQUESTS: usize = 100;
    let (mut expected, mut calls) = (Vec::new(), Vec::new());
    for number in 0..REQUESTS {
        let mut request = Request::post("http://collector/path");
        let fields = (0..number % 7).map(|n| {
            let text = "Va\"l~ue\\ ".repeat(number * n % 40);
            (
                format!("x-{}", (number + n) % 23),
                format!("{text}{}", number % (n + 2)),
            )
        });
        let fields: Vec<_> = fields.collect();
        for (name, value) in &fields {
            request = request.header(name, value.trim());
        }
        expected.push(fields);
        let request = request.body(()).unwrap();
        sender = sender.ready().await.unwrap();
        calls.push(sender.send_request(request, true).unwrap());
    }
    let mut decoder = Decoder::new(TABLE_BYTES_DEFAULT, 16 << 10);
    let mut preface = [0; 24];
    ours.read_exact(&mut preface).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < REQUESTS {
        let mut head = [0; 9];
        ours.read_exact(&mut head).await.unwrap();
        let head = crate::http2::frame::Head::parse(head);
        let mut payload = vec![0; head.len];
        ours.read_exact(&mut payload).await.unwrap();
        if head.kind != crate::http2::frame::Kind::Headers {
            continue;
        }
        let mut fields = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        decoder
            .decode(&payload, |name, value| {
                if name.starts_with(b"x-") {
                    fields.push((text(name), text(value)));
                }
            })
            .unwrap();
        seen.push(fields);
    }
    for (seen, expected) in seen.into_iter().zip(expected) {
        let mut trimmed: Vec<_> = expected
            .into_iter()
            .map(|(n, v)| (n, v.trim().to_owned()))
            .collect();
        let mut seen = seen;
        trimmed.sort();
        seen.sort();
        assert_eq!(seen, trimmed);
    }
}
