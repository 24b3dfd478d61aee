//! Makes requests out of choices: every field of every message, and now and then what no encoder
//! writes. Shrinking the choices shrinks the request.

use super::protocol::{Field, PROTOCOL, Shape};

/// Bytes that decide; all 0 once they run out, which is the smallest choice everywhere.
pub(in crate::wire) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(in crate::wire) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(in crate::wire) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    pub(in crate::wire) fn below(&mut self, bound: usize) -> usize {
        let wide = usize::from(self.byte()) << 8 | usize::from(self.byte());
        wide % bound.max(1)
    }

    fn one_in(&mut self, odds: u8) -> bool {
        odds > 0 && self.byte() % odds == odds - 1
    }

    fn word(&mut self) -> u64 {
        let word = u64::from_le_bytes(std::array::from_fn(|_| self.byte()));
        word >> (self.byte() % 64)
    }
}

/// How often a request holds what no encoder writes: one field in so many; 0 for never.
#[derive(Clone, Copy)]
pub(in crate::wire) struct Noise {
    /// What a decoder must take all the same.
    pub(in crate::wire) odd: u8,
    /// What it must refuse.
    pub(in crate::wire) wrong: u8,
}

/// Makes one message of this name.
pub(in crate::wire) fn message(
    name: &str,
    choices: &mut Choices<'_>,
    noise: Noise,
    depth: usize,
) -> Vec<u8> {
    let mut out = Vec::new();
    let definition = PROTOCOL
        .get(name)
        .unwrap_or_else(|| panic!("no message {name}"));
    if choices.one_in(3) {
        // Fields as they come. The way to the items is short of them, so that it gets one at least.
        for _ in 0..choices.below(if depth > 12 { 2 } else { 8 }) + usize::from(depth < 4) {
            let field = &definition.fields[choices.below(definition.fields.len())];
            value(field, choices, noise, depth, &mut out);
            noises(choices, noise, &mut out);
        }
        return out;
    }
    // Fields as encoders write them: in order, and one of each choice of several.
    let mut chosen = None;
    for field in &definition.fields {
        let times = match field.oneof {
            Some(_) if chosen == field.oneof => 0,
            Some(_) => usize::from(choices.one_in(3)),
            None if field.is_repeated() && depth < 12 => choices.below(3),
            None => usize::from(!choices.one_in(4)),
        };
        // Where the choices have run out, only the way to the items goes on.
        let times = if choices.bytes.is_empty() && depth > 3 {
            0
        } else {
            times
        };
        for _ in 0..times {
            chosen = field.oneof;
            value(field, choices, noise, depth, &mut out);
            noises(choices, noise, &mut out);
        }
    }
    out
}

/// Perhaps adds what no encoder writes.
fn noises(choices: &mut Choices<'_>, noise: Noise, out: &mut Vec<u8>) {
    if choices.one_in(noise.odd) {
        unknown(choices, noise, 0, out);
    }
    if choices.one_in(noise.wrong) {
        wrong(choices, out);
    }
}

fn value(field: &Field, choices: &mut Choices<'_>, noise: Noise, depth: usize, out: &mut Vec<u8>) {
    let number = u64::try_from(field.number).unwrap();
    let packed = field.is_repeated() && choices.one_in(2);
    let mut body = Vec::new();
    match field.shape() {
        Shape::Varint | Shape::Fixed64 if packed => {
            for _ in 0..choices.below(5) {
                scalar(field.shape(), choices, noise, &mut body);
            }
        }
        shape @ (Shape::Varint | Shape::Fixed32 | Shape::Fixed64) => {
            key(number, wire(shape), choices, noise, out);
            scalar(shape, choices, noise, out);
            return;
        }
        Shape::Bytes => {
            // As long as a trace id, or not.
            let length = if choices.one_in(2) {
                16
            } else {
                choices.below(40)
            };
            body.extend((0..length).map(|_| choices.byte()));
        }
        Shape::Text => text(choices, noise, &mut body),
        Shape::Message => body = message(field.message(), choices, noise, depth + 1),
    }
    key(number, 2, choices, noise, out);
    length(body.len(), choices, noise, out);
    out.extend(body);
}

const fn wire(shape: Shape) -> u64 {
    match shape {
        Shape::Varint => 0,
        Shape::Fixed64 => 1,
        Shape::Fixed32 => 5,
        Shape::Bytes | Shape::Text | Shape::Message => 2,
    }
}

fn scalar(shape: Shape, choices: &mut Choices<'_>, noise: Noise, out: &mut Vec<u8>) {
    match shape {
        Shape::Varint => varint(choices.word(), choices.one_in(noise.odd), out),
        Shape::Fixed32 => out.extend((0..4).map(|_| choices.byte())),
        _ => out.extend((0..8).map(|_| choices.byte())),
    }
}

fn text(choices: &mut Choices<'_>, noise: Noise, out: &mut Vec<u8>) {
    const BITS: [&str; 12] = [
        "a",
        "http.method",
        "é",
        "日本語",
        "🦀",
        "",
        "x=1;y=2",
        "0123456789abcdef",
        ",",
        "ot=th:4;",
        "ot=rv:6e6d1a75832a2f",
        "ot=x:1;th:fd70a",
    ];
    for _ in 0..choices.below(6) {
        out.extend(BITS[choices.below(BITS.len())].bytes());
    }
    if choices.one_in(16) {
        let long = b"a long value ".repeat(choices.below(40));
        out.extend(long);
    }
    if choices.one_in(noise.wrong) {
        let at = choices.below(out.len() + 1);
        out.insert(at, choices.byte() | 0x80);
    }
}

fn key(number: u64, wire: u64, choices: &mut Choices<'_>, noise: Noise, out: &mut Vec<u8>) {
    varint(number << 3 | wire, choices.one_in(noise.odd), out);
}

fn length(length: usize, choices: &mut Choices<'_>, noise: Noise, out: &mut Vec<u8>) {
    let wrong = if choices.one_in(noise.wrong) {
        choices.below(8)
    } else {
        0
    };
    varint(
        u64::try_from(length + wrong).unwrap(),
        choices.one_in(noise.odd),
        out,
    );
}

/// Writes a varint, in ten bytes where `padded`.
pub(in crate::wire) fn varint(value: u64, padded: bool, out: &mut Vec<u8>) {
    let mut value = value;
    for index in 0..10 {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if index == 9 || (value == 0 && !padded) {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A field that no message has, or not as it is written here.
fn unknown(choices: &mut Choices<'_>, noise: Noise, depth: usize, out: &mut Vec<u8>) {
    let number = [17, 20, 31, 32, 1000, (1 << 29) - 1][choices.below(6)];
    let wires = if depth > 6 { 4 } else { 5 };
    let wire = [0, 1, 2, 5, 3][choices.below(wires)];
    key(number, wire, choices, noise, out);
    match wire {
        0 => scalar(Shape::Varint, choices, noise, out),
        1 => scalar(Shape::Fixed64, choices, noise, out),
        5 => scalar(Shape::Fixed32, choices, noise, out),
        2 => {
            let count = choices.below(20);
            length(count, choices, noise, out);
            out.extend((0..count).map(|_| choices.byte()));
        }
        _ => {
            for _ in 0..choices.below(4) {
                unknown(choices, noise, depth + 1, out);
            }
            let end = if choices.one_in(noise.wrong) {
                number + 1
            } else {
                number
            };
            key(end, 4, choices, noise, out);
        }
    }
}

/// A key and some bytes that hardly any decoder takes.
fn wrong(choices: &mut Choices<'_>, out: &mut Vec<u8>) {
    match choices.below(6) {
        0 => varint(u64::from(choices.byte()), false, out),
        1 => varint(choices.word(), false, out),
        2 => varint(choices.word() & 7, false, out),
        3 => out.extend([0x80; 10]),
        4 => out.extend([
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            choices.byte(),
        ]),
        _ => {
            varint(u64::from(choices.byte()) << 3, false, out);
            out.extend([
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                choices.byte() % 4,
            ]);
        }
    }
    out.extend((0..choices.below(4)).map(|_| choices.byte()));
}

/// Changes a few bytes anywhere: flips a bit, inserts, removes, repeats, cuts off.
pub(in crate::wire) fn mutate(body: &mut Vec<u8>, choices: &mut Choices<'_>) {
    for _ in 0..=choices.below(3) {
        let at = choices.below(body.len() + 1);
        match choices.below(6) {
            0 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << (choices.byte() % 8);
                }
            }
            1 => body.insert(at, choices.byte()),
            2 => {
                let end = (at + 1 + choices.below(4)).min(body.len());
                body.drain(at..end.max(at));
            }
            3 => {
                let end = (at + choices.below(64)).min(body.len());
                let again = body[at..end].to_vec();
                body.splice(at..at, again);
            }
            4 => body.truncate(at),
            _ => {
                let mut field = Vec::new();
                unknown(choices, Noise { odd: 4, wrong: 0 }, 0, &mut field);
                body.splice(at..at, field);
            }
        }
    }
}
