//! The walk held against a decoder: it accepts, refuses and counts as the decoder does.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that leaves its bounds fails, as it should"
)]

mod exact;
pub(in crate::wire) mod generator;
mod oracle;
mod protocol;

use bytes::Bytes;
use proptest::prelude::*;

use self::{
    generator::{Choices, Noise, message, mutate, varint},
    protocol::{PROTOCOL, Shape},
};
use super::{super::schema::Kind, *};

/// What encoders write.
pub(in crate::wire) const CLEAN: Noise = Noise { odd: 0, wrong: 0 };
/// What decoders must take all the same.
pub(in crate::wire) const ODD: Noise = Noise { odd: 12, wrong: 0 };
/// What decoders must refuse, now and then.
pub(in crate::wire) const WRONG: Noise = Noise { odd: 24, wrong: 96 };

pub(in crate::wire) fn root(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
        Signal::Metrics => "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
        Signal::Logs => "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
        Signal::Profiles => {
            "opentelemetry.proto.collector.profiles.v1development.ExportProfilesServiceRequest"
        }
    }
}

/// Cuts a body into segments of up to 1, 2, 4 … bytes, empty ones among them.
pub(in crate::wire) fn cut(body: &[u8], choices: &mut Choices<'_>) -> Vec<Bytes> {
    let bound = 1 << choices.below(10);
    let mut rest = body;
    let mut segments = vec![Bytes::new()];
    while !rest.is_empty() {
        let length = choices
            .below(bound + 1)
            .max(usize::from(bound < 4))
            .min(rest.len());
        let length = if segments.len() > 4096 {
            rest.len()
        } else {
            length
        };
        let (segment, after) = rest.split_at(length);
        segments.push(Bytes::copy_from_slice(segment));
        rest = after;
    }
    segments
}

/// Holds both levels, in one piece and in segments, against the decoder. Returns the body as an
/// encoder writes it, where it was accepted.
fn check(signal: Signal, body: &[u8], segments: &[Bytes]) -> Option<Vec<u8>> {
    let whole = [Bytes::copy_from_slice(body)];
    let truth = oracle::decode(signal, body);
    let count = truth.as_ref().map(|(count, _)| *count);
    let mut faults = [None; 2];
    for ((how, body), fault) in [("in one piece", &whole[..]), ("in segments", segments)]
        .into_iter()
        .zip(&mut faults)
    {
        let full = inspect(signal, Validate::Full, body);
        assert_eq!(
            full.ok(),
            count,
            "{signal} {how}: {full:?}, body {:02x?}",
            whole[0]
        );
        let items = inspect(signal, Validate::Items, body);
        if count.is_some() {
            assert_eq!(
                items.ok(),
                count,
                "{signal} {how}: {items:?}, body {:02x?}",
                whole[0]
            );
        }
        for refused in [full.err(), items.err()].into_iter().flatten() {
            assert!(refused.at <= whole[0].len(), "{refused:?}");
        }
        *fault = full.err().map(|refused| refused.what);
    }
    assert_eq!(
        faults[0], faults[1],
        "borders change nothing: {:02x?}",
        whole[0]
    );
    let items = inspect(signal, Validate::Items, &whole);
    assert_eq!(
        items.ok(),
        inspect(signal, Validate::Items, segments).ok(),
        "{:02x?}",
        whole[0]
    );
    truth.map(|(_, encoded)| encoded)
}

/// Fields put one inside the other, the innermost first.
pub(in crate::wire) fn nest(body: &[u8], numbers: &[u64]) -> Vec<u8> {
    numbers.iter().rev().fold(body.to_vec(), |body, number| {
        let mut out = Vec::new();
        varint(number << 3 | 2, false, &mut out);
        varint(u64::try_from(body.len()).unwrap(), false, &mut out);
        out.extend(body);
        out
    })
}

/// As many cases as asked for by `PROPTEST_CASES`, else `cases`.
pub(in crate::wire) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| ProptestConfig::default().cases);
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        ..Default::default()
    }
}

pub(in crate::wire) fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..1500)
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn full_accepts_refuses_and_counts_as_a_decoder_does(
        signal in 0..4_usize, choices in choices(), cuts in choices(),
    ) {
        let signal = Signal::ALL[signal];
        let mut choices = Choices::new(&choices);
        let mut cuts = Choices::new(&cuts);
        let noise = [CLEAN, ODD, WRONG][choices.below(3)];
        let body = message(root(signal), &mut choices, noise, 0);
        let encoded = check(signal, &body, &cut(&body, &mut cuts));
        prop_assert!(encoded.is_some() || noise.wrong > 0, "decoders take what is only odd");
        let base = encoded.unwrap_or(body);
        check(signal, &base, &cut(&base, &mut cuts));
        for _ in 0..6 {
            let mut body = base.clone();
            mutate(&mut body, &mut cuts);
            check(signal, &body, &cut(&body, &mut cuts));
        }
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_a_decoder_judges_them(
        signal in 0..4_usize, body in prop::collection::vec(any::<u8>(), 0..64), cuts in choices(),
    ) {
        check(Signal::ALL[signal], &body, &cut(&body, &mut Choices::new(&cuts)));
    }
}

#[test]
fn the_tables_say_what_the_protocol_says() {
    for (id, name) in Id::ALL {
        let definition = &PROTOCOL[*name];
        for number in 1..32_u8 {
            let field = definition
                .fields
                .iter()
                .find(|field| field.number == i32::from(number));
            for wire in 0..8 {
                let entry = id.table().entry(number << 3 | wire);
                let expected = match field.map(|field| (field.shape(), field.is_repeated(), wire)) {
                    None if matches!(wire, 4 | 6 | 7) => Kind::Refused,
                    None => Kind::Unknown,
                    Some((Shape::Varint, _, 0)) => Kind::Varint,
                    Some((Shape::Varint, true, 2)) => Kind::Varints,
                    Some((Shape::Fixed64, _, 1)) => Kind::Fixed64,
                    Some((Shape::Fixed64, true, 2)) => Kind::Fixed64s,
                    Some((Shape::Fixed32, false, 5)) => Kind::Fixed32,
                    Some((Shape::Bytes, _, 2)) => Kind::Bytes,
                    Some((Shape::Text, _, 2)) => Kind::Text,
                    Some((Shape::Message, _, 2)) => {
                        let (_, child) = Id::ALL
                            .iter()
                            .find(|(child, _)| *child == entry.child)
                            .unwrap();
                        assert_eq!(*child, field.unwrap().message(), "{name} {number}");
                        assert_eq!(entry.kind == Kind::Attribute, entry.child == Id::KeyValue);
                        continue;
                    }
                    Some(_) => Kind::Refused,
                };
                assert_eq!(
                    entry.kind, expected,
                    "{name}: field {number}, wire type {wire}"
                );
            }
        }
        assert!(
            definition.fields.iter().all(|field| field.number < 32),
            "{name}"
        );
    }
}

#[test]
fn a_request_cut_off_anywhere_is_judged_as_a_decoder_judges_it() {
    let seed: Vec<u8> = (0..4000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    for signal in Signal::ALL {
        let body = message(root(signal), &mut Choices::new(&seed), CLEAN, 0);
        let body = check(signal, &body, &[Bytes::copy_from_slice(&body)]).unwrap();
        assert!(body.len() > 200, "{signal}: {}", body.len());
        for end in 0..body.len().min(4000) {
            let segments: Vec<Bytes> = body[..end].chunks(97).map(Bytes::copy_from_slice).collect();
            check(signal, &body[..end], &segments);
        }
    }
}

#[test]
fn the_last_kind_of_data_is_the_metric_s_and_counts() {
    let gauge = nest(&[], &[5, 1]);
    let sum = nest(&[], &[7, 1]);
    let cases: [(&[&[u8]], u64); 4] = [
        (&[&gauge, &gauge], 2),
        (&[&gauge, &gauge, &sum], 1),
        (&[&gauge, &sum, &sum, &gauge], 1),
        (&[&gauge, &[0x3a, 0]], 0),
    ];
    for (data, count) in cases {
        let mut body = nest(&gauge, &[1, 2, 2]);
        body.extend(nest(&data.concat(), &[1, 2, 2]));
        let segments: Vec<Bytes> = body.chunks(3).map(Bytes::copy_from_slice).collect();
        check(Signal::Metrics, &body, &segments).unwrap();
        let body = [Bytes::from(body)];
        assert_eq!(
            inspect(Signal::Metrics, Validate::Items, &body),
            Ok(count + 1)
        );
    }
}

#[test]
fn a_refusal_names_the_fault_and_its_byte() {
    let refused = |body: &'static [u8]| {
        let refused = inspect(Signal::Traces, Validate::Full, &[Bytes::from_static(body)]);
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[0x0a, 5, 0]),
        "field longer than the message that holds it at byte 1"
    );
    assert_eq!(
        refused(&[0x0a, 3, 0x1a, 1, 0xff]),
        "text that is not UTF-8 at byte 5"
    );
    assert_eq!(
        refused(&[0x0a, 2, 0x18, 1]),
        "wire type that is not the field's at byte 3"
    );
    assert_eq!(
        refused(&[0x80]),
        "varint cut off by the end of its message at byte 0"
    );
}

#[test]
fn an_empty_body_is_a_request_without_items() {
    for signal in Signal::ALL {
        for body in [&[][..], &[Bytes::new()], &[Bytes::new(), Bytes::new()]] {
            assert_eq!(inspect(signal, Validate::Full, body), Ok(0));
            assert_eq!(inspect(signal, Validate::Items, body), Ok(0));
        }
    }
}
