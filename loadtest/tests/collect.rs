//! The collector over real sockets, spoken to by clients on other libraries.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "collect/client.rs"]
mod client;
#[path = "collect/exports.rs"]
mod exports;
#[path = "collect/misbehaviour.rs"]
mod misbehaviour;
#[path = "collect/verb.rs"]
mod verb;

use std::sync::Arc;

use bytes::Bytes;
use client::{Http1, Http2, TRACES, options, with, with_options};
use http::Method;
use loadtest::{
    audit::{Acknowledged, Arrivals, compare},
    collect::tls,
    telemetry::{Encoding, Mix, Payload, Payloads, Signal, Workload},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

const SERVICES: [(Signal, &str, &str); 3] = [
    (Signal::Traces, "/v1/traces", TRACES),
    (
        Signal::Metrics,
        "/v1/metrics",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ),
    (
        Signal::Logs,
        "/v1/logs",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ),
];

type Compress = fn(&[u8]) -> Vec<u8>;

const CODINGS: [(Option<&str>, Compress); 3] = [
    (None, <[u8]>::to_vec),
    (Some("gzip"), exports::gzip),
    (Some("zstd"), exports::zstd),
];

#[test]
fn every_signal_arrives_by_grpc_in_every_compression() {
    let finished = with("ok", async |target| {
        let client = Http2::connect(target).await;
        for (signal, _, path) in SERVICES {
            for (coding, compress) in CODINGS {
                let message = compress(&exports::protobuf(signal));
                let reply = client.call(path, &message, coding).await.unwrap();
                assert_eq!((reply.status.as_u16(), reply.grpc_status()), (200, 0));
                assert_eq!(reply.message(), "");
                assert_eq!(reply.header("content-type"), "application/grpc");
            }
        }
    });
    let report = finished.report;
    assert_eq!((report.requests, report.items), (9, 27));
    for (signal, ..) in SERVICES {
        assert_eq!(report.items_by_signal[signal.name()], 9);
        assert!(report.body_bytes > 0 && report.wire_bytes > 0);
    }
    assert_eq!(report.undecodable, 0);
    assert!(report.misbehaved.is_empty());
}

#[test]
fn every_signal_arrives_by_http_in_every_encoding_and_compression() {
    let finished = with("ok", async |target| {
        let mut old = Http1::connect(target).await;
        let new = Http2::connect(target).await;
        for (signal, path, _) in SERVICES {
            for (coding, compress) in CODINGS {
                for (kind, plain, empty) in [
                    ("application/x-protobuf", exports::protobuf(signal), ""),
                    ("application/json", exports::json(signal), "{}"),
                ] {
                    let body = Bytes::from(compress(&plain));
                    let mut headers = vec![("content-type", kind)];
                    headers.extend(coding.map(|it| ("content-encoding", it)));
                    let reply = old.post(path, &headers, body.clone()).await.unwrap();
                    assert_eq!(reply.status, 200, "{reply:?}");
                    assert_eq!(reply.header("content-type"), kind);
                    assert_eq!(reply.body, empty);
                    let reply = new.post(path, &headers, body).await.unwrap();
                    assert_eq!(
                        (reply.status.as_u16(), &*reply.body),
                        (200, empty.as_bytes())
                    );
                }
            }
        }
    });
    assert_eq!(finished.report.requests, 36);
    assert_eq!(finished.report.items, 108);
}

#[test]
fn several_gzip_members_are_one_body() {
    let finished = with("ok", async |target| {
        let whole = exports::protobuf(Signal::Traces);
        let (first, second) = whole.split_at(7);
        let body = [exports::gzip(first), exports::gzip(second)].concat();
        let client = Http2::connect(target).await;
        let reply = client.call(TRACES, &body, Some("gzip")).await.unwrap();
        assert_eq!(reply.grpc_status(), 0);
    });
    assert_eq!(finished.report.items, 3);
}

#[test]
fn a_body_larger_than_every_frame_arrives() {
    // About four megabytes: more than a frame, and than a piece of the read buffer.
    let mut payloads = Payloads::new(&Workload {
        signals: Mix::only(Signal::Traces),
        items: Workload::MOST_ITEMS,
        encoding: Encoding::Protobuf,
        sender: 1,
        seed: 1,
    });
    let Payload {
        body: many, ids, ..
    } = payloads.next();
    assert!(many.len() > 1 << 20);
    let finished = with("ok", async |target| {
        let client = Http2::connect(target).await;
        let (one, two) = tokio::join!(
            client.call(TRACES, &many, None),
            client.call(TRACES, &many, None)
        );
        assert_eq!(one.unwrap().grpc_status() + two.unwrap().grpc_status(), 0);
        let mut client = Http1::connect(target).await;
        let headers = [("content-type", "application/x-protobuf")];
        let reply = client.post("/v1/traces", &headers, many.clone()).await;
        assert_eq!(reply.unwrap().status, 200);
    });
    assert_eq!(finished.report.items, 3 * u64::from(Workload::MOST_ITEMS));
    let mut acknowledged = Acknowledged::new();
    acknowledged.accept(ids);
    let audit = compare(&[acknowledged], &finished.arrivals);
    assert_eq!((audit.lost, audit.altered), (0, 0));
    assert_eq!(audit.duplicated, 2 * u64::from(Workload::MOST_ITEMS));
    assert_eq!(finished.report.body_bytes, 3 * many.len() as u64);
}

#[test]
fn what_cannot_be_read_is_refused_for_good_and_counted() {
    let finished = with("ok", async |target| {
        let client = Http2::connect(target).await;
        let mut cut = exports::protobuf(Signal::Traces);
        cut.pop();
        for (message, coding) in [(&cut[..], None), (b"no gzip", Some("gzip"))] {
            let reply = client.call(TRACES, message, coding).await.unwrap();
            assert_eq!(reply.grpc_status(), 3);
            assert!(!reply.header("grpc-message").is_empty());
        }
        let reply = client.call("/no.Service/Export", b"", None).await.unwrap();
        assert_eq!(reply.grpc_status(), 12);
        let mut client = Http1::connect(target).await;
        for (path, headers, status) in [
            (
                "/v1/traces",
                &[("content-type", "application/x-protobuf")][..],
                400,
            ),
            ("/v1/traces", &[("content-type", "application/json")], 400),
            ("/v1/traces", &[("content-type", "text/plain")], 415),
            ("/v1/nothing", &[("content-type", "application/json")], 404),
        ] {
            let reply = client.post(path, headers, cut.clone()).await.unwrap();
            assert_eq!(reply.status, status);
        }
        // The connections still work.
        let whole = exports::protobuf(Signal::Traces);
        let headers = [("content-type", "application/x-protobuf")];
        let reply = client.post("/v1/traces", &headers, whole).await.unwrap();
        assert_eq!(reply.status, 200);
    });
    assert_eq!(finished.report.undecodable, 7);
    assert_eq!((finished.report.requests, finished.report.items), (1, 3));
}

#[test]
fn senders_are_told_of_large_windows_and_of_the_frame_asked_for() {
    let mut options = options("ok");
    options.max_frame = 1 << 20;
    with_options(options, async |target| {
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.unwrap();
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let [_, high, low, kind, ..] = head;
        assert_eq!(kind, 4, "SETTINGS come first");
        let mut settings = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        stream.read_exact(&mut settings).await.unwrap();
        let value = |id: u16| {
            let mut each = settings.chunks_exact(6);
            let found = each.find(|it| it[..2] == id.to_be_bytes()).unwrap();
            u32::from_be_bytes(found[2..].try_into().unwrap())
        };
        let (initial_window, max_frame) = (4, 5);
        assert_eq!(
            (value(initial_window), value(max_frame)),
            (16 << 20, 1 << 20)
        );
    });
}

#[test]
fn the_control_port_tells_and_is_told() {
    with("hang for=1h", async |target| {
        let (status, text) = target.control(Method::GET, "/health", "").await;
        assert_eq!((status.as_u16(), text.as_str()), (200, "ok\n"));
        let (_, text) = target.control(Method::GET, "/behave", "").await;
        assert_eq!(text, "hang for=1h\n");
        let (status, why) = target.behave("sulk").await;
        assert_eq!(status, 400);
        assert!(
            why.contains("`sulk` is not known: known are ok, hang"),
            "{why}"
        );
        let (status, text) = target.behave("ok").await;
        assert_eq!((status.as_u16(), text.as_str()), (200, "ok\n"));
        assert_eq!(target.control(Method::GET, "/", "").await.0, 404);
        assert_eq!(target.control(Method::POST, "/stats", "").await.0, 405);

        let client = Http2::connect(target).await;
        let message = exports::protobuf(Signal::Logs);
        client.call(SERVICES[2].2, &message, None).await.unwrap();
        let stats = target.stats().await;
        assert_eq!((stats.requests, stats.items_by_signal["logs"]), (1, 3));
        assert_eq!(stats.version, loadtest::results::VERSION);
        let (status, ids) = target.control_bytes(Method::GET, "/ids", "").await;
        assert_eq!(status, 200);
        assert!(Arrivals::read_from(&*ids).is_ok());
    });
}

#[test]
fn tls_is_spoken_with_a_certificate_made_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options("ok");
    options.tls = Some(tls::self_signed(directory.path()).unwrap());
    let authority = CertificateDer::from_pem_file(directory.path().join("ca.pem")).unwrap();
    let finished = with_options(options, async |target| {
        for protocol in ["h2", "http/1.1"] {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.into()];
            let stream = TcpStream::connect(target.address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, stream).await.unwrap();
            let agreed = stream.get_ref().1.alpn_protocol();
            assert_eq!(agreed, Some(protocol.as_bytes()));
            let message = exports::protobuf(Signal::Traces);
            if protocol == "h2" {
                let reply = Http2::on(stream).await.call(TRACES, &message, None).await;
                assert_eq!(reply.unwrap().grpc_status(), 0);
            } else {
                let mut client = Http1::on(stream).await;
                let headers = [("content-type", "application/x-protobuf")];
                let reply = client.post("/v1/traces", &headers, message).await;
                assert_eq!(reply.unwrap().status, 200);
            }
        }
    });
    assert_eq!(finished.report.items, 6);
}
