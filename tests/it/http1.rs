//! HTTP/1.1 by hand: what client libraries do not send, and in which order answers come.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use otlp::signal::Signal;
use rustix::process::Signal as Kill;
use tokio::task::JoinSet;

use crate::support::{
    Behaviour, Collector, Otlp, Payload, Setup, Transport, payload, payload_of_bytes, raw, within,
};

async fn forwarder() -> (Collector, Otlp) {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_LIMITS_REQUEST_BYTES", "1MiB")
        .start()
        .await;
    (collector, otlp)
}

/// The head of a request with these fields.
fn head(path: &str, fields: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n{fields}\r\n"
    )
}

/// A whole request.
fn request(path: &str, sent: &Payload) -> Vec<u8> {
    let head = head(path, &format!("Content-Length: {}\r\n", sent.body.len()));
    [head.as_bytes(), &sent.body].concat()
}

/// Reads an answer, body and all; gives its head.
fn answer(stream: &mut TcpStream) -> String {
    let head = raw::read_head(stream);
    raw::read_body(stream, &head);
    head
}

fn assert_status(head: &str, status: u16) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
}

fn says_close(head: &str) -> bool {
    head.contains("\r\nconnection: close\r\n")
}

fn assert_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    const TURNS: usize = 200;
    let (collector, otlp) = forwarder().await;
    collector.behave(Behaviour::Hold);
    let mut stream = raw::connect(otlp.address("http"));
    let mut script = Vec::new();
    for turn in 0..TURNS {
        script.extend(request("/v1/logs", &payload(Signal::Logs, 2)));
        script.extend(request("/v1/nothing", &payload(Signal::Logs, 1)));
        if turn % 2 == 0 {
            script.extend(b"GET /v1/traces HTTP/1.1\r\nHost: it\r\n\r\n");
        }
    }
    raw::write(&mut stream, &script);
    collector
        .until("the first arrives", |log| log.arrived.len() == 1)
        .await;
    collector.behave(Behaviour::Accept);
    for turn in 0..TURNS {
        assert_status(&answer(&mut stream), 200);
        assert_status(&answer(&mut stream), 404);
        if turn % 2 == 0 {
            assert_status(&answer(&mut stream), 405);
        }
    }
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 2 * TURNS);
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_with_a_short_body_leaves_its_connection_in_use() {
    let (_collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    for fields in [
        "Content-Length: 4\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        raw::write(&mut stream, head("/v1/nothing", fields).as_bytes());
        let refused = answer(&mut stream);
        assert_status(&refused, 404);
        assert!(!says_close(&refused), "{refused}");
        let body: &[u8] = match fields {
            "Content-Length: 4\r\n" => b"left",
            "Content-Length: 0\r\n" => b"",
            _ => b"4\r\nleft\r\n0\r\n\r\n",
        };
        raw::write(&mut stream, body);
        raw::write(&mut stream, &request("/v1/logs", &payload(Signal::Logs, 1)));
        assert_status(&answer(&mut stream), 200);
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_goes_on_writing_a_large_refused_body_reads_why() {
    let (_collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    let head = head("/v1/nothing", "Content-Length: 900000\r\n");
    raw::write(&mut stream, head.as_bytes());
    // All of it is written before the answer is looked at, as many senders do.
    for _ in 0..9 {
        raw::write(&mut stream, &[0; 100_000]);
    }
    let refused = answer(&mut stream);
    assert_status(&refused, 404);
    assert!(says_close(&refused), "{refused}");
    assert_closed(&mut stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_wanted_is_not_asked_for() {
    let (_collector, otlp) = forwarder().await;
    for (path, fields, status) in [
        ("/v1/nothing", "Content-Length: 10\r\n", 404),
        ("/v1/logs", "Content-Length: 2000000\r\n", 413),
        (
            "/v1/logs",
            "Content-Encoding: br\r\nContent-Length: 10\r\n",
            415,
        ),
    ] {
        let mut stream = raw::connect(otlp.address("http"));
        let head = head(path, &format!("{fields}Expect: 100-continue\r\n"));
        raw::write(&mut stream, head.as_bytes());
        let refused = answer(&mut stream);
        assert_status(&refused, status);
        assert!(says_close(&refused), "{refused}");
        assert_closed(&mut stream);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_hide_a_request_in_another_is_refused_and_ends_the_connection() {
    let (collector, otlp) = forwarder().await;
    let long = format!("X: {}\r\n", "x".repeat(20_000));
    let many = "X: y\r\n".repeat(101);
    for (fields, status) in [
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 0\r\nContent-Length: 1\r\n", 400),
        ("Content-Length: 0, 0\r\n", 400),
        ("Content-Length: +0\r\n", 400),
        ("Content-Length : 0\r\n", 400),
        ("Content-Length: 0\r\n folded: 1\r\n", 400),
        ("Content-Length: 0\nX: y\r\n", 400),
        ("Transfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked\r\nX: \0\r\n", 400),
        ("Host: other\r\n", 400),
        (&long, 431),
        (&many, 431),
    ] {
        let mut stream = raw::connect(otlp.address("http"));
        let hidden = request("/v1/logs", &payload(Signal::Logs, 1));
        let script = [head("/v1/logs", fields).as_bytes(), &hidden].concat();
        raw::write(&mut stream, &script);
        let refused = answer(&mut stream);
        assert_status(&refused, status);
        assert!(says_close(&refused), "{fields}: {refused}");
        assert_closed(&mut stream);
    }
    assert!(collector.read(|log| log.arrived.is_empty()));
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_bad_chunks_is_refused_as_malformed() {
    let (collector, otlp) = forwarder().await;
    for body in [
        "x\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\nab",
        "fffffffffffffffff\r\n",
    ] {
        let mut stream = raw::connect(otlp.address("http"));
        let head = head("/v1/logs", "Transfer-Encoding: chunked\r\n");
        raw::write(
            &mut stream,
            [head.as_bytes(), body.as_bytes()].concat().as_slice(),
        );
        let refused = answer(&mut stream);
        assert_status(&refused, 400);
        assert!(refused.contains("application/x-protobuf"), "{refused}");
        assert!(says_close(&refused), "{refused}");
        assert_closed(&mut stream);
    }
    assert!(collector.read(|log| log.arrived.is_empty()));
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_in_chunks_of_any_size_arrives_as_it_was_sent() {
    let (collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    for chunk_bytes in [1, 700, 5_000, 70_000, 1_000_000] {
        let sent = payload_of_bytes(Signal::Logs, 1, 400_000.min(chunk_bytes * 1000));
        let mut script = head("/v1/logs", "Transfer-Encoding: chunked\r\n").into_bytes();
        for chunk in sent.body.chunks(chunk_bytes) {
            write!(script, "{:x}\r\n", chunk.len()).unwrap();
            script.extend_from_slice(chunk);
            script.extend_from_slice(b"\r\n");
        }
        script.extend_from_slice(b"0\r\nX: y\r\n\r\n");
        raw::write(&mut stream, &script);
        assert_status(&answer(&mut stream), 200);
        let came = collector.read(|log| log.accepted.last().map(|it| it.body.clone()));
        assert!(came == Some(sent.body), "in chunks of {chunk_bytes}");
    }
    otlp.assert_ledger_adds_up().await;
}

/// Where a body is expected, a connection remembers from the request before. Each of these comes
/// after one of 40 kB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_body_arrives_as_it_was_sent_whatever_came_before() {
    const LONG: usize = 40_000;
    let (collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    let mut serve = |pieces: &[&[u8]], sent: &[&Payload]| {
        for piece in pieces {
            raw::write(&mut stream, piece);
        }
        for sent in sent {
            assert_status(&answer(&mut stream), 200);
            let came = collector.read(|log| log.accepted.iter().any(|it| it.body == sent.body));
            assert!(came, "{} bytes", sent.body.len());
        }
    };
    let of = |padding| payload_of_bytes(Signal::Logs, 2, padding);
    // As long, a little longer and shorter, more than there is room for, less than is worth it.
    for padding in [
        LONG,
        LONG + 2_000,
        LONG - 2_000,
        90_000,
        600_000,
        16_500,
        20,
    ] {
        for sent in [of(LONG), of(LONG), of(padding)] {
            serve(&[&request("/v1/logs", &sent)], &[&sent]);
        }
    }
    // Other heads: longer, shorter, of an unknown path, of a body in chunks.
    for fields in ["X-More: of it\r\n", "A: b\r\n", ""] {
        let sent = of(LONG);
        let fields = format!("{fields}Content-Length: {}\r\n", sent.body.len());
        let head = head("/v1/logs", &fields);
        serve(&[head.as_bytes(), &sent.body], &[&sent]);
        serve(&[&[head.as_bytes(), &sent.body].concat()], &[&sent]);
    }
    let chunked = of(LONG);
    let mut script = head("/v1/logs", "Transfer-Encoding: chunked\r\n").into_bytes();
    write!(script, "{:x}\r\n", chunked.body.len()).unwrap();
    script.extend_from_slice(&chunked.body);
    script.extend_from_slice(b"\r\n0\r\n\r\n");
    serve(&[&script], &[&chunked]);
    // In pieces, and several at once.
    for cut in [1, 60, 120, 150, 5_000, 39_000, 40_000] {
        let (first, second, third) = (of(LONG), of(LONG), of(0));
        serve(&[&request("/v1/logs", &first)], &[&first]);
        let whole = request("/v1/logs", &second);
        serve(&[&whole[..cut], &whole[cut..]], &[&second]);
        let pair = [request("/v1/logs", &third), request("/v1/logs", &first)].concat();
        serve(&[&pair[..cut], &pair[cut..]], &[&third, &first]);
    }
    serve(&[&request("/v1/logs", &of(LONG))], &[]);
    assert_status(&answer(&mut stream), 200);
    raw::write(&mut stream, &request("/v1/nothing", &of(LONG)));
    assert_status(&answer(&mut stream), 404);
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_byte_by_byte_is_served() {
    let (_collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    for byte in request("/v1/logs", &payload(Signal::Logs, 1)) {
        raw::write(&mut stream, &[byte]);
    }
    assert_status(&answer(&mut stream), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends_is_refused() {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector])
        .set("OTLP_LIMITS_REQUEST_TIMEOUT", "200ms")
        .start()
        .await;
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(&mut stream, b"POST /v1/lo");
    let refused = answer(&mut stream);
    assert_status(&refused, 408);
    assert!(says_close(&refused), "{refused}");
    assert_closed(&mut stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_has_said_all_it_had_to_say_reads_its_answer() {
    let (collector, otlp) = forwarder().await;
    collector.behave(Behaviour::Hold);
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(&mut stream, &request("/v1/logs", &payload(Signal::Logs, 1)));
    stream.shutdown(Shutdown::Write).unwrap();
    collector
        .until("it arrives", |log| log.arrived.len() == 1)
        .await;
    collector.behave(Behaviour::Accept);
    let mut head = answer(&mut stream);
    // Where it has taken long it was asked whether it is there.
    if head.starts_with("HTTP/1.1 100 ") {
        head = answer(&mut stream);
    }
    assert_status(&head, 200);
    assert_closed(&mut stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_is_served_and_a_head_request_has_no_body() {
    let (_collector, otlp) = forwarder().await;
    let sent = payload(Signal::Logs, 1);
    let old = |fields: &str| {
        let head = format!(
            "POST /v1/logs HTTP/1.0\r\nContent-Type: application/x-protobuf\r\n\
             Content-Length: {}\r\n{fields}\r\n",
            sent.body.len()
        );
        [head.as_bytes(), &sent.body].concat()
    };
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(&mut stream, &old("Connection: keep-alive\r\n"));
    let kept = answer(&mut stream);
    assert!(kept.contains("\r\nconnection: keep-alive\r\n"), "{kept}");
    raw::write(&mut stream, b"HEAD /v1/logs HTTP/1.1\r\nHost: it\r\n\r\n");
    let wrong = raw::read_head(&mut stream);
    assert_status(&wrong, 405);
    assert!(wrong.contains("\r\nallow: POST\r\n"), "{wrong}");
    raw::write(&mut stream, &old(""));
    let last = answer(&mut stream);
    assert_status(&last, 200);
    assert!(says_close(&last), "{last}");
    assert_closed(&mut stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_answers_the_call_under_way_and_says_that_it_was_the_last() {
    let (collector, otlp) = forwarder().await;
    collector.behave(Behaviour::Hold);
    let mut idle = raw::connect(otlp.address("http"));
    raw::write(&mut idle, b"GET / HTTP/1.1\r\nHost: it\r\n\r\n");
    assert_status(&answer(&mut idle), 404);
    let mut busy = raw::connect(otlp.address("http"));
    raw::write(&mut busy, &request("/v1/logs", &payload(Signal::Logs, 1)));
    let mut reading = raw::connect(otlp.address("http"));
    let half = request("/v1/logs", &payload(Signal::Logs, 1));
    raw::write(&mut reading, &half[..half.len() - 1]);
    collector
        .until("the request arrives", |log| log.arrived.len() == 1)
        .await;
    otlp.signal(Kill::TERM);
    otlp.until_admin("/ready", 503).await;
    assert_closed(&mut idle);
    raw::write(&mut reading, &half[half.len() - 1..]);
    collector.behave(Behaviour::Accept);
    for mut stream in [busy, reading] {
        let last = answer(&mut stream);
        assert_status(&last, 200);
        assert!(says_close(&last), "{last}");
        assert_closed(&mut stream);
    }
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 2);
    assert!(otlp.exit().await.success());
}

#[tokio::test]
async fn more_than_memory_holds_is_refused_or_waits_and_all_of_it_is_accounted_for() {
    const REQUESTS: usize = 60;
    let collector = Collector::start().await;
    collector.behave(Behaviour::Hold);
    let otlp = Setup::to([&collector])
        .set("OTLP_MEMORY_LIMIT", "8MiB")
        .set("OTLP_LIMITS_REQUEST_BYTES", "1MiB")
        .start()
        .await;
    let mut calls = JoinSet::new();
    for _ in 0..REQUESTS {
        let mut sender = otlp.sender(Transport::Http1).await;
        let sent = payload_of_bytes(Signal::Logs, 1, 300_000);
        calls.spawn(async move { sender.send(&sent).await });
    }
    collector
        .until("a batch arrives", |log| !log.arrived.is_empty())
        .await;
    collector.behave(Behaviour::Accept);
    let answers = within("every answer", calls.join_all()).await;
    let accepted = answers.iter().filter(|answer| answer.accepted()).count();
    let refused = answers.iter().filter(|answer| answer.code == 429).count();
    assert_eq!(accepted + refused, REQUESTS, "{answers:?}");
    assert!(accepted > 0);
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), accepted);
    otlp.assert_ledger_adds_up().await;
}
