//! Whether bytes are UTF-8, in one piece or in several.

/// Whether `text` is UTF-8.
#[inline(always)]
pub(super) fn is_utf8(text: &[u8]) -> bool {
    is_ascii(text) || simdutf8::basic::from_utf8(text).is_ok()
}

/// Whether no byte is above 0x7f: 16 bytes at a time, the last look overlapping the one before.
///
/// - Measured: with the standard library's, the full walk takes 98 ns a span in place of 75
///   (benches/walk.rs).
#[inline(always)]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    const HIGH_16: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
    const HIGH_8: u64 = 0x8080_8080_8080_8080;
    if let (Some((head, rest)), Some(tail)) = (text.split_first_chunk(), text.last_chunk()) {
        let ends = u128::from_ne_bytes(*head) | u128::from_ne_bytes(*tail);
        let (middle, _) = rest.as_chunks();
        let bits = middle
            .iter()
            .fold(ends, |bits, chunk| bits | u128::from_ne_bytes(*chunk));
        return bits & HIGH_16 == 0;
    }
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_ne_bytes(*head) | u64::from_ne_bytes(*tail)) & HIGH_8 == 0;
    }
    text.iter().fold(0, |bits, byte| bits | byte) < 0x80
}

/// UTF-8 that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The bytes of a character that a border cut, four at most.
    cut: [u8; 4],
    /// How many they are.
    cut_len: usize,
}

impl Pieces {
    /// Whether the text is UTF-8 so far, a character at its end that `piece` cuts left open.
    pub(super) fn push(&mut self, piece: &[u8]) -> bool {
        let mut piece = piece;
        while self.cut_len > 0 {
            let [byte, rest @ ..] = piece else {
                return true;
            };
            let Some(slot) = self.cut.get_mut(self.cut_len) else {
                return false;
            };
            *slot = *byte;
            self.cut_len = self.cut_len.wrapping_add(1);
            piece = rest;
            match str::from_utf8(self.cut.get(..self.cut_len).unwrap_or_default()) {
                Ok(_) => self.cut_len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match str::from_utf8(piece) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let tail = piece.get(error.valid_up_to()..).unwrap_or_default();
                for (slot, byte) in self.cut.iter_mut().zip(tail) {
                    *slot = *byte;
                }
                self.cut_len = tail.len();
                true
            }
        }
    }

    /// Whether the text ends with a whole character.
    pub(super) const fn is_whole(&self) -> bool {
        self.cut_len == 0
    }
}
