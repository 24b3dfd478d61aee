//! What a collector's answer to a question about its health means.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Method, Response};
use otlp::{
    config::{Config, Endpoint, HttpVersion, Protocol},
    degrade::Probe,
    encoding::Encoding,
    exporter::{Exporter, Shared},
    metrics::ShardMetrics,
    net::Buffers,
    rt::{self, ThreadOptions},
    signal::Signal,
    wire::Message,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
};

use crate::support::within;

/// Far longer than an answer takes on loopback: only who is silent meets it.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
enum Http {
    Grpc,
    One,
    Two,
}

fn exporter(address: SocketAddr, http: Http) -> Exporter {
    let mut export = Config::default().export;
    let (protocol, http_version) = match http {
        Http::Grpc => (Protocol::Grpc, HttpVersion::Http2),
        Http::One => (Protocol::HttpProtobuf, HttpVersion::Http1),
        Http::Two => (Protocol::HttpProtobuf, HttpVersion::Http2),
    };
    export.endpoints = vec![Endpoint {
        host: address.ip().to_string(),
        port: address.port(),
        protocol,
        http_version,
        path: String::new(),
        path_as_is: false,
    }];
    export.headers = vec![("x-tenant".to_owned(), "one".to_owned())];
    export.connection_pool_size = Some(1);
    export.max_concurrent_requests = 1;
    let shared = Shared {
        buffers: Rc::new(Buffers::default()),
        metrics: ShardMetrics::new(0),
        response_bytes_max: 64 << 10,
    };
    Exporter::new(&export, shared)
}

/// Runs `work` with an exporter on a thread of its runtime.
async fn with_exporter<T: Send + 'static>(
    address: SocketAddr,
    http: Http,
    work: impl AsyncFnOnce(&Exporter) -> T + Send + 'static,
) -> T {
    let (tell, told) = oneshot::channel();
    let options = ThreadOptions {
        name: "probes".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    let thread = rt::start(options, move || async move {
        let exporter = exporter(address, http);
        drop(tell.send(work(&exporter).await));
    });
    let result = within("the probes", told).await.unwrap();
    thread.unwrap().join().unwrap();
    result
}

/// What one probe makes of a collector.
async fn probe(address: SocketAddr, http: Http, path: Option<&'static str>) -> Probe {
    with_exporter(address, http, async move |exporter| {
        exporter.probe(0, path, TIMEOUT).await
    })
    .await
}

/// What a collector over HTTP/2 does with a request.
#[derive(Clone, Debug)]
enum Does {
    /// A status, the data, and a gRPC status where there is one.
    Answers(u16, &'static [u8], Option<&'static str>),
    Resets(Reason),
    Says(&'static [u8]),
}

/// A request's line and fields, as far as a probe has them.
#[derive(Debug)]
struct Seen {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

#[derive(Clone, Default)]
struct Log {
    seen: Arc<watch::Sender<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

/// A collector over HTTP/2 that does the same with every request.
async fn http2(does: Does) -> (SocketAddr, Log, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (log, mut serving) = (Log::default(), JoinSet::new());
    let kept = log.clone();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            log.connections.fetch_add(1, Ordering::Relaxed);
            connections.spawn(serve(stream, does.clone(), log.clone()));
        }
    });
    (address, kept, serving)
}

async fn serve(mut stream: TcpStream, does: Does, log: Log) {
    if let Does::Says(bytes) = does {
        let mut ignored = [0; 4096];
        assert!(stream.read(&mut ignored).await.unwrap() > 0, "a request");
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        while stream.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let does = does.clone();
        let (parts, mut stream) = request.into_parts();
        let log = log.clone();
        tokio::spawn(async move {
            let mut body = Vec::new();
            while let Some(data) = stream.data().await {
                body.extend_from_slice(&data.unwrap());
            }
            let seen = Seen {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                headers: parts.headers,
                body,
            };
            log.seen.send_modify(|list| list.push(seen));
            match does {
                Does::Answers(status, data, grpc_status) => {
                    let head = Response::builder().status(status).body(()).unwrap();
                    let mut send = respond.send_response(head, false).unwrap();
                    send.send_data(Bytes::from_static(data), grpc_status.is_none())
                        .unwrap();
                    if let Some(number) = grpc_status {
                        let mut trailers = HeaderMap::new();
                        trailers.insert("grpc-status", number.parse().unwrap());
                        send.send_trailers(trailers).unwrap();
                    }
                }
                Does::Resets(reason) => respond.send_reset(reason),
                Does::Says(_) => {}
            }
        });
    }
}

/// Answers the one request of every connection with the same text.
async fn http1(text: &'static str) -> (SocketAddr, Arc<watch::Sender<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, mut serving) = (Arc::new(watch::Sender::new(Vec::new())), JoinSet::new());
    let kept = Arc::clone(&heads);
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let heads = Arc::clone(&heads);
            connections.spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                heads.send_modify(|list| list.push(head));
                stream.write_all(text.as_bytes()).await.unwrap();
                let closed = stream.read(&mut [0]).await;
                assert_eq!(closed.unwrap_or_default(), 0, "nothing follows a probe");
            });
        }
    });
    (address, kept, serving)
}

fn same_kind(probe: &Probe, expected: &Probe) -> bool {
    match (probe, expected) {
        (Probe::Unhealthy(why), Probe::Unhealthy(part)) => why.contains(part.as_str()),
        (probe, expected) => probe == expected,
    }
}

fn unhealthy(part: &str) -> Probe {
    Probe::Unhealthy(part.to_owned())
}

#[tokio::test]
async fn grpc_s_health_service_is_asked_for_the_server_as_a_whole() {
    let serving = Does::Answers(200, &[0, 0, 0, 0, 2, 8, 1], Some("0"));
    let (address, log, _serving) = http2(serving).await;
    assert_eq!(probe(address, Http::Grpc, None).await, Probe::Healthy);
    let seen = log.seen.borrow();
    let seen = seen.last().unwrap();
    assert_eq!(seen.method, Method::POST);
    assert_eq!(seen.path, "/grpc.health.v1.Health/Check");
    assert_eq!(seen.headers["content-type"], "application/grpc");
    assert_eq!(seen.headers["x-tenant"], "one");
    assert_eq!(seen.body, [0; 5]);
}

#[tokio::test]
async fn every_answer_of_grpc_s_health_service_has_its_meaning() {
    for (does, expected) in [
        (Does::Answers(200, &[0; 5], Some("0")), unhealthy("UNKNOWN")),
        (
            Does::Answers(200, &[0, 0, 0, 0, 2, 8, 2], Some("0")),
            unhealthy("NOT_SERVING"),
        ),
        (
            Does::Answers(200, &[0, 0, 0, 0, 2, 8, 3], Some("0")),
            Probe::Alive,
        ),
        (Does::Answers(200, b"", Some("12")), Probe::Alive),
        (Does::Answers(200, b"", Some("5")), Probe::Alive),
        (Does::Answers(200, b"", Some("16")), Probe::Alive),
        (
            Does::Answers(200, b"", Some("14")),
            unhealthy("unavailable"),
        ),
        (Does::Answers(200, b"", Some("13")), unhealthy("internal")),
        (Does::Answers(200, b"hello", None), Probe::Alive),
        (Does::Answers(404, b"", None), Probe::Alive),
        (Does::Answers(415, b"", None), Probe::Alive),
        (Does::Answers(501, b"", None), Probe::Alive),
        (Does::Answers(503, b"", None), unhealthy("503")),
        (Does::Resets(Reason::PROTOCOL_ERROR), Probe::Alive),
        (Does::Resets(Reason::REFUSED_STREAM), Probe::Alive),
        (
            Does::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            unhealthy("HTTP/1.1"),
        ),
        (Does::Says(b""), unhealthy("closed")),
    ] {
        let (address, _log, _serving) = http2(does.clone()).await;
        let probe = probe(address, Http::Grpc, None).await;
        assert!(same_kind(&probe, &expected), "{does:?}: {probe:?}");
        if let Probe::Unhealthy(why) = probe {
            assert!(why.contains(&address.to_string()), "{why}");
        }
    }
}

#[tokio::test]
async fn every_status_of_a_page_has_its_meaning() {
    for (status, expected) in [
        (200, Probe::Healthy),
        (204, Probe::Healthy),
        (302, Probe::Alive),
        (401, Probe::Alive),
        (404, Probe::Alive),
        (405, Probe::Alive),
        (415, Probe::Alive),
        (501, Probe::Alive),
        (500, unhealthy("500")),
        (503, unhealthy("503")),
    ] {
        for http in [Http::Grpc, Http::Two] {
            let (address, log, _serving) = http2(Does::Answers(status, b"", None)).await;
            let probe = probe(address, http, Some("/healthz")).await;
            assert!(same_kind(&probe, &expected), "{status}: {probe:?}");
            let seen = log.seen.borrow();
            let seen = seen.last().unwrap();
            let line = (seen.method.as_str(), seen.path.as_str());
            assert_eq!(line, ("GET", "/healthz"));
            assert_eq!(seen.headers["x-tenant"], "one");
        }
        let text = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        let (address, heads, _serving) = http1(text.leak()).await;
        let probe = probe(address, Http::One, None).await;
        assert!(same_kind(&probe, &expected), "{status}: {probe:?}");
        let head = heads.borrow().last().unwrap().clone();
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        for line in ["x-tenant: one", "connection: close"] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert!(!head.contains("content-length"), "{head}");
    }
}

#[tokio::test]
async fn a_grpc_server_that_is_asked_for_a_page_is_alive_whatever_way_it_refuses() {
    for does in [
        Does::Answers(200, b"", Some("12")),
        Does::Answers(415, b"", Some("3")),
        Does::Resets(Reason::INTERNAL_ERROR),
    ] {
        let (address, _log, _serving) = http2(does.clone()).await;
        let probe = probe(address, Http::Grpc, Some("/")).await;
        assert_eq!(probe, Probe::Alive, "{does:?}");
    }
}

#[tokio::test]
async fn nobody_there_silence_and_bytes_that_are_no_answer_are_unhealthy() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    for http in [Http::Grpc, Http::One] {
        let probe = probe(address, http, None).await;
        assert!(same_kind(&probe, &unhealthy("refused")), "{probe:?}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    for http in [Http::Grpc, Http::One] {
        let probe = with_exporter(address, http, async |exporter| {
            exporter.probe(0, None, Duration::from_millis(50)).await
        });
        let probe = probe.await;
        assert!(same_kind(&probe, &unhealthy("50ms")), "{probe:?}");
        // The connection of the probe ends with it.
        let (mut stream, _) = silent.accept().await.unwrap();
        let mut sent = Vec::new();
        within("its end", stream.read_to_end(&mut sent))
            .await
            .unwrap();
        assert!(!sent.is_empty(), "the question was asked");
    }
    for text in ["", "HTTP/1.1 20 OK\r\n\r\n"] {
        let (address, _heads, _serving) = http1(text).await;
        let probe = with_exporter(address, Http::One, async |exporter| {
            exporter.probe(0, None, Duration::from_millis(50)).await
        });
        assert!(matches!(probe.await, Probe::Unhealthy(_)), "{text:?}");
    }
    let (address, _log, _serving) = http2(Does::Says(b"")).await;
    let probe = with_exporter(address, Http::Grpc, async |exporter| {
        exporter.probe(7, None, TIMEOUT).await
    });
    assert!(same_kind(&probe.await, &unhealthy("no collector 7")));
}

#[tokio::test]
async fn a_probe_uses_the_open_connection_of_many_requests() {
    let (address, log, _serving) =
        http2(Does::Answers(200, &[0, 0, 0, 0, 2, 8, 1], Some("0"))).await;
    let probes = with_exporter(address, Http::Grpc, async |exporter| {
        let body = Arc::from([Bytes::from_static(b"")]);
        let message = Message::new(Signal::Traces, Encoding::Identity, body);
        drop(exporter.attempt(0, &message, TIMEOUT).await);
        let mut probes = Vec::new();
        for _ in 0..3 {
            probes.push(exporter.probe(0, None, TIMEOUT).await);
        }
        probes
    });
    assert_eq!(probes.await, vec![Probe::Healthy; 3]);
    assert_eq!(log.connections.load(Ordering::Relaxed), 1);
    assert_eq!(log.seen.borrow().len(), 4);
}
