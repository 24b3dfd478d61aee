use std::{
    io,
    sync::mpsc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        profiles::v1development::ExportProfilesServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, metric::Data, number_data_point,
    },
    profiles::v1development::{
        Profile, ProfilesDictionary, ResourceProfiles, Sample, ScopeProfiles, ValueType,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;

use super::{
    Console,
    page::{self, ITEMS_MAX},
    text::{Paint, attributes, clock, duration, safe},
};
use crate::{
    cli::embedded::{Arrival, Collect},
    outcome::Outcome,
    signal::Signal,
};

const PLAIN: Paint = Paint { on: false };

fn string(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(string(value)),
        ..KeyValue::default()
    }
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![text("service.name", "checkout")],
        ..Resource::default()
    })
}

fn spans(count: u64) -> Bytes {
    let span = |number| Span {
        trace_id: vec![0x4b, 0xf9, 0x2f, 0x35, 0x77],
        name: format!("GET /{number}"),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 12_301_000,
        attributes: vec![text("http.route", "/")],
        status: Some(Status {
            message: "no stock".to_owned(),
            code: StatusCode::Error.into(),
        }),
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "shop".to_owned(),
                    version: "1.2".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans: (0..count).map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
    .into()
}

fn logs(body: AnyValue) -> Bytes {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    time_unix_nano: 3_600_000_000_000,
                    severity_number: 17,
                    body: Some(body),
                    ..LogRecord::default()
                }],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
    .encode_to_vec()
    .into()
}

fn shown(signal: Signal, body: Bytes) -> String {
    let now = UNIX_EPOCH + Duration::from_millis(43_200_007);
    page::of(signal, body, now, PLAIN).unwrap().text
}

#[test]
fn a_span_is_a_heading_and_a_line() {
    assert_eq!(
        shown(Signal::Traces, spans(1)),
        "12:00:00.007 traces  checkout  1 span  shop 1.2\n  GET /0                       server     \
         12.3 ms  error  4bf92f35  no stock  http.route=/\n"
    );
}

#[test]
fn a_large_request_is_cut_and_says_so() {
    let text = shown(Signal::Traces, spans(100));
    assert_eq!(text.lines().count(), ITEMS_MAX + 2, "{text}");
    assert!(text.ends_with("  … and 80 more\n"), "{text}");
}

/// A batch of many small requests has a heading for each: those are bounded too.
#[test]
fn many_resources_are_cut_and_counted() {
    let many: Vec<u8> = (0..1000).flat_map(|_| spans(0)).chain(spans(3)).collect();
    let text = shown(Signal::Traces, many.into());
    assert_eq!(text.lines().count(), 2 * ITEMS_MAX + 1, "{text}");
    assert!(text.ends_with("  … and 3 more\n"), "{text}");
}

#[test]
fn metrics_and_profiles_have_a_line_each() {
    let metric = |name: &str, data| Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let metrics = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![
                    metric(
                        "up",
                        Data::Gauge(Gauge {
                            data_points: vec![NumberDataPoint {
                                value: Some(number_data_point::Value::AsInt(7)),
                                ..NumberDataPoint::default()
                            }],
                        }),
                    ),
                    metric(
                        "took",
                        Data::Histogram(Histogram {
                            data_points: vec![HistogramDataPoint {
                                count: 12,
                                sum: Some(3.5),
                                ..HistogramDataPoint::default()
                            }],
                            ..Histogram::default()
                        }),
                    ),
                ],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let text = shown(Signal::Metrics, metrics.encode_to_vec().into());
    assert!(
        text.contains("metrics  (no service.name)  2 metric points"),
        "{text}"
    );
    assert!(text.contains("gauge     7 s\n"), "{text}");
    assert!(text.contains("histogram count=12 sum=3.5 s\n"), "{text}");

    let profiles = ExportProfilesServiceRequest {
        resource_profiles: vec![ResourceProfiles {
            scope_profiles: vec![ScopeProfiles {
                profiles: vec![Profile {
                    sample_type: Some(ValueType {
                        type_strindex: 1,
                        unit_strindex: 9,
                    }),
                    samples: vec![Sample::default(); 2],
                    ..Profile::default()
                }],
                ..ScopeProfiles::default()
            }],
            ..ResourceProfiles::default()
        }],
        dictionary: Some(ProfilesDictionary {
            string_table: vec![String::new(), "cpu".to_owned()],
            ..ProfilesDictionary::default()
        }),
    };
    let text = shown(Signal::Profiles, profiles.encode_to_vec().into());
    assert!(text.contains("2 profile samples"), "{text}");
    assert!(
        text.contains("  cpu          -              2 samples"),
        "{text}"
    );
}

/// A log body that clears the screen, hides a command, forges a line and turns the text around.
#[test]
fn telemetry_cannot_drive_the_terminal() {
    let hostile = "a\x1b[2J\x1b]0;title\x07\r\nb\u{9b}31m\u{202e}c\u{200b}\u{2028}";
    let text = shown(Signal::Logs, logs(string(hostile)));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains(
            r"01:00:00.000 ERROR a\u{1b}[2J\u{1b}]0;title\u{7}\r\nb\u{9b}31m\u{202e}c\u{200b}\u{2028}"
        ),
        "{text}"
    );
    let key = text_of_attribute("\x1b[31mkey", "v");
    assert_eq!(key, r"\u{1b}[31mkey=v");
}

fn text_of_attribute(key: &str, value: &str) -> String {
    attributes(&[text(key, value)])
}

#[test]
fn a_long_value_is_cut_however_deep_it_lies() {
    assert_eq!(safe("abcdef", 6), "abcdef");
    assert_eq!(safe("abcdefg", 6), "abcdef…");
    let mut deep = string(&"x".repeat(1_000_000));
    for _ in 0..20 {
        deep = AnyValue {
            value: Some(Value::ArrayValue(ArrayValue {
                values: vec![deep.clone()],
            })),
        };
    }
    let text = shown(Signal::Logs, logs(deep));
    assert!(text.len() < 500, "{} bytes", text.len());
    assert!(text.contains("[[[[") && text.contains('…'), "{text}");
}

#[test]
fn attributes_are_counted_where_they_do_not_all_fit() {
    let many: Vec<KeyValue> = (0..9)
        .map(|number| text(&format!("k{number}"), "v"))
        .collect();
    assert_eq!(attributes(&many), "k0=v k1=v k2=v k3=v k4=v k5=v +3");
}

#[test]
fn colours_are_there_only_where_asked_for() {
    let page = |on| {
        let paint = Paint { on };
        page::of(Signal::Traces, spans(1), UNIX_EPOCH, paint)
            .unwrap()
            .text
    };
    assert!(page(true).contains("\x1b[31merror"));
    assert!(!page(false).contains('\x1b'));
}

#[test]
fn times_read_as_people_write_them() {
    assert_eq!(duration(999), "999 ns");
    assert_eq!(duration(1_500), "1.5 us");
    assert_eq!(duration(12_345_678), "12.3 ms");
    assert_eq!(duration(61_000_000_000), "61.0 s");
    assert_eq!(clock(86_399_999_000_000), "23:59:59.999");
    assert_eq!(clock(0), "00:00:00.000");
}

/// Hands on what is written.
struct Written(mpsc::Sender<Vec<u8>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Feeds a console and returns what it answered last and all that it printed.
fn fed(arrivals: impl IntoIterator<Item = (Signal, Bytes)>) -> (Outcome, String) {
    let (to, from) = mpsc::channel();
    let mut console = Console::new(PLAIN, Written(to));
    let mut last = Outcome::Accepted;
    for (signal, body) in arrivals {
        let items = 1;
        last = console.collect(Arrival {
            signal,
            items,
            body,
        });
    }
    console.finish();
    drop(console);
    let printed: Vec<u8> = from.iter().flatten().collect();
    (last, String::from_utf8(printed).unwrap())
}

#[test]
fn what_cannot_be_read_is_refused_for_good_and_said() {
    let (outcome, printed) = fed([(Signal::Logs, Bytes::from_static(b"\x0a\x7f"))]);
    let Outcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(!refusal.is_retryable());
    assert!(
        printed.starts_with("the console cannot read a logs request"),
        "{printed}"
    );
}

#[test]
fn a_flood_is_accepted_and_what_was_not_shown_is_counted() {
    let body = spans(1);
    let flood = 10_000;
    let (outcome, printed) = fed((0..flood).map(|_| (Signal::Traces, body.clone())));
    assert!(matches!(outcome, Outcome::Accepted));
    let shown = printed.matches("traces  checkout").count();
    let held: usize = printed
        .lines()
        .filter_map(|line| {
            line.strip_prefix("… and ")?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum();
    assert_eq!(shown + held, flood, "{printed}");
    assert!(held > 0, "{printed}");
}
