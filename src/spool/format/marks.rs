//! The marks of a segment: which of its records need no replay any more.

use super::{Crc, VERSION, field::Fields};
use crate::spool::ranges::Ranges;

const MAGIC: [u8; 8] = *b"OTLPDON\n";
const HEAD: usize = 56;
const SUMMED_FROM: usize = 16;

/// What the file of marks says.
///
/// It is not synced: after a crash it may be old or damaged, and then records are replayed twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The records.
    pub settled: Ranges,
    /// Items in them, by [`Signal::index`](crate::signal::Signal::index).
    pub items: [u64; 4],
}

impl Marks {
    /// The file, for the segment with this salt.
    #[must_use]
    pub fn encode(&self, salt: u64) -> Vec<u8> {
        let mut fields = Vec::new();
        fields.extend_from_slice(&salt.to_le_bytes());
        for items in self.items {
            fields.extend_from_slice(&items.to_le_bytes());
        }
        for (from, to) in self.settled.iter() {
            fields.extend_from_slice(&from.to_le_bytes());
            fields.extend_from_slice(&to.to_le_bytes());
        }
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&VERSION.to_le_bytes());
        file.extend_from_slice(&Crc::default().with(&fields).get().to_le_bytes());
        file.extend_from_slice(&fields);
        file
    }

    /// Reads the file; `None` where it is damaged, or belongs to another segment.
    #[must_use]
    pub fn decode(file: &[u8], salt: u64) -> Option<Self> {
        let mut fields = Fields::new(file.get(..HEAD)?);
        let sum = Crc::default().with(file.get(SUMMED_FROM..)?).get();
        if fields.bytes() != MAGIC || fields.u32() != VERSION || fields.u32() != sum {
            return None;
        }
        if fields.u64() != salt {
            return None;
        }
        let items = fields.four();
        let mut settled = Ranges::default();
        let ranges = file.get(HEAD..)?.chunks_exact(8);
        if !ranges.remainder().is_empty() {
            return None;
        }
        for range in ranges {
            let mut range = Fields::new(range);
            settled.push(range.u32(), range.u32()).then_some(())?;
        }
        Some(Self { settled, items })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back_and_no_flip_or_cut_of_them_is_believed() {
        let mut marks = Marks {
            items: [1, 2, 3, 4],
            ..Marks::default()
        };
        for ordinal in [0, 1, 2, 9, 7, 5] {
            marks.settled.insert(ordinal);
        }
        let file = marks.encode(3);
        assert_eq!(Marks::decode(&file, 3), Some(marks));
        assert_eq!(Marks::decode(&file, 4), None);
        for bit in 0..file.len() * 8 {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Marks::decode(&file, 3), None, "{bit}");
        }
        for length in 0..file.len() {
            assert_eq!(Marks::decode(&file[..length], 3), None, "{length}");
        }
    }
}
