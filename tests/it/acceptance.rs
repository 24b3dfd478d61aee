//! What the specification says that a receiver accepts. Names begin with the rule's id.

use std::io::Read;

use bytes::Bytes;
use http::{Request, header};
use otlp::signal::Signal;

use crate::support::{
    Behaviour, Collector, Otlp, Payload, Sender, Setup, Transport, count_ids, payload, raw,
};

async fn forwarder() -> (Collector, Otlp) {
    let collector = Collector::start().await;
    let otlp = Setup::to([&collector]).start().await;
    (collector, otlp)
}

#[tokio::test]
async fn r1_gzip_is_accepted_on_every_transport() {
    let (collector, otlp) = forwarder().await;
    for transport in Transport::ALL {
        let sent = payload(Signal::Traces, 50);
        let answer = otlp.sender(transport).await.gzip().send(&sent).await;
        assert!(answer.accepted(), "{transport:?}: {answer:?}");
        let last = collector.read(|log| log.accepted.last().unwrap().body.clone());
        assert_eq!(last, sent.body, "{transport:?}");
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn r4_an_empty_request_succeeds() {
    let (_collector, otlp) = forwarder().await;
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        for signal in Signal::ALL {
            let empty = Payload {
                signal,
                ids: Vec::new(),
                body: Bytes::new(),
            };
            let answer = sender.send(&empty).await;
            assert!(
                answer.accepted() && !answer.partial,
                "{transport:?} {signal}: {answer:?}"
            );
        }
    }
    otlp.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn r5_full_success_leaves_partial_success_unset() {
    let (_collector, otlp) = forwarder().await;
    for transport in Transport::ALL {
        for signal in Signal::ALL {
            let answer = otlp.sender(transport).await.send(&payload(signal, 1)).await;
            assert!(
                answer.accepted() && !answer.partial,
                "{transport:?} {signal}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn r10_unknown_fields_are_forwarded_as_they_came() {
    let (collector, otlp) = forwarder().await;
    let known = payload(Signal::Logs, 2);
    // Field 1000 of the request, a text, behind what the schema knows.
    let unknown = [0xC2, 0x3E, 0x03, b'n', b'e', b'w'];
    let body: Bytes = [known.body.as_ref(), &unknown].concat().into();
    let sent = Payload { body, ..known };
    assert!(
        otlp.sender(Transport::Grpc)
            .await
            .send(&sent)
            .await
            .accepted()
    );
    assert_eq!(
        collector.read(|log| log.accepted[0].body.clone()),
        sent.body
    );
}

#[tokio::test]
async fn g6_both_spellings_of_the_grpc_content_type_are_served() {
    // tonic sends `application/grpc`; the other spelling is written out by hand.
    let (collector, otlp) = forwarder().await;
    let sent = payload(Signal::Traces, 1);
    let address = otlp.port_of(Transport::Http2);
    let mut sender = Sender::connect(address, Transport::Http2).await;
    let length = u32::try_from(sent.body.len()).unwrap().to_be_bytes();
    let framed: Bytes = [&[0][..], &length, &sent.body].concat().into();
    let request = Request::post("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        .header(header::CONTENT_TYPE, "application/grpc+proto")
        .header(header::TE, "trailers");
    let headers = sender.grpc_by_hand(request.body(framed).unwrap()).await;
    assert_eq!(headers["grpc-status"], "0");
    assert_eq!(collector.accepted_ids(Signal::Traces), count_ids(sent.ids));
}

#[tokio::test]
async fn h3_the_media_type_may_have_parameters_and_any_case() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        for content_type in [
            "application/x-protobuf; charset=utf-8",
            "Application/X-Protobuf",
        ] {
            let request = Request::post("/v1/logs").header(header::CONTENT_TYPE, content_type);
            let request = request.body(payload(Signal::Logs, 1).body).unwrap();
            let answer = otlp.sender(transport).await.request(request).await;
            assert!(
                answer.accepted(),
                "{transport:?} {content_type}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn h4_h5_success_is_200_in_the_request_s_content_type() {
    let (_collector, otlp) = forwarder().await;
    for transport in [Transport::Http1, Transport::Http2] {
        let answer = otlp
            .sender(transport)
            .await
            .send(&payload(Signal::Metrics, 1))
            .await;
        assert_eq!(answer.code, 200);
        assert_eq!(
            answer.headers[header::CONTENT_TYPE],
            "application/x-protobuf"
        );
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let (collector, otlp) = forwarder().await;
    for transport in Transport::ALL {
        let mut sender = otlp.sender(transport).await;
        for _ in 0..20 {
            assert!(
                sender.send(&payload(Signal::Logs, 1)).await.accepted(),
                "{transport:?}"
            );
        }
    }
    assert_eq!(collector.accepted_ids(Signal::Logs).len(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunked_body_is_taken_whatever_its_chunks() {
    let (collector, otlp) = forwarder().await;
    let sent = payload(Signal::Traces, 10);
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(
        &mut stream,
        b"POST /v1/traces HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
    );
    for chunk in sent.body.chunks(7) {
        let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        raw::write(&mut stream, &framed);
    }
    raw::write(&mut stream, b"0\r\n\r\n");
    let head = raw::read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(
        collector.read(|log| log.accepted[0].body.clone()),
        sent.body
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let (collector, otlp) = forwarder().await;
    let sent = payload(Signal::Logs, 3);
    let mut stream = raw::connect(otlp.address("http"));
    for _ in 0..2 {
        let head = format!(
            "POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            sent.body.len()
        );
        raw::write(&mut stream, head.as_bytes());
        let head = raw::read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 100"), "{head}");
        raw::write(&mut stream, &sent.body);
        let head = raw::read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        raw::read_body(&mut stream, &head);
    }
    assert!(
        collector
            .accepted_ids(Signal::Logs)
            .values()
            .all(|count| *count == 2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_asked_to_be_closed_is_closed_after_its_answer() {
    let (_collector, otlp) = forwarder().await;
    let mut stream = raw::connect(otlp.address("http"));
    raw::write(
        &mut stream,
        b"POST /v1/logs HTTP/1.1\r\nHost: it\r\nContent-Type: application/x-protobuf\r\n\
          Content-Length: 0\r\nConnection: close\r\n\r\n",
    );
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn many_calls_share_one_http_2_connection() {
    let (collector, otlp) = forwarder().await;
    collector.behave(Behaviour::Hold);
    let sender = otlp.sender(Transport::Grpc).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut sender = sender.share();
        calls.spawn(async move { sender.send(&payload(Signal::Traces, 1)).await });
    }
    collector
        .until("a batch arrives", |log| !log.arrived.is_empty())
        .await;
    collector.behave(Behaviour::Accept);
    assert!(
        calls
            .join_all()
            .await
            .iter()
            .all(|answer| answer.accepted())
    );
    assert_eq!(collector.accepted_ids(Signal::Traces).len(), 50);
    otlp.assert_ledger_adds_up().await;
}
