//! What is built reads back, legal re-encoding passes, and any real change is found.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use loadtest::audit::{Acknowledged, Arrivals, compare};
use loadtest::telemetry::{
    Encoding, Found, Level, Mix, Payload, Payloads, Signal, Undecodable, Workload, inspect,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use proptest::prelude::*;
use prost::Message;

fn payloads(signals: Mix, items: u32, encoding: Encoding) -> Payloads {
    Payloads::new(&Workload {
        signals,
        items,
        encoding,
        sender: 5,
        seed: 11,
    })
}

fn one(signal: Signal, items: u32) -> Payload {
    payloads(Mix::only(signal), items, Encoding::Protobuf).next()
}

fn look(signal: Signal, body: impl Into<Bytes>, level: Level) -> Result<Found, Undecodable> {
    let mut found = Found::default();
    inspect(signal, Encoding::Protobuf, &body.into(), level, &mut found)?;
    Ok(found)
}

fn clean(ids: impl IntoIterator<Item = u64>) -> Found {
    Found {
        ids: ids.into_iter().collect(),
        ..Found::default()
    }
}

fn traces(items: u32) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(one(Signal::Traces, items).body).expect("a request")
}

fn spans(request: &mut ExportTraceServiceRequest) -> impl Iterator<Item = &mut Span> {
    let scopes = request
        .resource_spans
        .iter_mut()
        .flat_map(|of| &mut of.scope_spans);
    scopes.flat_map(|of| &mut of.spans)
}

#[test]
fn every_item_reads_back_with_its_id_and_unaltered() {
    for signal in Signal::ALL {
        let protobuf = [1, 7, 100, 1_500].map(|items| (Encoding::Protobuf, items));
        let json = [1, 60].map(|items| (Encoding::Json, items));
        for (encoding, items) in protobuf.into_iter().chain(json) {
            let mut payloads = payloads(Mix::only(signal), items, encoding);
            let mut next = 5 << 48;
            for _ in 0..3 {
                let payload = payloads.next();
                assert_eq!((payload.signal, payload.items), (signal, items));
                assert_eq!(payload.ids, next..next + u64::from(items));
                next = payload.ids.end;
                for level in [Level::Count, Level::Ids, Level::Full] {
                    let mut found = Found::default();
                    let count =
                        inspect(signal, encoding, &payload.body, level, &mut found).unwrap();
                    assert_eq!(count.items, u64::from(items));
                    let ids = if level == Level::Count {
                        0..0
                    } else {
                        payload.ids.clone()
                    };
                    assert_eq!(found, clean(ids), "{signal} {encoding:?} {items} {level}");
                }
            }
        }
    }
}

#[test]
fn the_largest_request_reads_back() {
    let payload = one(Signal::Traces, Workload::MOST_ITEMS);
    let found = look(Signal::Traces, payload.body, Level::Full).unwrap();
    assert_eq!(found, clean(payload.ids));
}

#[test]
fn a_hundred_spans_are_about_43_kilobytes() {
    let mut payloads = payloads(Mix::only(Signal::Traces), 100, Encoding::Protobuf);
    let lengths: Vec<_> = (0..40).map(|_| payloads.next().body.len()).collect();
    let mean = lengths.iter().sum::<usize>() / lengths.len();
    assert!((41_000..45_000).contains(&mean), "{mean} bytes");
}

#[test]
fn a_seed_determines_the_bytes_and_requests_differ() {
    let draw = |seed, sender| {
        let mut payloads = Payloads::new(&Workload {
            signals: "mix".parse().unwrap(),
            items: 2,
            encoding: Encoding::Protobuf,
            sender,
            seed,
        });
        (0..40).map(|_| payloads.next().body).collect::<Vec<_>>()
    };
    assert_eq!(draw(1, 1), draw(1, 1));
    assert_ne!(draw(1, 1), draw(1, 2));
    assert_ne!(draw(1, 1), draw(2, 1));
    assert_eq!(draw(1, 1).into_iter().collect::<HashSet<_>>().len(), 40);
}

#[test]
fn a_mix_sends_each_signal_by_its_weight() {
    let mut payloads = payloads("traces=3,logs=1".parse().unwrap(), 2, Encoding::Protobuf);
    let mut counted: HashMap<Signal, usize> = HashMap::new();
    for payload in (0..100).map(|_| payloads.next()) {
        let found = look(payload.signal, payload.body, Level::Full).unwrap();
        assert_eq!(found, clean(payload.ids));
        *counted.entry(payload.signal).or_default() += 1;
    }
    assert_eq!(
        counted,
        HashMap::from([(Signal::Traces, 75), (Signal::Logs, 25)])
    );
}

#[test]
fn traces_are_plausible() {
    let mut request = traces(1_000);
    let resources = request.resource_spans.len();
    assert!(resources > 4, "{resources} resources");
    let spans: Vec<Span> = spans(&mut request).map(|span| span.clone()).collect();
    let by_id: HashMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
    assert_eq!(by_id.len(), spans.len());
    let mut children = 0;
    for span in &spans {
        assert!(
            (8..=12).contains(&span.attributes.len()),
            "{:?}",
            span.attributes
        );
        let keys: HashSet<_> = span.attributes.iter().map(|of| &of.key).collect();
        assert_eq!(keys.len(), span.attributes.len(), "{:?}", span.attributes);
        assert_eq!(span.attributes.last().unwrap().key, "loadtest.id");
        assert!(span.start_time_unix_nano < span.end_time_unix_nano);
        let during = span.start_time_unix_nano..=span.end_time_unix_nano;
        assert!(
            span.events
                .iter()
                .all(|event| during.contains(&event.time_unix_nano))
        );
        if let Some(parent) = by_id.get(&span.parent_span_id) {
            children += 1;
            assert_eq!(parent.trace_id, span.trace_id);
            assert!(parent.start_time_unix_nano <= span.start_time_unix_nano);
            assert!(parent.end_time_unix_nano >= span.end_time_unix_nano);
        }
    }
    assert!(
        children > 700,
        "{children} of 1,000 spans have their parent in the request"
    );
    let with_event = spans.iter().filter(|span| !span.events.is_empty()).count();
    assert!(
        (200..300).contains(&with_event),
        "{with_event} spans with an event"
    );
    assert!(spans.iter().any(|span| !span.links.is_empty()));
    let kinds: HashSet<_> = spans.iter().map(Span::kind).collect();
    assert_eq!(kinds.len(), 5);
    assert!(!kinds.contains(&SpanKind::Unspecified));
    let values: HashSet<_> = spans
        .iter()
        .flat_map(|span| &span.attributes)
        .filter_map(|of| of.value.as_ref()?.value.as_ref())
        .map(std::mem::discriminant)
        .collect();
    assert_eq!(
        values.len(),
        7,
        "every kind of value but the profiles' index"
    );
}

#[test]
fn metrics_are_of_every_kind() {
    let request = ExportMetricsServiceRequest::decode(one(Signal::Metrics, 1_000).body).unwrap();
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|of| &of.scope_metrics);
    let metrics: Vec<_> = scopes.flat_map(|of| &of.metrics).collect();
    assert!(
        metrics
            .iter()
            .all(|metric| !metric.name.is_empty() && !metric.unit.is_empty())
    );
    let data = || metrics.iter().map(|metric| metric.data.as_ref().unwrap());
    assert_eq!(
        data()
            .map(std::mem::discriminant)
            .collect::<HashSet<_>>()
            .len(),
        5
    );
    let sums = data().filter_map(|data| match data {
        Data::Sum(sum) => Some((sum.aggregation_temporality, sum.is_monotonic)),
        _ => None,
    });
    assert_eq!(
        sums.collect::<HashSet<_>>(),
        HashSet::from([(1, true), (2, true), (2, false)])
    );
    let exemplars = data().any(|data| match data {
        Data::Histogram(of) => of
            .data_points
            .iter()
            .any(|point| !point.exemplars.is_empty()),
        _ => false,
    });
    assert!(exemplars);
}

#[test]
fn log_records_have_bodies_of_80_to_400_bytes() {
    let request = ExportLogsServiceRequest::decode(one(Signal::Logs, 1_000).body).unwrap();
    let scopes = request.resource_logs.iter().flat_map(|of| &of.scope_logs);
    let records: Vec<_> = scopes.flat_map(|of| &of.log_records).collect();
    let texts = records
        .iter()
        .filter_map(|record| match record.body.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.len()),
            _ => None,
        });
    let texts: Vec<_> = texts.collect();
    assert!(texts.iter().all(|length| (80..=400).contains(length)));
    assert!(
        texts.len() > 700 && texts.len() < records.len(),
        "some bodies are structured"
    );
    let severities: HashSet<_> = records
        .iter()
        .map(|record| record.severity_number)
        .collect();
    assert!(severities.len() >= 4);
    let correlated = records
        .iter()
        .filter(|record| record.trace_id.len() == 16)
        .count();
    assert!((600..800).contains(&correlated), "{correlated} in a trace");
}

#[test]
fn json_is_as_otlp_specifies() {
    let payload = payloads(Mix::only(Signal::Traces), 50, Encoding::Json).next();
    let request: serde_json::Value = serde_json::from_slice(&payload.body).unwrap();
    let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
    let spans: Vec<_> = list(&request["resourceSpans"])
        .iter()
        .flat_map(|of| list(&of["scopeSpans"]))
        .flat_map(|of| list(&of["spans"]))
        .collect();
    assert_eq!(spans.len(), 50);
    for span in &spans {
        let trace_id = span["traceId"].as_str().unwrap();
        assert!(trace_id.len() == 32 && trace_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
        assert!(span["kind"].is_u64(), "enums are numbers");
        assert!(
            span["startTimeUnixNano"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .is_ok()
        );
        let attributes = list(&span["attributes"]);
        let id = attributes
            .iter()
            .find(|of| of["key"] == "loadtest.id")
            .unwrap();
        assert_eq!(
            id["value"]["bytesValue"].as_str().unwrap().len(),
            16,
            "base64 of 12 bytes"
        );
        for value in attributes
            .iter()
            .filter_map(|of| of["value"].get("intValue"))
        {
            assert!(
                value.as_str().unwrap().parse::<i64>().is_ok(),
                "64 bits are text"
            );
        }
    }
    assert!(!String::from_utf8_lossy(&payload.body).contains("null"));
}

#[test]
fn json_and_protobuf_of_a_seed_say_the_same() {
    for signal in Signal::ALL {
        let protobuf = payloads(Mix::only(signal), 40, Encoding::Protobuf)
            .next()
            .body;
        let json = payloads(Mix::only(signal), 40, Encoding::Json).next().body;
        match signal {
            Signal::Traces => assert_eq!(
                serde_json::from_slice::<ExportTraceServiceRequest>(&json).unwrap(),
                ExportTraceServiceRequest::decode(protobuf).unwrap()
            ),
            Signal::Metrics => assert_eq!(
                serde_json::from_slice::<ExportMetricsServiceRequest>(&json).unwrap(),
                ExportMetricsServiceRequest::decode(protobuf).unwrap()
            ),
            Signal::Logs => assert_eq!(
                serde_json::from_slice::<ExportLogsServiceRequest>(&json).unwrap(),
                ExportLogsServiceRequest::decode(protobuf).unwrap()
            ),
        }
    }
}

#[test]
fn other_orders_of_attributes_and_another_grouping_are_no_alteration() {
    let mut request = traces(200);
    let sent: HashSet<u64> = one(Signal::Traces, 200).ids.collect();
    for of in &mut request.resource_spans {
        of.resource.as_mut().unwrap().attributes.reverse();
        // Each span under a scope of its own.
        for mut scope in std::mem::take(&mut of.scope_spans) {
            for span in std::mem::take(&mut scope.spans) {
                let mut single = scope.clone();
                single.spans = vec![span];
                of.scope_spans.push(single);
            }
        }
        of.scope_spans.reverse();
    }
    for span in spans(&mut request) {
        span.attributes.reverse();
        span.events
            .iter_mut()
            .for_each(|event| event.attributes.reverse());
        for attribute in &mut span.attributes {
            if let Some(Value::KvlistValue(map)) = attribute.value.as_mut().unwrap().value.as_mut()
            {
                map.values.reverse();
            }
        }
    }
    let found = look(Signal::Traces, request.encode_to_vec(), Level::Full).unwrap();
    assert_eq!((found.altered, found.foreign), (Vec::new(), 0));
    assert_eq!(found.ids.into_iter().collect::<HashSet<_>>(), sent);
}

/// A field that holds bytes, as it is on the wire.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag << 3 | 2];
    prost::encode_length_delimiter(bytes.len(), &mut field).expect("a vector grows");
    field.extend(bytes);
    field
}

#[test]
fn other_orders_of_fields_and_longer_varints_are_no_alteration() {
    let request = traces(40);
    let of = &request.resource_spans[0];
    let scope = &of.scope_spans[0];
    let span = scope
        .spans
        .iter()
        .find(|span| span.events.is_empty())
        .unwrap();

    // Attributes first, the value of each ahead of its key; then the rest; then a default value
    // written out, a varint with a needless byte, and a field that the schema does not know.
    let mut encoding = Vec::new();
    for KeyValue { key, value, .. } in &span.attributes {
        let value = value.as_ref().unwrap().encode_to_vec();
        encoding.extend(field(
            9,
            &[field(2, &value), field(1, key.as_bytes())].concat(),
        ));
    }
    let rest = Span {
        attributes: Vec::new(),
        kind: 0,
        ..span.clone()
    };
    encoding.extend(rest.encode_to_vec());
    encoding.extend([10 << 3, 0]);
    encoding.extend([6 << 3, 0x80 | span.kind as u8, 0]);
    encoding.extend([0x9A, 0x06, 3, 1, 2, 3]);

    // The enclosing messages from their last field to their first.
    let scope = [
        field(3, scope.schema_url.as_bytes()),
        field(2, &encoding),
        field(1, &scope.scope.as_ref().unwrap().encode_to_vec()),
    ];
    let of = [
        field(3, of.schema_url.as_bytes()),
        field(2, &scope.concat()),
        field(1, &of.resource.as_ref().unwrap().encode_to_vec()),
    ];
    let body = field(1, &of.concat());
    for level in [Level::Ids, Level::Full] {
        let found = look(Signal::Traces, body.clone(), level).unwrap();
        assert_eq!(
            (found.ids.len(), found.altered, found.foreign),
            (1, Vec::new(), 0),
            "{level}"
        );
        assert!(one(Signal::Traces, 40).ids.contains(&found.ids[0]));
    }
}

#[test]
fn a_change_of_an_item_or_its_place_is_found() {
    let altered = |change: &dyn Fn(&mut ExportTraceServiceRequest)| {
        let mut request = traces(3);
        change(&mut request);
        look(Signal::Traces, request.encode_to_vec(), Level::Full)
            .unwrap()
            .altered
            .len()
    };
    let first = |change: fn(&mut Span)| altered(&|request| change(spans(request).next().unwrap()));
    assert_eq!(altered(&|_| {}), 0);
    assert_eq!(first(|span| span.name.push('!')), 1);
    assert_eq!(first(|span| span.end_time_unix_nano += 1), 1);
    assert_eq!(first(|span| drop(span.attributes.remove(0))), 1);
    assert_eq!(first(|span| span.attributes.push(KeyValue::default())), 1);
    assert_eq!(first(|span| span.attributes[0].key.clear()), 1);
    assert_eq!(first(|span| span.links.push(Link::default())), 1);
    assert_eq!(first(|span| span.dropped_events_count = 1), 1);
    assert_eq!(
        altered(&|request| request.resource_spans[0].schema_url.clear()),
        3
    );
    let of_resource = |request: &mut ExportTraceServiceRequest| {
        request.resource_spans[0]
            .resource
            .as_mut()
            .unwrap()
            .attributes
            .pop();
    };
    assert_eq!(altered(&of_resource), 3);
    let of_scopes = |request: &mut ExportTraceServiceRequest| {
        request.resource_spans[0]
            .scope_spans
            .iter_mut()
            .for_each(|of| of.scope = None);
    };
    assert_eq!(altered(&of_scopes), 3);
}

#[test]
fn a_change_of_a_metric_is_a_change_of_its_points() {
    let request = ExportMetricsServiceRequest::decode(one(Signal::Metrics, 60).body).unwrap();
    let altered = |change: &dyn Fn(&mut Metric)| {
        let mut request = request.clone();
        let scopes = request
            .resource_metrics
            .iter_mut()
            .flat_map(|of| &mut of.scope_metrics);
        scopes.flat_map(|of| &mut of.metrics).for_each(change);
        look(Signal::Metrics, request.encode_to_vec(), Level::Full)
            .unwrap()
            .altered
            .len()
    };
    assert_eq!(altered(&|_| {}), 0);
    assert_eq!(altered(&|metric| metric.name.push('s')), 60);
    assert_eq!(altered(&|metric| metric.unit.push('s')), 60);
    let monotonic = altered(&|metric| {
        if let Some(Data::Sum(sum)) = metric.data.as_mut() {
            sum.is_monotonic = !sum.is_monotonic;
        }
    });
    assert!(monotonic > 0 && monotonic < 60, "{monotonic}");
}

#[test]
fn what_carries_no_id_is_foreign_and_nothing_else_is_taken_for_one() {
    let mut request = traces(4);
    let mut all = spans(&mut request);
    let without = all.next().unwrap();
    let taken = without.attributes.pop().unwrap();
    let in_an_event = all.next().unwrap();
    in_an_event.attributes.pop();
    in_an_event.events.push(Event {
        attributes: vec![taken],
        ..Event::default()
    });
    let with_text = all.next().unwrap();
    let value = with_text
        .attributes
        .last_mut()
        .unwrap()
        .value
        .as_mut()
        .unwrap();
    value.value = Some(Value::StringValue("123456789012".to_owned()));
    // Its own id is fine; the same key occurs ahead of it.
    all.next().unwrap().name = "find loadtest.id".to_owned();
    drop(all);

    let body = request.encode_to_vec();
    let found = look(Signal::Traces, body.clone(), Level::Ids).unwrap();
    assert_eq!((found.ids.len(), found.foreign), (1, 3));
    let full = look(Signal::Traces, body, Level::Full).unwrap();
    assert_eq!(
        (full.altered.as_slice(), full.foreign),
        (found.ids.as_slice(), 3)
    );
}

#[test]
fn what_does_not_decode_leaves_what_was_found_before() {
    let payload = one(Signal::Logs, 5);
    let mut found = look(Signal::Logs, payload.body.clone(), Level::Full).unwrap();
    let before = found.clone();
    let mut broken = payload.body.to_vec();
    broken.extend([0x0A, 0x7F]);
    // The second of two resources is cut: items of the first were found already.
    let mut half = payload.body.to_vec();
    half.extend(field(1, &[0x12, 0x7F]));
    for (encoding, body, why) in [
        (
            Encoding::Protobuf,
            Bytes::from(broken),
            "no logs request in protobuf",
        ),
        (
            Encoding::Protobuf,
            Bytes::from(half),
            "no logs request in protobuf",
        ),
        (Encoding::Json, payload.body, "no logs request in OTLP/JSON"),
    ] {
        let error = inspect(Signal::Logs, encoding, &body, Level::Full, &mut found).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(found, before);
    }
    let empty = look(Signal::Logs, Bytes::new(), Level::Full).unwrap();
    assert_eq!(empty, Found::default());
}

#[test]
fn an_audit_tells_what_became_of_every_item() {
    let mut payloads = payloads("mix".parse().unwrap(), 10, Encoding::Protobuf);
    let mut told = Acknowledged::new();
    let mut arrivals = Arrivals::new(Level::Full);
    let mut arrive = |payload: &Payload| {
        let mut found = Found::default();
        let (signal, body) = (payload.signal, &payload.body);
        let count = inspect(signal, Encoding::Protobuf, body, Level::Full, &mut found).unwrap();
        arrivals.record(count, &found);
    };
    let fine = payloads.next();
    told.accept(fine.ids.clone());
    arrive(&fine);
    let lost = payloads.next();
    told.accept(lost.ids);
    let twice = payloads.next();
    told.refuse(twice.ids.clone());
    told.accept(twice.ids.clone());
    arrive(&twice);
    arrive(&twice);
    let unanswered = payloads.next();
    told.unanswered(unanswered.ids.clone());
    arrive(&unanswered);
    let refused = payloads.next();
    told.refuse(refused.ids);
    let untold = payloads.next();
    arrive(&untold);

    let audit = compare(&[told], &arrivals);
    assert_eq!(
        (audit.level.as_str(), audit.acknowledged, audit.arrived),
        ("full", 30, 40)
    );
    assert_eq!((audit.lost, audit.duplicated, audit.altered), (10, 10, 0));
    assert_eq!((audit.foreign, audit.unacknowledged), (10, 10));
}

thread_local! {
    /// A small request of each signal.
    static SMALL: [Payload; 3] = Signal::ALL.map(|signal| one(signal, 3));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A byte that is not what was sent never passes: the request does not decode, or an item is
    /// altered, missing or foreign.
    #[test]
    fn no_changed_byte_passes(
        signal in 0..3_usize,
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let signal = Signal::ALL[signal];
        let payload = SMALL.with(|small| small[signal as usize].clone());
        let mut body = payload.body.to_vec();
        let at = at.index(body.len());
        body[at] ^= flip;
        if let Ok(found) = look(signal, body, Level::Full) {
            prop_assert_ne!(found, clean(payload.ids), "byte {} changed by {:#04x}", at, flip);
        }
    }
}
