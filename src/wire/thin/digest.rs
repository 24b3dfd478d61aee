//! A number made of bytes: the same on every shard and host, however the bytes are cut.

use super::threshold::Randomness;

/// An odd number without a pattern: the fraction of the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes that are being made into a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digest {
    state: u64,
    /// The bytes of a word that is not full yet.
    word: u64,
    /// All bytes so far.
    length: u64,
}

impl Digest {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !self.length.is_multiple_of(8) {
            let [byte, rest @ ..] = bytes else { return };
            self.byte(*byte);
            bytes = rest;
        }
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.state = fold(self.state ^ u64::from_le_bytes(*word));
            self.length = self.length.wrapping_add(8);
        }
        rest.iter().for_each(|byte| self.byte(*byte));
    }

    /// Takes one byte into the word that is not full.
    fn byte(&mut self, byte: u8) {
        self.word = self.word >> 8 | u64::from(byte) << 56;
        self.length = self.length.wrapping_add(1);
        if self.length.is_multiple_of(8) {
            self.state = fold(self.state ^ self.word);
            self.word = 0;
        }
    }

    /// The number.
    pub(super) fn randomness(self) -> Randomness {
        Randomness::of_bits(fold(fold(self.state ^ self.word) ^ self.length))
    }
}

/// Spreads every bit over all: both halves of a product of 128 bits. The constants keep zeros from
/// staying zeros.
#[inline(always)]
fn fold(value: u64) -> u64 {
    let product = u128::from(value ^ MIX).wrapping_mul(u128::from(MIX));
    let [a, b, c, d, e, f, g, h, ..] = (product ^ product >> 64).to_le_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn borders_change_nothing(
            bytes in prop::collection::vec(any::<u8>(), 0..100), cuts in prop::collection::vec(0..30_usize, 0..8),
        ) {
            let mut whole = Digest::default();
            whole.push(&bytes);
            let mut pieces = Digest::default();
            let mut rest = &bytes[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(whole.randomness(), pieces.randomness());
        }
    }

    #[test]
    fn what_differs_in_one_bit_or_in_length_differs() {
        let mut seen = std::collections::HashSet::new();
        let mut add = |bytes: &[u8]| {
            let mut digest = Digest::default();
            digest.push(bytes);
            assert!(
                seen.insert(format!("{:?}", digest.randomness())),
                "{bytes:?}"
            );
        };
        for length in 0..64 {
            add(&vec![0; length]);
            for at in 0..length {
                for bit in 0..8 {
                    let flip = |index| if index == at { 1 << bit } else { 0_u8 };
                    add(&(0..length).map(flip).collect::<Vec<u8>>());
                }
            }
        }
    }
}
