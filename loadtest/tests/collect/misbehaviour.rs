//! Each way to misbehave, as a sender meets it.

use std::{
    io,
    pin::pin,
    time::{Duration, Instant, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use futures_util::{FutureExt, poll};
use loadtest::{results::CollectReport, rpc::Code, telemetry::Signal};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::{Broken, Http1, Http2, Reply, TRACES, Target, with},
    exports,
};

const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];

async fn grpc(client: &Http2) -> Result<Reply, Broken> {
    let message = exports::protobuf(Signal::Traces);
    client.call(TRACES, &message, None).await
}

async fn http(client: &mut Http1) -> Result<Reply, Broken> {
    let body = exports::protobuf(Signal::Traces);
    client.post("/v1/traces", &PROTOBUF, body).await
}

/// One request by each protocol, each on a new connection.
async fn both(target: Target) -> [Result<Reply, Broken>; 2] {
    let one = grpc(&Http2::connect(target).await).await;
    [one, http(&mut Http1::connect(target).await).await]
}

fn misbehaved(report: &CollectReport, what: &str) -> u64 {
    report.misbehaved.get(what).copied().unwrap_or(0)
}

#[test]
fn hang_answers_nothing_and_ends_for_the_next_request() {
    let finished = with("hang", async |target| {
        let client = Http2::connect(target).await;
        let mut old = Http1::connect(target).await;
        let mut hung = pin!(grpc(&client));
        let mut hung_too = pin!(http(&mut old));
        while misbehaved(&target.stats().await, "hang") < 2 {
            assert!(poll!(hung.as_mut()).is_pending());
            assert!(poll!(hung_too.as_mut()).is_pending());
        }
        target.behave("ok").await;
        assert_eq!(grpc(&client).await.unwrap().grpc_status(), 0);
        assert!(hung.now_or_never().is_none());
        assert!(hung_too.now_or_never().is_none());
    });
    assert_eq!(finished.report.requests, 1);
}

#[test]
fn reset_breaks_the_connection_with_rst_in_the_middle_of_a_request() {
    let finished = with("reset", async |target| {
        let client = Http2::connect(target).await;
        assert_eq!(grpc(&client).await.unwrap_err(), Broken::Reset);
        // The body never ends: the head is enough.
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: collector\r\n\
                    content-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let error = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
    assert_eq!(misbehaved(&finished.report, "reset"), 2);
    assert_eq!(finished.report.requests, 0);
}

#[test]
fn refuse_closes_connections_and_takes_none_until_it_is_over() {
    let finished = with("ok", async |target| {
        let client = Http2::connect(target).await;
        grpc(&client).await.unwrap();
        target.behave("refuse").await;
        while grpc(&client).await.is_ok() {}
        let refused = loop {
            match TcpStream::connect(target.address).await {
                Err(error) => break error.kind(),
                Ok(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(refused, io::ErrorKind::ConnectionRefused);
        target.behave("ok").await;
        while TcpStream::connect(target.address).await.is_err() {
            tokio::task::yield_now().await;
        }
        let client = Http2::connect(target).await;
        assert_eq!(grpc(&client).await.unwrap().grpc_status(), 0);
    });
    assert!(misbehaved(&finished.report, "refuse") >= 1);
}

#[test]
fn slow_answers_later() {
    let finished = with("slow=30ms", async |target| {
        let began = Instant::now();
        for reply in both(target).await {
            assert_eq!(reply.unwrap().status, 200);
        }
        assert!(began.elapsed() >= Duration::from_millis(60));
    });
    assert_eq!(misbehaved(&finished.report, "slow"), 2);
    assert_eq!(finished.report.requests, 2);
}

#[test]
fn reading_is_as_slow_as_asked_and_fast_again_at_once() {
    let body = exports::protobuf(Signal::Traces).repeat(20_000);
    with("read=1MB/s", async |target| {
        let client = Http2::connect(target).await;
        let began = Instant::now();
        client.call(TRACES, &body, None).await.unwrap();
        let least = Duration::from_micros(body.len() as u64);
        assert!(began.elapsed() >= least / 2);
        // At this rate the body takes minutes.
        target.behave("read=50B/s").await;
        let mut slow = pin!(client.call(TRACES, &body, None));
        assert!(poll!(slow.as_mut()).is_pending());
        target.behave("ok").await;
        assert_eq!(slow.await.unwrap().grpc_status(), 0);
    });
}

#[test]
fn goaway_ends_a_connection_after_its_requests() {
    let finished = with("goaway every=3", async |target| {
        let client = Http2::connect(target).await;
        for _ in 0..3 {
            assert_eq!(grpc(&client).await.unwrap().grpc_status(), 0);
        }
        // The client stays, and its connection ends in order.
        let another = client.clone();
        assert_eq!(client.ended().await, Ok(()));
        drop(another);
        let mut client = Http1::connect(target).await;
        for connection in ["", "", "close"] {
            let reply = http(&mut client).await.unwrap();
            assert_eq!(
                (reply.status.as_u16(), reply.header("connection")),
                (200, connection)
            );
        }
    });
    assert_eq!(misbehaved(&finished.report, "goaway"), 2);
    assert_eq!(finished.report.requests, 6);
}

#[test]
fn every_status_is_answered_with_and_without_a_delay() {
    let finished = with("ok", async |target| {
        let client = Http2::connect(target).await;
        let mut old = Http1::connect(target).await;
        for code in Code::all().skip(1) {
            target.behave(&format!("status={code}")).await;
            let reply = grpc(&client).await.unwrap();
            assert_eq!(reply.status, 200);
            assert_eq!(reply.grpc_status(), i32::from(code.number()));
            assert_eq!(reply.header("grpc-status-details-bin"), "");
            let reply = http(&mut old).await.unwrap();
            assert_eq!(
                (reply.status.as_u16(), reply.header("retry-after")),
                (code.http(), "")
            );

            target
                .behave(&format!("status={} retry-info=1500ms", code.number()))
                .await;
            let reply = grpc(&client).await.unwrap();
            assert_eq!(reply.grpc_status(), i32::from(code.number()));
            let details = reply.header("grpc-status-details-bin");
            let status = RpcStatus::decode(&*STANDARD_NO_PAD.decode(details).unwrap()).unwrap();
            assert_eq!(status.code, i32::from(code.number()));
            let [info] = status.details.try_into().unwrap();
            assert_eq!(info.type_url, "type.googleapis.com/google.rpc.RetryInfo");
            let delay = RetryInfo::decode(&*info.value).unwrap().delay.unwrap();
            assert_eq!((delay.seconds, delay.nanos), (1, 500_000_000));
            let reply = http(&mut old).await.unwrap();
            assert_eq!(reply.header("retry-after"), "2");
            let body = RpcStatus::decode(reply.body).unwrap();
            assert_eq!(body.code, i32::from(code.number()));
        }
    });
    assert_eq!(finished.report.requests, 0);
    assert_eq!(misbehaved(&finished.report, "status=UNAVAILABLE"), 4);
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[test]
fn any_http_status_is_answered_with_both_forms_of_retry_after() {
    let finished = with("ok", async |target| {
        for status in [400, 413, 429, 500, 502, 503, 504] {
            target.behave(&format!("http={status} retry-after=2")).await;
            for reply in both(target).await.map(Result::unwrap) {
                assert_eq!((reply.status.as_u16(), reply.grpc_status()), (status, -1));
                assert_eq!(reply.header("retry-after"), "2");
            }
            target
                .behave(&format!("http={status} retry-after=date:30"))
                .await;
            let before = SystemTime::now() + Duration::from_secs(29);
            for reply in both(target).await.map(Result::unwrap) {
                let date = httpdate::parse_http_date(reply.header("retry-after")).unwrap();
                assert!(date >= before);
            }
            target.behave(&format!("http={status}")).await;
            for reply in both(target).await.map(Result::unwrap) {
                assert_eq!(
                    (reply.status.as_u16(), reply.header("retry-after")),
                    (status, "")
                );
            }
        }
    });
    assert_eq!(misbehaved(&finished.report, "http=503"), 6);
    assert_eq!(finished.report.requests, 0);
}

#[test]
fn a_partial_success_is_accepted_and_says_how_many_are_not() {
    let finished = with("partial=2", async |target| {
        let [grpc, http] = both(target).await.map(Result::unwrap);
        assert_eq!(grpc.grpc_status(), 0);
        for message in [grpc.message(), http.body] {
            let response = ExportTraceServiceResponse::decode(message).unwrap();
            let partial = response.partial_success.unwrap();
            assert_eq!(partial.rejected_spans, 2);
            assert!(!partial.error_message.is_empty());
        }
    });
    assert_eq!(misbehaved(&finished.report, "partial=2"), 2);
    assert_eq!(finished.report.items, 6);
}

#[test]
fn garbage_is_a_success_that_cannot_be_read() {
    let finished = with("garbage", async |target| {
        let [grpc, http] = both(target).await.map(Result::unwrap);
        assert_eq!((grpc.grpc_status(), http.status.as_u16()), (0, 200));
        for message in [grpc.message(), http.body] {
            assert!(ExportTraceServiceResponse::decode(message).is_err());
        }
    });
    assert_eq!(finished.report.items, 6);
}

#[test]
fn another_content_type_is_no_answer_of_a_collector() {
    let finished = with("content-type=text/html", async |target| {
        for reply in both(target).await.map(Result::unwrap) {
            assert_eq!((reply.status.as_u16(), reply.grpc_status()), (200, -1));
            assert_eq!(reply.header("content-type"), "text/html");
        }
    });
    assert_eq!(finished.report.items, 0);
}

#[test]
fn an_oversized_answer_is_as_large_as_asked() {
    let finished = with("oversize=1MiB", async |target| {
        for reply in both(target).await.map(Result::unwrap) {
            assert_eq!(reply.status, 200);
            assert!(reply.body.len() >= 1 << 20);
        }
    });
    assert_eq!(finished.report.items, 6);
}

#[test]
fn a_truncated_answer_ends_before_its_end() {
    let finished = with("truncate", async |target| {
        let reply = grpc(&Http2::connect(target).await).await.unwrap();
        let said = u32::from_be_bytes(reply.body[1..5].try_into().unwrap()) as usize;
        assert!(reply.body.len() < said + 5);
        assert_eq!(reply.grpc_status(), -1);

        let body = exports::protobuf(Signal::Traces);
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: collector\r\n\
             content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        let there = answer.len() - end - 4;
        assert!(0 < there && there < length, "{there} of {length}");
    });
    assert_eq!(finished.report.items, 6);
}

#[test]
fn an_answer_is_lost_after_its_items_have_arrived() {
    let finished = with("lose-answer", async |target| {
        assert_eq!(
            both(target).await.map(Result::unwrap_err),
            [Broken::Closed; 2]
        );
    });
    assert_eq!(finished.report.items, 6);
    assert_eq!(misbehaved(&finished.report, "lose-answer"), 2);
}

#[test]
fn what_is_discarded_is_acknowledged_and_never_arrives() {
    let finished = with("discard", async |target| {
        let [grpc, http] = both(target).await.map(Result::unwrap);
        assert_eq!((grpc.grpc_status(), http.status.as_u16()), (0, 200));
    });
    assert_eq!(finished.report.items, 0);
    assert_eq!(misbehaved(&finished.report, "discard"), 2);
}

#[test]
fn a_share_of_the_requests_is_taken_by_count() {
    let finished = with("status=UNAVAILABLE share=0.25", async |target| {
        let client = Http2::connect(target).await;
        for expected in [0, 0, 0, 14, 0, 0, 0, 14] {
            assert_eq!(grpc(&client).await.unwrap().grpc_status(), expected);
        }
    });
    assert_eq!(finished.report.requests, 6);
    assert_eq!(misbehaved(&finished.report, "status=UNAVAILABLE"), 2);
}

#[test]
fn a_phase_gives_way_to_the_next_on_a_connection_that_exists() {
    with(
        "status=UNAVAILABLE for=50ms then status=ABORTED for=50ms",
        async |target| {
            let client = Http2::connect(target).await;
            let mut seen = vec![grpc(&client).await.unwrap().grpc_status()];
            while seen.last() != Some(&0) {
                seen.push(grpc(&client).await.unwrap().grpc_status());
            }
            // On a machine that stands still a phase may pass unseen, but none comes back.
            seen.dedup();
            let order = [14, 10, 0].into_iter().filter(|it| seen.contains(it));
            assert_eq!(seen, order.collect::<Vec<_>>());
        },
    );
}

#[test]
fn flapping_goes_to_and_fro() {
    let flapping = "ok for=5ms then status=UNAVAILABLE for=5ms then repeat";
    with(flapping, async |target| {
        let client = Http2::connect(target).await;
        let mut turns = 0;
        let mut last = 0;
        while turns < 4 {
            let status = grpc(&client).await.unwrap().grpc_status();
            turns += usize::from(status != last);
            last = status;
        }
        target.behave("flap ok=1h hang=1h").await;
        assert_eq!(grpc(&client).await.unwrap().grpc_status(), 0);
    });
}
