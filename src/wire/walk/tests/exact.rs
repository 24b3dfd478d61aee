//! Attributes byte by byte, and nesting around its bound: held against a decoder case by case.

use super::*;

#[test]
fn an_attribute_with_any_byte_changed_is_judged_as_a_decoder_judges_it() {
    let values: [&[u8]; 13] = [
        b"\x12\x07\x0a\x05value",
        b"\x12\x02\x0a\x00",
        b"\x12\x02\x10\x01",
        b"\x12\x02\x18\x07",
        b"\x12\x04\x18\xff\xff\x03",
        b"\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x12\x09\x21\x00\x00\x00\x00\x00\x00\xf0\x3f",
        b"\x12\x04\x3a\x02\x00\xff",
        b"\x12\x06\x2a\x04\x0a\x02\x18\x01",
        b"\x12\x04\x0a\x02\xc3\xa9",
        b"\x12\x00\x18\x05",
        b"\xa3\x06\xa0\x06\x01\xa4\x06",
        b"",
    ];
    for value in values {
        for key in [
            "\x0a\x01k",
            "\x0a\x12http.request.method",
            "\x0a\x03k\u{e9}",
            "",
        ] {
            let body = nest(&[key.as_bytes(), value].concat(), &[1, 2, 2, 9]);
            let attribute = body.len() - key.len() - value.len() - 1;
            for at in attribute..body.len() {
                for byte in 0..=255 {
                    let mut body = body.clone();
                    body[at] = byte;
                    let (left, right) = body.split_at(at);
                    let segments = [left, right].map(Bytes::copy_from_slice);
                    check(Signal::Traces, &body, &segments);
                }
            }
        }
    }
}

/// The way from a request to a value in it.
fn to_value(signal: Signal) -> &'static [u64] {
    match signal {
        Signal::Traces => &[1, 2, 2, 9, 2],
        Signal::Metrics => &[1, 2, 2, 7, 1, 7, 2],
        Signal::Logs => &[1, 2, 2, 5],
        Signal::Profiles => &[2, 6, 2],
    }
}

#[test]
fn nesting_is_bounded_where_a_decoder_bounds_it() {
    let leaves: [&[u8]; 10] = [
        &[],                                                  // an empty value
        &[0x0a, 1, b'x'],                                     // a known field
        &[0xa0, 6, 1],                                        // an unknown varint
        &[0xa3, 6, 0xa4, 6],                                  // an empty group
        &[0xa3, 6, 0xa3, 6, 0xa4, 6, 0xa4, 6],                // a group in a group
        &[0xa3, 6, 0xa0, 6, 1, 0xa4, 6],                      // a group with a field
        &[0xa3, 6, 0x00, 1, 0xa4, 6],                         // a group with a field 0
        &[0x32, 0],                                           // an empty list
        &[0x32, 7, 0x0a, 5, 0x0a, 1, b'k', 0x12, 0],          // an attribute without a value
        &[0x32, 9, 0x0a, 7, 0x0a, 1, b'k', 0x12, 2, 0x10, 1], // an attribute
    ];
    let mut verdicts = [0, 0];
    for signal in Signal::ALL {
        for leaf in leaves {
            for levels in 40..54 {
                for kind in [5, 6] {
                    let mut way = to_value(signal).to_vec();
                    for _ in 0..levels {
                        // A list holds attributes, which hold values; an array holds values.
                        way.extend(if kind == 5 {
                            &[5, 1][..]
                        } else {
                            &[6, 1, 2][..]
                        });
                    }
                    way.truncate(105);
                    let body = nest(leaf, &way);
                    let segments: Vec<Bytes> = body.chunks(7).map(Bytes::copy_from_slice).collect();
                    let accepted = check(signal, &body, &segments).is_some();
                    verdicts[usize::from(accepted)] += 1;
                }
            }
        }
    }
    assert!(
        verdicts[0] > 100 && verdicts[1] > 100,
        "both sides of the bound: {verdicts:?}"
    );
}

#[test]
fn groups_are_bounded_where_a_decoder_bounds_them() {
    for signal in Signal::ALL {
        for prefix in 0..=to_value(signal).len() {
            for groups in 90..104 {
                for inner in [&[][..], &[0xa0, 6, 1]] {
                    let mut leaf = [0xa3, 6].repeat(groups);
                    leaf.extend(inner);
                    leaf.extend([0xa4, 6].repeat(groups));
                    let body = nest(&leaf, &to_value(signal)[..prefix]);
                    let segments: Vec<Bytes> = body.chunks(5).map(Bytes::copy_from_slice).collect();
                    check(signal, &body, &segments);
                }
            }
        }
    }
}

#[test]
fn packed_values_fill_their_length_as_a_decoder_wants_it() {
    // Bucket counts and bounds of a histogram, of an exponential one; the numbers of a sample.
    let ways: [(Signal, &[u64]); 6] = [
        (Signal::Metrics, &[1, 2, 2, 9, 1, 6]),
        (Signal::Metrics, &[1, 2, 2, 9, 1, 7]),
        (Signal::Metrics, &[1, 2, 2, 10, 1, 8, 2]),
        (Signal::Profiles, &[1, 2, 2, 2, 2]),
        (Signal::Profiles, &[1, 2, 2, 2, 4]),
        (Signal::Profiles, &[1, 2, 2, 2, 5]),
    ];
    for (signal, way) in ways {
        for length in 0..26 {
            for byte in [0x00, 0x01, 0x80, 0xff] {
                let mut values = vec![byte; length];
                for last in [byte, 0x01, 0x02] {
                    if let Some(end) = values.last_mut() {
                        *end = last;
                    }
                    let body = nest(&values, way);
                    let segments: Vec<Bytes> = body.chunks(5).map(Bytes::copy_from_slice).collect();
                    check(signal, &body, &segments);
                }
            }
        }
    }
}
