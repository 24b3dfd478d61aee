//! Thinning held against a second reading of its rules, and against its own laws.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that leaves its bounds fails, as it should"
)]

mod oracle;
mod requests;

use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proptest::prelude::*;
use prost::Message;

use self::requests::{Numbers, logs, logs_of, record, span, traces, traces_of};
use super::{
    super::walk::tests::{
        CLEAN, ODD, WRONG, choices, config, cut,
        generator::{Choices, message, mutate},
        nest, root,
    },
    *,
};

/// The way from a request to its items.
const WAY: [u32; 3] = [1, 2, 2];

const WARN: u32 = 13;

fn whole(body: &[u8]) -> [Bytes; 1] {
    [Bytes::copy_from_slice(body)]
}

/// What must hold of any thinned body.
fn sound(thinned: &Thinned, items: u64) {
    assert_eq!(thinned.items + thinned.sampled, items, "none is forgotten");
    assert_eq!(thinned.bytes, thinned.slices.concat().len());
    assert!(thinned.changed || thinned.sampled == 0);
}

/// Thins traces in one piece and in segments and holds both against the oracle.
fn check_traces(body: &[u8], segments: &[Bytes], keep: Threshold) -> Vec<u8> {
    let judge = |span: &[u8]| oracle::span(span, &keep.digits());
    let (expected, kept, sampled) = oracle::thin(body, &WAY, &judge);
    for body in [&whole(body)[..], segments] {
        let thinned = thin_traces(body, keep).unwrap();
        sound(&thinned, kept + sampled);
        assert_eq!((thinned.items, thinned.sampled), (kept, sampled));
        assert_eq!(thinned.slices.concat(), expected, "{:02x?}", body.concat());
        assert_eq!(thinned.changed, expected != body.concat());
    }
    expected
}

/// Thins logs in one piece and in segments and holds both against the oracle.
fn check_logs(body: &[u8], segments: &[Bytes], keep: Threshold, keep_severity: u32) -> Vec<u8> {
    let judge = |record: &[u8]| {
        oracle::record(record, &keep.digits(), keep_severity).unwrap_or_else(|| {
            let mut digest = Digest::default();
            digest.push(record);
            keep.keeps(digest.randomness()).then(|| record.to_vec())
        })
    };
    let (expected, kept, sampled) = oracle::thin(body, &WAY, &judge);
    for body in [&whole(body)[..], segments] {
        let thinned = thin_logs(body, keep, keep_severity).unwrap();
        sound(&thinned, kept + sampled);
        assert_eq!((thinned.items, thinned.sampled), (kept, sampled));
        assert_eq!(thinned.slices.concat(), expected, "{:02x?}", body.concat());
    }
    expected
}

fn ratio() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.5), Just(0.1), Just(0.0), 0.001..0.999_f64]
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn spans_are_kept_and_marked_as_the_rules_say(
        request in traces(), ratio in ratio(), cuts in choices(),
    ) {
        let body = request.encode_to_vec();
        let segments = cut(&body, &mut Choices::new(&cuts));
        let keep = Threshold::of_ratio(ratio);
        let thinned = check_traces(&body, &segments, keep);
        let thinned = ExportTraceServiceRequest::decode(thinned.as_slice()).unwrap();
        // What an encoder would have written of what is left, in its order.
        let mut expected = request;
        for resource in &mut expected.resource_spans {
            let before = resource.scope_spans.len();
            for scope in &mut resource.scope_spans {
                for span in std::mem::take(&mut scope.spans) {
                    match oracle::span(&span.encode_to_vec(), &keep.digits()) {
                        Some(kept) => scope.spans.push(Span::decode(kept.as_slice()).unwrap()),
                        None => scope.schema_url.push('\0'),
                    }
                }
            }
            resource.scope_spans.retain_mut(|scope| {
                let thinned = scope.schema_url.ends_with('\0');
                scope.schema_url.retain(|c| c != '\0');
                !thinned || !scope.spans.is_empty()
            });
            if resource.scope_spans.len() < before
                && resource.scope_spans.iter().all(|scope| scope.spans.is_empty())
            {
                resource.schema_url.push('\0');
            }
        }
        expected.resource_spans.retain(|resource| !resource.schema_url.ends_with('\0'));
        prop_assert_eq!(thinned, expected);
    }

    #[test]
    fn records_are_kept_as_the_rules_say(
        request in logs(), ratio in ratio(), keep_severity in 0..30_u32, cuts in choices(),
    ) {
        let body = request.encode_to_vec();
        let segments = cut(&body, &mut Choices::new(&cuts));
        let thinned = check_logs(&body, &segments, Threshold::of_ratio(ratio), keep_severity);
        prop_assert!(ExportLogsServiceRequest::decode(thinned.as_slice()).is_ok());
    }

    #[test]
    fn whatever_a_decoder_takes_is_thinned_and_nothing_panics(
        is_traces in any::<bool>(), choices in choices(), cuts in choices(), ratio in ratio(),
    ) {
        let signal = if is_traces { Signal::Traces } else { Signal::Logs };
        let mut choices = Choices::new(&choices);
        let mut cuts = Choices::new(&cuts);
        let noise = [CLEAN, ODD, WRONG][choices.below(3)];
        let keep = Threshold::of_ratio(ratio);
        let base = message(root(signal), &mut choices, noise, 0);
        for round in 0..4 {
            let mut body = base.clone();
            if round > 0 {
                mutate(&mut body, &mut cuts);
            }
            let segments = cut(&body, &mut cuts);
            let is_sound = inspect(signal, Validate::Full, &whole(&body)).is_ok();
            match signal {
                Signal::Traces if is_sound => drop(check_traces(&body, &segments, keep)),
                Signal::Logs if is_sound => drop(check_logs(&body, &segments, keep, WARN)),
                _ => {
                    let thin = |body: &[Bytes]| match signal {
                        Signal::Traces => thin_traces(body, keep),
                        _ => thin_logs(body, keep, WARN),
                    };
                    let one = thin(&whole(&body));
                    let many = thin(&segments);
                    prop_assert_eq!(
                        one.as_ref().map(|thinned| thinned.slices.concat()).map_err(|bad| bad.what),
                        many.as_ref().map(|thinned| thinned.slices.concat()).map_err(|bad| bad.what)
                    );
                    for bad in [one.err(), many.err()].into_iter().flatten() {
                        prop_assert!(bad.at <= body.len(), "{}", bad);
                    }
                }
            }
        }
    }

    #[test]
    fn thinning_twice_is_thinning_once_at_the_lower_ratio(
        spans in traces(), records in logs(), first in ratio(), second in ratio(), severity in 0..20_u32,
    ) {
        let [first, second] = [first, second].map(Threshold::of_ratio);
        let ids = |body: Vec<u8>| -> Vec<Vec<u8>> {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
            scopes.flat_map(|scope| scope.spans).map(|span| span.span_id).collect()
        };
        let thin = |body: &[Bytes], keep| thin_traces(body, keep).unwrap().slices;
        let body = whole(&spans.encode_to_vec());
        let twice = thin(&thin(&body, first), second).concat();
        let once = thin(&body, first.max(second)).concat();
        prop_assert_eq!(ids(twice), ids(once.clone()));
        prop_assert_eq!(ids(thin(&whole(&once), first.min(second)).concat()), ids(once));

        let thin = |body: &[Bytes], keep| thin_logs(body, keep, severity).unwrap().slices;
        let body = whole(&records.encode_to_vec());
        let twice = thin(&thin(&body, first), second).concat();
        prop_assert_eq!(twice, thin(&body, first.max(second)).concat());
    }
}

#[test]
fn a_request_cut_off_anywhere_is_an_error_or_a_request() {
    let mut numbers = Numbers::new();
    let mut errors = 0;
    let spans = traces_of(
        (0..20)
            .map(|_| span(&mut numbers, "a=1,ot=th:1;x:y"))
            .collect(),
    );
    let body = spans.encode_to_vec();
    for end in 0..body.len() {
        let part = &body[..end];
        let segments: Vec<Bytes> = part.chunks(97).map(Bytes::copy_from_slice).collect();
        let thinned = thin_traces(&segments, Threshold::of_ratio(0.5));
        let is_request = ExportTraceServiceRequest::decode(part).is_ok();
        assert_eq!(thinned.is_ok(), is_request, "{end}");
        errors += u64::from(!is_request);
    }
    assert!(errors > 1000);
    let records = logs_of((0..20).map(|_| record(&mut numbers, 9)).collect());
    let body = records.encode_to_vec();
    for end in 0..body.len() {
        let thinned = thin_logs(&whole(&body[..end]), Threshold::of_ratio(0.5), WARN);
        let is_request = ExportLogsServiceRequest::decode(&body[..end]).is_ok();
        assert_eq!(thinned.is_ok(), is_request, "{end}");
    }
}

#[test]
fn a_fault_inside_an_item_is_named_with_its_byte() {
    // A span of one field that is longer than the span.
    let body = [0x0a, 7, 0x12, 5, 0x12, 3, 0x2a, 9, 0];
    for segments in [
        vec![Bytes::copy_from_slice(&body)],
        body.chunks(4).map(Bytes::copy_from_slice).collect(),
    ] {
        let error = thin_traces(&segments, Threshold::of_ratio(0.5)).unwrap_err();
        assert_eq!(error.what, "field longer than the message that holds it");
        assert!((7..=8).contains(&error.at), "{error}");
    }
}

/// Thins a request of one span, made of these parts one after the other, at a ratio of a half.
fn thin_span(parts: &[Span]) -> Thinned {
    let span: Vec<u8> = parts.iter().flat_map(Message::encode_to_vec).collect();
    let body = nest(&span, &[1, 2, 2]);
    let keep = Threshold::of_ratio(0.5);
    check_traces(
        &body,
        &cut(&body, &mut Choices::new(&[0, 3, 1, 4, 1, 5])),
        keep,
    );
    thin_traces(&whole(&body), keep).unwrap()
}

#[test]
fn of_a_field_that_comes_twice_the_last_counts() {
    let with = |state: &str, code: i32, low: u8| Span {
        trace_state: state.to_owned(),
        status: Some(Status {
            code,
            message: "m".to_owned(),
        }),
        trace_id: [vec![1; 9], vec![low; 7]].concat(),
        ..Span::default()
    };
    let state = |thinned: &Thinned| -> String {
        let body = thinned.slices.concat();
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        request.resource_spans[0].scope_spans[0].spans[0]
            .trace_state
            .clone()
    };
    let thinned = thin_span(&[with("ot=th:zz,a=1", 0, 0), with("ot=th:4,b=1", 1, 0xff)]);
    assert_eq!(state(&thinned), "ot=th:8,b=1");
    let equal = thin_span(&[with("a=1,ot=th:8", 0, 0xff)]);
    assert!(!equal.changed, "an equal threshold stays where it is");
    let thinned = thin_span(&[with("a=1", 0, 0xff), with("ot=th:zz", 0, 0xff)]);
    assert_eq!(state(&thinned), "", "the first does not come back");
    assert_eq!(thin_span(&[with("", 2, 0), with("", 1, 0)]).items, 0);
    assert_eq!(thin_span(&[with("", 1, 0), with("", 2, 0)]).items, 1);
    let no_code = Span {
        status: Some(Status::default()),
        ..Span::default()
    };
    assert_eq!(thin_span(&[with("", 2, 0), no_code]).items, 1, "they merge");
    assert_eq!(thin_span(&[with("", 0, 0xff), with("", 0, 0)]).items, 0);
}

#[test]
fn a_tracestate_too_long_to_be_read_stays_and_the_trace_id_decides() {
    let mut numbers = Numbers::new();
    let long = format!("ot=rv:00000000000000;th:zz,a={}", "b".repeat(20_000));
    let mut kept = span(&mut numbers, &long);
    kept.trace_id = vec![0xff; 16];
    let mut dropped = kept.clone();
    dropped.trace_id = [vec![1; 9], vec![0; 7]].concat();
    let both = traces_of(vec![kept.clone(), dropped]).encode_to_vec();
    let segments: Vec<Bytes> = both.chunks(1_000).map(Bytes::copy_from_slice).collect();
    let thinned = thin_traces(&segments, Threshold::of_ratio(0.5)).unwrap();
    assert_eq!(
        thinned.slices.concat(),
        traces_of(vec![kept]).encode_to_vec()
    );
    assert_eq!((thinned.items, thinned.sampled), (1, 1));
}

#[test]
fn at_ratio_1_nothing_is_touched() {
    let mut numbers = Numbers::new();
    let body = [
        whole(&traces_of(vec![span(&mut numbers, "ot=th:zz")]).encode_to_vec()),
        whole(&logs_of(vec![record(&mut numbers, 1)]).encode_to_vec()),
    ];
    let thinned = [
        thin_traces(&body[0], Threshold::KEEP_ALL).unwrap(),
        thin_logs(&body[1], Threshold::KEEP_ALL, WARN).unwrap(),
    ];
    for (thinned, body) in thinned.iter().zip(body) {
        assert_eq!(thinned.slices, body);
        assert!(!thinned.changed);
        sound(thinned, 1);
    }
}

/// Standard deviations that a share may be off: about one run in two million is, and the numbers are
/// the same in every run.
const SIGMAS: f64 = 5.0;

#[test]
fn random_traces_are_kept_in_the_asked_share_and_stand_for_all() {
    let mut numbers = Numbers::new();
    let spans: Vec<Span> = (0..20_000).map(|_| span(&mut numbers, "")).collect();
    let all = 20_000.0;
    let body = whole(&traces_of(spans).encode_to_vec());
    for ratio in [0.9, 0.5, 0.1, 0.01] {
        let thinned = thin_traces(&body, Threshold::of_ratio(ratio)).unwrap();
        let request =
            ExportTraceServiceRequest::decode(thinned.slices.concat().as_slice()).unwrap();
        let scopes = request.resource_spans.iter().flat_map(|it| &it.scope_spans);
        let states = scopes
            .flat_map(|scope| &scope.spans)
            .map(|span| &span.trace_state);
        let weights = states.map(|state| {
            let digits = state.strip_prefix("ot=th:").unwrap();
            1.0 / Threshold::parse(digits.as_bytes()).unwrap().ratio()
        });
        let stand_for: f64 = weights.sum();
        let sigma = (all * (1.0 - ratio) / ratio).sqrt();
        assert!(
            (stand_for - all).abs() < SIGMAS * sigma,
            "{ratio}: the kept spans stand for {stand_for}"
        );
    }
}

#[test]
fn records_without_a_trace_are_kept_in_the_asked_share() {
    let mut numbers = Numbers::new();
    let records: Vec<_> = (0..20_000).map(|_| record(&mut numbers, 9)).collect();
    assert!(records.iter().all(|record| record.trace_id.is_empty()));
    let body = whole(&logs_of(records).encode_to_vec());
    for ratio in [0.9, 0.5, 0.1, 0.01] {
        let thinned = thin_logs(&body, Threshold::of_ratio(ratio), WARN).unwrap();
        let kept = f64::from(u32::try_from(thinned.items).unwrap());
        let sigma = (20_000.0 * ratio * (1.0 - ratio)).sqrt();
        assert!(
            (kept - 20_000.0 * ratio).abs() < SIGMAS * sigma,
            "{ratio}: {kept} kept"
        );
    }
}

#[test]
fn all_of_a_trace_goes_one_way_its_logs_with_it() {
    let mut numbers = Numbers::new();
    let keep = Threshold::of_ratio(0.3);
    let ids: Vec<Vec<u8>> = (0..200).map(|_| numbers.id(16)).collect();
    let mut kept: HashMap<Vec<u8>, u32> = HashMap::new();
    // Three requests, as three shards or hosts might get them.
    for _ in 0..3 {
        let spans = ids.iter().map(|id| Span {
            trace_id: id.clone(),
            ..span(&mut numbers, "")
        });
        let body = whole(&traces_of(spans.collect()).encode_to_vec());
        let thinned = thin_traces(&body, keep).unwrap();
        let request =
            ExportTraceServiceRequest::decode(thinned.slices.concat().as_slice()).unwrap();
        for span in &request.resource_spans[0].scope_spans[0].spans {
            *kept.entry(span.trace_id.clone()).or_default() += 1;
        }
    }
    assert!((30..90).contains(&kept.len()), "{}", kept.len());
    assert!(kept.values().all(|spans| *spans == 3));

    let records = ids.iter().map(|id| {
        let mut record = record(&mut numbers, 9);
        record.trace_id.clone_from(id);
        record
    });
    let body = whole(&logs_of(records.collect()).encode_to_vec());
    let thinned = thin_logs(&body, keep, WARN).unwrap();
    let request = ExportLogsServiceRequest::decode(thinned.slices.concat().as_slice()).unwrap();
    let records = &request.resource_logs[0].scope_logs[0].log_records;
    let logged: HashSet<_> = records.iter().map(|record| &record.trace_id).collect();
    assert_eq!(logged, kept.keys().collect());
}

#[test]
fn a_thinned_request_keeps_no_received_buffer_alive_for_short_runs() {
    let mut numbers = Numbers::new();
    let body =
        whole(&traces_of((0..100).map(|_| span(&mut numbers, "")).collect()).encode_to_vec());
    let thinned = thin_traces(&body, Threshold::of_ratio(0.5)).unwrap();
    assert_eq!(thinned.slices.len(), 1, "copied together");
    let [received] = body;
    assert!(received.is_unique());
}
