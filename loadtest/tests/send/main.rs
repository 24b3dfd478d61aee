//! The sender, end to end, against servers that answer as each test wants.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod command;
mod server;

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use loadtest::{
    audit::{self, Arrivals},
    results::Answers,
    schedule::{Rate, Shape},
    send::{Compression, Load, Outcome, Pool, Protocol, Settings, Start, Tls, Writes, run},
    telemetry::{Encoding, Found, Level, Signal, Workload, inspect},
};
use server::{Log, Reply, serve};

/// `google.rpc.Status` with a `RetryInfo` of 10 ms.
const RETRY_10_MS: &str = "GjMKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBwoFEICt4gQ";

fn settings(target: SocketAddr, protocol: Protocol) -> Settings {
    Settings {
        target: target.to_string(),
        protocol,
        workload: Workload {
            signals: "traces".parse().unwrap(),
            items: 3,
            encoding: match protocol {
                Protocol::HttpJson => Encoding::Json,
                _ => Encoding::Protobuf,
            },
            sender: 7,
            seed: 1,
        },
        compression: Compression::None,
        pool: Pool {
            requests: None,
            memory: 1 << 20,
            time: Duration::from_secs(10),
        },
        connections: 2,
        in_flight: 4,
        frame_bytes: None,
        writes: Writes::Turn,
        load: Load::Open(Shape::Constant(Rate::per_second(200.0).unwrap())),
        warm_up: Duration::ZERO,
        duration: Duration::from_millis(200),
        timeout: Duration::from_secs(20),
        retry: false,
        queue: 1000,
        tls: None,
        headers: HeaderMap::new(),
        start: Start::Ready,
        hlog: None,
        quiet: true,
        tell: None,
        phases: Vec::new(),
    }
}

/// So many requests, all due at once.
fn burst(requests: u64) -> Load {
    Load::Open(Shape::Bursts {
        requests,
        every: Duration::from_secs(3600),
    })
}

fn ended(answers: &Answers) -> u64 {
    answers.accepted + answers.partial + answers.refused + answers.rejected + answers.unanswered
}

fn arrivals(log: &Log, encoding: Encoding, inflate: fn(&Bytes) -> Bytes) -> Arrivals {
    let mut arrivals = Arrivals::new(Level::Full);
    for seen in log.lock().unwrap().iter() {
        let signal = match &*seen.path {
            path if path.contains("race") => Signal::Traces,
            path if path.contains("metrics") => Signal::Metrics,
            _ => Signal::Logs,
        };
        let mut found = Found::default();
        let body = inflate(&seen.body);
        let count = inspect(signal, encoding, &body, Level::Full, &mut found).unwrap();
        arrivals.record(count, &found);
    }
    arrivals
}

fn message(body: &Bytes) -> Bytes {
    assert_eq!(
        body.len(),
        5 + u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize
    );
    body.slice(5..)
}

#[track_caller]
fn assert_exact(outcome: Outcome, arrivals: &Arrivals) {
    let acknowledged = [outcome.acknowledged];
    let audit = audit::compare(&acknowledged, arrivals);
    assert_eq!(audit.acknowledged, arrivals.items());
    let findings = (audit.lost, audit.duplicated, audit.altered, audit.foreign);
    assert_eq!(findings, (0, 0, 0, 0));
}

#[test]
fn every_signal_goes_out_on_schedule_and_arrives_as_it_was_sent() {
    let (target, log) = serve(true, None, |_, _| Reply::ok());
    let mut settings = settings(target, Protocol::Grpc);
    settings.workload.signals = "traces=2,metrics=1,logs=1".parse().unwrap();
    settings.workload.items = 200;
    settings.warm_up = Duration::from_millis(50);
    settings.headers.insert("x-tenant", "shop".parse().unwrap());
    let outcome = run(&settings).unwrap();
    let report = &outcome.report;
    assert_eq!((report.requests.due, report.requests.accepted), (40, 40));
    assert_eq!(report.items.accepted, 8000);
    assert_eq!(report.statuses, [("OK".to_owned(), 40)].into());
    assert_eq!((report.latency.count, report.latency_raw.count), (40, 40));
    assert_eq!(
        report
            .points
            .iter()
            .map(|point| point.accepted)
            .sum::<u64>(),
        40
    );
    assert_eq!(report.body_bytes, report.wire_bytes);
    let requests = log.lock().unwrap().clone();
    assert_eq!(requests.len(), 50, "the warm-up is sent too");
    assert!(
        requests
            .iter()
            .all(|seen| seen.headers["x-tenant"] == "shop")
    );
    assert!(requests.iter().any(|seen| seen.connection == 1));
    assert_exact(outcome, &arrivals(&log, Encoding::Protobuf, message));
}

#[test]
fn frames_are_as_long_as_was_asked_however_they_are_written() {
    for writes in [Writes::Turn, Writes::Frame] {
        let (target, log) = serve(true, None, |_, _| Reply::ok());
        let mut settings = Settings {
            frame_bytes: Some(2048),
            writes,
            load: burst(3),
            ..settings(target, Protocol::Grpc)
        };
        settings.workload.items = 50;
        let outcome = run(&settings).unwrap();
        let title = &outcome.report.title;
        assert!(title.contains("frames of at most 2048 bytes"), "{title}");
        let is_said = title.contains("each frame in a write of its own");
        assert_eq!(is_said, writes == Writes::Frame, "{title}");
        for seen in log.lock().unwrap().iter() {
            assert!(seen.body.len() > 3 * 2048 && seen.longest == 2048);
        }
        assert_exact(outcome, &arrivals(&log, Encoding::Protobuf, message));
    }
}

#[test]
fn compressed_requests_have_ids_of_their_own() {
    for compression in [Compression::Gzip(6), Compression::Zstd(3)] {
        let (target, log) = serve(true, None, |_, _| Reply::ok());
        let settings = Settings {
            compression,
            ..settings(target, Protocol::Grpc)
        };
        let outcome = run(&settings).unwrap();
        assert!(outcome.report.wire_bytes < outcome.report.body_bytes);
        assert_eq!(
            log.lock().unwrap()[0].headers["grpc-encoding"],
            compression.name()
        );
        let inflate: fn(&Bytes) -> Bytes = match compression {
            Compression::Gzip(_) => |body| gunzip(&message(body)),
            _ => |body| zstd::decode_all(&message(body)[..]).unwrap().into(),
        };
        assert_exact(outcome, &arrivals(&log, Encoding::Protobuf, inflate));
    }
}

fn gunzip(body: &Bytes) -> Bytes {
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&body[..]);
    std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
    plain.into()
}

#[test]
fn a_pool_that_runs_out_is_repeated_and_said() {
    let (target, log) = serve(true, None, |_, _| Reply::ok());
    let mut settings = settings(target, Protocol::Grpc);
    settings.compression = Compression::Gzip(1);
    settings.pool.memory = 1;
    let report = run(&settings).unwrap().report;
    let said = &report.honesty.bottlenecks;
    assert!(
        said.iter().any(|s| s.contains("39 were repeated")),
        "{said:?}"
    );
    let log = log.lock().unwrap();
    assert!(log.iter().all(|seen| seen.body == log[0].body));
}

#[test]
fn phases_are_told_apart_by_when_requests_were_due() {
    let (target, _) = serve(true, None, |_, _| Reply::ok());
    let mut settings = settings(target, Protocol::Grpc);
    settings.phases = ["first=0s..100ms", "all=0s..9s", "none=8s..9s"]
        .map(|phase| phase.parse().unwrap())
        .into();
    let report = run(&settings).unwrap().report;
    let due = |name: &str| {
        let phase = &report.phases[name];
        assert_eq!(phase.accepted, phase.due, "{name}");
        assert_eq!(phase.items, phase.due * 3, "{name}");
        assert_eq!(phase.latency.count, phase.due, "{name}");
        phase.due
    };
    assert_eq!((due("first"), due("all"), due("none")), (20, 40, 0));
}

#[test]
fn http_1_carries_both_encodings() {
    let (target, log) = serve(false, None, |_, _| Reply::http(200, &[], ""));
    let outcome = run(&Settings {
        compression: Compression::Gzip(6),
        ..settings(target, Protocol::HttpProtobuf)
    });
    let seen = log.lock().unwrap()[0].clone();
    assert_eq!(seen.path, "/v1/traces");
    assert_eq!(seen.headers["content-type"], "application/x-protobuf");
    assert_eq!(seen.headers["content-encoding"], "gzip");
    assert!(
        log.lock().unwrap().iter().all(|seen| seen.connection < 2),
        "kept alive"
    );
    assert_exact(
        outcome.unwrap(),
        &arrivals(&log, Encoding::Protobuf, gunzip),
    );

    let json = [("content-type", "application/json")];
    let (target, log) = serve(false, None, move |_, _| Reply::http(200, &json, "{}"));
    let outcome = run(&settings(target, Protocol::HttpJson)).unwrap();
    assert_eq!(
        outcome.report.statuses,
        [("HTTP 200".to_owned(), 40)].into()
    );
    assert_eq!(
        log.lock().unwrap()[0].headers["content-type"],
        "application/json"
    );
    assert_exact(outcome, &arrivals(&log, Encoding::Json, Bytes::clone));
}

#[test]
fn refusals_are_told_apart_and_their_delays_read() {
    let (target, _) = serve(true, None, |number, _| match number % 4 {
        0 => Reply::refused("14", Some(RETRY_10_MS)),
        1 => Reply::refused("8", None),
        2 => Reply::refused("3", None),
        _ => Reply::refused("14", None),
    });
    let report = run(&settings(target, Protocol::Grpc)).unwrap().report;
    assert_eq!(
        (report.requests.refused, report.requests.rejected),
        (20, 20)
    );
    assert_eq!(report.statuses["UNAVAILABLE"], 20);
    assert_eq!(report.statuses["RESOURCE_EXHAUSTED"], 10);
    assert_eq!(report.statuses["INVALID_ARGUMENT"], 10);
    let delays = report.delays.unwrap();
    assert_eq!(
        (delays.with, delays.without, delays.min, delays.max),
        (10, 10, 0.01, 0.01)
    );
    assert_eq!(report.latency.count, 0, "a refusal is no delivery");

    let (target, _) = serve(false, None, |number, _| match number % 2 {
        0 => Reply::http(503, &[("retry-after", "2")], "busy"),
        _ => Reply::http(413, &[], "too large"),
    });
    let report = run(&settings(target, Protocol::HttpProtobuf))
        .unwrap()
        .report;
    assert_eq!(
        (report.statuses["HTTP 503"], report.statuses["HTTP 413"]),
        (20, 20)
    );
    assert_eq!(report.delays.unwrap().max, 2.0);
}

#[test]
fn a_repetition_has_the_same_bytes_and_counts_once() {
    let (target, log) = serve(true, None, |number, _| {
        if number < 30 {
            Reply::refused("14", Some(RETRY_10_MS))
        } else {
            Reply::ok()
        }
    });
    let settings = Settings {
        retry: true,
        ..settings(target, Protocol::Grpc)
    };
    let outcome = run(&settings).unwrap();
    let report = &outcome.report;
    assert_eq!((report.requests.sent, report.requests.accepted), (40, 40));
    assert_eq!(
        (report.statuses["UNAVAILABLE"], report.statuses["OK"]),
        (30, 40)
    );
    assert!(
        report.latency.max_us >= 10_000,
        "it runs from the first due time"
    );
    let mut times = HashMap::new();
    for seen in log.lock().unwrap().iter() {
        *times.entry(seen.body.clone()).or_insert(0) += 1;
    }
    assert_eq!((times.len(), times.values().sum::<i32>()), (40, 70));
    assert_eq!(outcome.acknowledged.accepted().len(), 120);
}

#[test]
fn partial_success_is_partial() {
    // Field 1, the partial success: field 1, two rejected.
    let (target, _) = serve(true, None, |_, _| Reply::message(&[0x0a, 2, 0x08, 2]));
    let outcome = run(&settings(target, Protocol::Grpc)).unwrap();
    let report = outcome.report;
    assert_eq!((report.requests.accepted, report.requests.partial), (0, 40));
    assert_eq!((report.items.accepted, report.items.partial), (40, 80));
    assert!(
        outcome.acknowledged.accepted().is_empty(),
        "which ones is not known"
    );
}

#[test]
fn a_connection_that_ends_is_opened_again() {
    let ends = |number, _: &_| match number {
        3 | 9 => Reply::Close,
        _ => Reply::ok(),
    };
    let (target, log) = serve(true, None, ends);
    let report = run(&settings(target, Protocol::Grpc)).unwrap().report;
    assert_eq!((report.requests.due, ended(&report.requests)), (40, 40));
    assert!(report.requests.unanswered >= 2);
    assert!(log.lock().unwrap().iter().any(|seen| seen.connection >= 2));

    let (target, _) = serve(true, None, ends);
    let settings = Settings {
        retry: true,
        ..settings(target, Protocol::Grpc)
    };
    let outcome = run(&settings).unwrap();
    assert_eq!(
        outcome.report.requests.accepted, 40,
        "{:?}",
        outcome.report.statuses
    );

    let (target, _) = serve(false, None, |number, _| match number {
        3 | 9 => Reply::Close,
        _ => Reply::http(200, &[], ""),
    });
    let settings = Settings {
        retry: true,
        ..self::settings(target, Protocol::HttpProtobuf)
    };
    let outcome = run(&settings).unwrap();
    assert_eq!(
        outcome.report.requests.accepted, 40,
        "{:?}",
        outcome.report.statuses
    );
}

#[test]
fn silence_is_counted_and_the_line_is_bounded() {
    let (target, _) = serve(true, None, |_, _| Reply::Hang);
    let outcome = run(&Settings {
        load: burst(20),
        connections: 1,
        in_flight: 2,
        queue: 5,
        timeout: Duration::from_millis(100),
        duration: Duration::from_millis(50),
        ..settings(target, Protocol::Grpc)
    });
    let report = outcome.unwrap().report;
    assert_eq!((report.requests.due, report.requests.unanswered), (20, 20));
    assert_eq!(report.statuses["not sent: line full"], 13);
    assert!(report.statuses["timeout"] >= 2);
    let said = &report.honesty.bottlenecks;
    assert!(
        said.iter()
            .any(|s| s.contains("1 connections × 2 in flight")),
        "{said:?}"
    );
}

#[test]
fn latency_runs_from_when_a_request_was_due() {
    let (target, _) = serve(true, None, |_, _| Reply::ok());
    let outcome = run(&Settings {
        load: burst(50),
        connections: 1,
        in_flight: 1,
        ..settings(target, Protocol::Grpc)
    });
    let report = outcome.unwrap().report;
    // All were due at once and went one after the other: the last waited for all before it.
    assert_eq!(report.requests.accepted, 50);
    let one_by_one = report.latency_raw.mean_us * 40.0;
    assert!(report.latency.max_us as f64 > one_by_one, "{report:?}");
}

#[test]
fn a_closed_loop_claims_no_more_than_raw_latency() {
    let (target, _) = serve(true, None, |_, _| Reply::ok());
    let settings = Settings {
        load: Load::Closed,
        ..settings(target, Protocol::Grpc)
    };
    let report = run(&settings).unwrap().report;
    assert_eq!(report.latency.count, 0);
    assert_eq!(report.latency_raw.count, report.requests.accepted);
    assert!(report.requests.accepted > 0, "{:?}", report.requests);
    assert_eq!(report.requests.due, ended(&report.requests));
}

#[test]
fn tls_trusts_whom_it_is_told_to() {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, issued.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der());
    let provider = rustls::crypto::ring::default_provider().into();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let (target, _) = serve(true, Some(acceptor), |_, _| Reply::ok());
    let trusting = |ca, insecure| Settings {
        tls: Some(Tls {
            ca,
            insecure,
            ..Tls::default()
        }),
        ..settings(target, Protocol::Grpc)
    };
    for tls in [trusting(Some(ca), false), trusting(None, true)] {
        assert_eq!(run(&tls).unwrap().report.requests.accepted, 40);
    }
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let stranger = folder.path().join("other.pem");
    std::fs::write(&stranger, other.cert.pem()).unwrap();
    let error = run(&trusting(Some(stranger), false)).unwrap_err();
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

#[test]
fn a_target_that_is_not_there_is_an_error() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = run(&settings(gone, Protocol::Grpc)).unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
}
