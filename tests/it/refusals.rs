//! What a receiver refuses by itself, and in which words. Names begin with the rule's id.

use std::io::Write;

use bytes::Bytes;
use http::{Request, header};
use otlp::signal::Signal;

use crate::support::{
    Answer, Collector, Otlp, Payload, Setup, Transport, payload, payload_of_bytes, raw, within,
};

async fn forwarder() -> (Collector, Otlp) {
    let collector = Collector::start().await;
    let setup = Setup::to([&collector]).set("OTLP_LIMITS_REQUEST_BYTES", "1MiB");
    let otlp = setup.start().await;
    (collector, otlp)
}

/// The refusal of a transport: its code, and nothing to wait for.
fn assert_final(answer: &Answer, transport: Transport, grpc: u16, http: u16) {
    let code = if transport == Transport::Grpc {
        grpc
    } else {
        http
    };
    assert_eq!(
        (answer.code, answer.delay),
        (code, None),
        "{transport:?}: {answer:?}"
    );
    assert!(
        !answer.message.is_empty(),
        "{transport:?}: a refusal says why"
    );
}

#[tokio::test]
async fn g4_h7_a_malformed_body_is_refused_as_bad_and_the_byte_is_named() {
    let (collector, otlp) = forwarder().await;
    let good = payload(Signal::Traces, 2).body;
    let bodies = [
        (
            "a length beyond the end",
            Bytes::from_static(&[0x0A, 0x7F, 0x00]),
        ),
        ("a request cut short", good.slice(..good.len() - 1)),
        ("a text", Bytes::from_static(b"this is no protobuf")),
    ];
    for transport in Transport::ALL {
        for (what, body) in &bodies {
            let bad = Payload {
                signal: Signal::Traces,
                ids: Vec::new(),
                body: body.clone(),
            };
            let answer = otlp.sender(transport).await.send(&bad).await;
            assert_final(&answer, transport, 3, 400);
            assert!(
                answer.message.contains("byte"),
                "{what}: {}",
                answer.message
            );
        }
    }
    assert!(
        collector.read(|log| log.arrived.is_empty()),
        "nothing bad is forwarded"
    );
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn g2_h8_an_oversize_body_is_refused_for_good() {
    let (collector, otlp) = forwarder().await;
    for transport in [Transport::Grpc, Transport::Http2] {
        let oversize = payload_of_bytes(Signal::Logs, 1, 2 << 20);
        let answer = otlp.sender(transport).await.send(&oversize).await;
        assert_final(&answer, transport, 8, 413);
    }
    assert!(collector.read(|log| log.arrived.is_empty()));
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_an_announced_oversize_is_refused_before_it_is_sent() {
    let (_collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(
        &mut stream,
        b"POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
          Content-Length: 2097152\r\n\r\n",
    );
    let head = raw::read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
}

#[tokio::test]
async fn r2_the_limit_holds_after_inflating_too() {
    let (collector, otlp) = forwarder().await;
    for transport in Transport::ALL {
        // 8 MiB of one letter are 8 kB in gzip: far under the limit on the wire.
        let bomb = payload_of_bytes(Signal::Logs, 1, 8 << 20);
        let answer = otlp.sender(transport).await.gzip().send(&bomb).await;
        assert_final(&answer, transport, 8, 413);
    }
    assert!(collector.read(|log| log.arrived.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_a_chunked_body_is_cut_off_at_the_limit() {
    let (_collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(
        &mut stream,
        b"POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
    );
    let chunk = [b"10000\r\n".as_slice(), &[0; 0x10000], b"\r\n"].concat();
    let mut reader = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        // The receiver may close while this still writes; the answer is what counts.
        while stream.write_all(&chunk).is_ok() {}
    });
    let head = raw::read_head(&mut reader);
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    reader.shutdown(std::net::Shutdown::Both).ok();
    writer.join().unwrap();
}

#[tokio::test]
async fn g5_h9_an_unknown_path_is_unimplemented_or_404() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        let request =
            Request::post("/v1/spans").header(header::CONTENT_TYPE, "application/x-protobuf");
        let request = request.body(payload(Signal::Traces, 1).body).unwrap();
        assert_final(
            &otlp.sender(transport).await.request(request).await,
            transport,
            12,
            404,
        );
    }
    let request = Request::post("/opentelemetry.proto.collector.trace.v1.TraceService/Import")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Bytes::from_static(&[0; 5]))
        .unwrap();
    let headers = otlp
        .sender(Transport::Http2)
        .await
        .grpc_by_hand(request)
        .await;
    assert_eq!(headers["grpc-status"], "12");
}

#[tokio::test]
async fn h9_a_wrong_method_is_405_and_names_the_right_one() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        for method in ["GET", "PUT", "DELETE"] {
            let request = Request::builder().method(method).uri("/v1/traces");
            let request = request.body(Bytes::new()).unwrap();
            let answer = otlp.sender(transport).await.request(request).await;
            assert_final(&answer, transport, 12, 405);
            assert_eq!(
                answer.headers[header::ALLOW],
                "POST",
                "{transport:?} {method}"
            );
        }
    }
}

#[tokio::test]
async fn h9_a_content_type_that_is_not_served_is_415() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        for content_type in ["text/plain", "application/xml", "application/x-protobuffer"] {
            let request = Request::post("/v1/traces").header(header::CONTENT_TYPE, content_type);
            let request = request.body(Bytes::new()).unwrap();
            let answer = otlp.sender(transport).await.request(request).await;
            assert_final(&answer, transport, 12, 415);
        }
        let without = Request::post("/v1/traces").body(Bytes::new()).unwrap();
        let answer = otlp.sender(transport).await.request(without).await;
        assert_final(&answer, transport, 12, 415);
    }
}

#[tokio::test]
async fn g5_h9_a_compression_that_is_not_served_is_refused_and_the_served_one_is_named() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        let request = Request::post("/v1/traces")
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "br");
        let request = request.body(payload(Signal::Traces, 1).body).unwrap();
        assert_final(
            &otlp.sender(transport).await.request(request).await,
            transport,
            12,
            415,
        );
    }
    let request = Request::post("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header("grpc-encoding", "snappy")
        .body(Bytes::from_static(&[1, 0, 0, 0, 1, 0]))
        .unwrap();
    let headers = otlp
        .sender(Transport::Http2)
        .await
        .grpc_by_hand(request)
        .await;
    assert_eq!(headers["grpc-status"], "12");
    let accepted = headers["grpc-accept-encoding"].to_str().unwrap();
    assert!(accepted.contains("gzip"), "{accepted}");
}

#[tokio::test]
async fn h4_h6_a_refusal_is_a_status_in_the_request_s_content_type() {
    let (_collector, otlp) = forwarder().await;
    let bad = Payload {
        signal: Signal::Traces,
        ids: Vec::new(),
        body: Bytes::from_static(&[0x0A, 0x7F]),
    };
    for transport in [Transport::Http1, Transport::Http2] {
        let answer = otlp.sender(transport).await.send(&bad).await;
        assert_eq!(
            answer.headers[header::CONTENT_TYPE],
            "application/x-protobuf"
        );
    }
}

#[tokio::test]
async fn gzip_that_is_broken_is_refused_as_bad() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        let request = Request::post("/v1/traces")
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "gzip")
            .body(Bytes::from_static(b"this is no gzip"))
            .unwrap();
        assert_final(
            &otlp.sender(transport).await.request(request).await,
            transport,
            3,
            400,
        );
    }
}

#[tokio::test]
async fn a_refused_call_leaves_its_connection_in_use() {
    let (_collector, otlp) = forwarder().await;
    let bad = Payload {
        signal: Signal::Logs,
        ids: Vec::new(),
        body: Bytes::from_static(&[0x0A, 9]),
    };
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        for _ in 0..5 {
            assert!(!sender.send(&bad).await.accepted());
            assert!(
                sender.send(&payload(Signal::Logs, 1)).await.accepted(),
                "{transport:?}"
            );
        }
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_leaves_in_the_middle_of_a_body_disturbs_nobody() {
    let (collector, otlp) = forwarder().await;
    for _ in 0..10 {
        let mut stream = raw::connect(otlp.address("http"));
        raw::write(
            &mut stream,
            b"POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
              Content-Length: 1000\r\n\r\nhalf",
        );
    }
    let answer = within("an answer", async {
        otlp.sender(Transport::Http1)
            .await
            .send(&payload(Signal::Logs, 1))
            .await
    });
    assert!(answer.await.accepted());
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 1);
    otlp.assert_ledger_adds_up().await;
}
