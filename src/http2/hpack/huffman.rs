//! The Huffman code of HPACK.
//!
//! The code is canonical: codes of one length follow each other in the order of their symbols. So
//! the lengths say everything, and the tables are computed from them when this is compiled.
//!
//! - Source: RFC 7541, appendix B and section 5.2.

use super::HpackError;

/// The length of each symbol's code in bits; the last is the end-of-string symbol's.
///
/// - Source: RFC 7541, appendix B.
#[rustfmt::skip]
pub(super) const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const SYMBOLS: usize = 257;
const LENGTH_MAX: usize = 30;

/// Bits that one look at [`TABLES`] can decode: every letter and digit is within them.
const SHORT_BITS: u32 = 8;

/// Bits that can pad the last byte.
const PADDING_BITS_MAX: u32 = 7;

static TABLES: Tables = Tables::build();

struct Tables {
    /// By the next eight bits: the symbol, and its length; length 0 where the code is longer.
    short: [(u8, u8); 1 << SHORT_BITS],
    /// By length: the first code, how many there are, and where their symbols begin.
    first: [u32; LENGTH_MAX + 1],
    count: [u32; LENGTH_MAX + 1],
    start: [usize; LENGTH_MAX + 1],
    /// In the order of the codes.
    symbols: [u16; SYMBOLS],
}

impl Tables {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "symbols are below 257, and below 256 where they are made bytes"
    )]
    const fn build() -> Self {
        let mut tables = Self {
            short: [(0, 0); 1 << SHORT_BITS],
            first: [0; LENGTH_MAX + 1],
            count: [0; LENGTH_MAX + 1],
            start: [0; LENGTH_MAX + 1],
            symbols: [0; SYMBOLS],
        };
        let (mut code, mut placed, mut length) = (0_u32, 0, 1);
        while length <= LENGTH_MAX {
            code <<= 1;
            tables.first[length] = code;
            tables.start[length] = placed;
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if LENGTHS[symbol] as usize == length {
                    tables.symbols[placed] = symbol as u16;
                    placed += 1;
                    if length <= SHORT_BITS as usize {
                        let spread = 1 << (SHORT_BITS as usize - length);
                        let mut at = 0;
                        while at < spread {
                            let index = code as usize * spread + at;
                            tables.short[index] = (symbol as u8, LENGTHS[symbol]);
                            at += 1;
                        }
                    }
                    code += 1;
                    tables.count[length] += 1;
                }
                symbol += 1;
            }
            length += 1;
        }
        tables
    }
}

/// What the next bits are.
enum Next {
    Symbol(u8, u32),
    EndOfString,
}

/// Appends the string that `bytes` encode to `out`.
///
/// - Cost: a table look per letter; a loop of up to 22 steps for what is rare in headers.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    let mut input = bytes.iter();
    // The bits that are read and not used, at the low end.
    let (mut bits, mut held) = (0_u64, 0_u32);
    loop {
        while held <= 56
            && let Some(&byte) = input.next()
        {
            bits = bits << 8 | u64::from(byte);
            held += 8;
        }
        let next = next(window(bits, held));
        match next {
            Next::Symbol(symbol, length) if length <= held => {
                out.push(symbol);
                held -= length;
            }
            // The rest is shorter than a code: it must be the padding, all ones.
            _ => {
                let is_padding = held <= PADDING_BITS_MAX && window(bits, held) == u32::MAX;
                return if is_padding {
                    Ok(())
                } else {
                    Err(HpackError::Huffman)
                };
            }
        }
    }
}

/// The next 32 of `held` bits; ones where there are fewer.
fn window(bits: u64, held: u32) -> u32 {
    let ones = u64::MAX.checked_shr(held).unwrap_or(0);
    let aligned = bits.checked_shl(64 - held).unwrap_or(0) | ones;
    u32::try_from(aligned >> 32).unwrap_or(u32::MAX)
}

fn next(window: u32) -> Next {
    let [top, ..] = window.to_be_bytes();
    let (symbol, length) = TABLES.short[usize::from(top)];
    if length > 0 {
        return Next::Symbol(symbol, u32::from(length));
    }
    for length in (SHORT_BITS + 1)..=30 {
        let code = window >> (32 - length);
        let by_length = length as usize;
        let place = code.wrapping_sub(TABLES.first[by_length]);
        if place < TABLES.count[by_length] {
            let symbol = TABLES.symbols[TABLES.start[by_length] + place as usize];
            return match u8::try_from(symbol) {
                Ok(symbol) => Next::Symbol(symbol, length),
                Err(_above) => Next::EndOfString,
            };
        }
    }
    Next::EndOfString
}

#[cfg(test)]
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let (mut bits, mut held, mut out) = (0_u64, 0_u32, Vec::new());
    for &byte in bytes {
        let length = usize::from(LENGTHS[usize::from(byte)]);
        let place = TABLES.symbols[TABLES.start[length]..]
            .iter()
            .position(|&symbol| symbol == u16::from(byte))
            .unwrap();
        let code = TABLES.first[length] + u32::try_from(place).unwrap();
        bits = bits << length | u64::from(code);
        held += u32::from(LENGTHS[usize::from(byte)]);
        while held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    if held > 0 {
        let padded = bits << (8 - held) | (0xff >> held);
        out.push(u8::try_from(padded & 0xff).unwrap());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, HpackError> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn the_code_is_complete_and_ends_in_ones() {
        let kraft: u64 = LENGTHS.iter().map(|&length| 1 << (30 - length)).sum();
        assert_eq!(kraft, 1 << 30);
        assert_eq!(TABLES.first[30] + TABLES.count[30] - 1, 0x3fff_ffff);
    }

    /// - Source: codes of RFC 7541, appendix B, one of each kind of length.
    #[test]
    fn codes_are_those_of_the_specification() {
        for (symbol, code, length) in [
            (b'0', 0x0, 5),
            (b'a', 0x3, 5),
            (b' ', 0x14, 6),
            (b'=', 0x20, 6),
            (b'z', 0x7b, 7),
            (b'&', 0xf8, 8),
            (b'!', 0x3f8, 10),
            (b'~', 0x1ffd, 13),
            (0, 0x1ff8, 13),
            (b'\\', 0x7fff0, 19),
            (128, 0xf_ffe6, 20),
            (255, 0x3ff_ffee, 26),
            (b'\n', 0x3fff_fffc, 30),
        ] {
            let aligned: u32 = code << (32 - length) | u32::MAX.unbounded_shr(length);
            let Next::Symbol(found, bits) = next(aligned) else {
                panic!("{symbol} is no end");
            };
            assert_eq!((found, bits), (symbol, length));
        }
    }

    #[test]
    fn padding_is_fewer_than_eight_ones_and_the_end_symbol_is_refused() {
        assert_eq!(decoded(&[]), Ok(vec![]));
        assert_eq!(decoded(&[0x1f]), Ok(vec![b'a']));
        assert_eq!(
            decoded(&[0x1e]),
            Err(HpackError::Huffman),
            "padded with a zero"
        );
        assert_eq!(
            decoded(&[0x18]),
            Err(HpackError::Huffman),
            "padded with zeros"
        );
        assert_eq!(
            decoded(&[0xff]),
            Err(HpackError::Huffman),
            "eight bits of padding"
        );
        assert_eq!(decoded(&[0x1f, 0xff]), Err(HpackError::Huffman));
        assert_eq!(
            decoded(&[0xff; 4]),
            Err(HpackError::Huffman),
            "the end symbol"
        );
        assert_eq!(decoded(&[0xff; 64]), Err(HpackError::Huffman));
    }

    proptest! {
        #[test]
        fn a_string_reads_back_as_written(text: Vec<u8>) {
            prop_assert_eq!(decoded(&encode(&text)), Ok(text));
        }

        /// No two strings of bytes decode alike, so what decodes is what encodes.
        #[test]
        fn what_decodes_is_the_one_encoding(bytes: Vec<u8>) {
            if let Ok(text) = decoded(&bytes) {
                prop_assert_eq!(encode(&text), bytes);
            }
        }
    }
}
