//! The last block of a sealed segment: what a start reads of it.

use super::{
    BLOCK, Crc, Entry, VERSION,
    field::{Fields, copies, twice},
};
use crate::spool::SegmentName;

const MAGIC: [u8; 8] = *b"OTLPEND\n";
const BYTES: usize = 112;
const SUMMED_FROM: usize = 16;

/// How much is in a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub records: u32,
    /// Items, by [`Signal::index`](crate::signal::Signal::index).
    pub items: [u64; 4],
    /// When the oldest record was taken: nanoseconds of Unix time.
    pub oldest: u64,
    /// When the newest was taken.
    pub newest: u64,
}

impl Summary {
    /// With one record more.
    pub fn add(&mut self, entry: &Entry) {
        if let Some(items) = self.items.get_mut(entry.signal.index()) {
            *items = items.saturating_add(entry.items);
        }
        self.oldest = match self.records {
            0 => entry.at,
            _ => self.oldest.min(entry.at),
        };
        self.newest = self.newest.max(entry.at);
        self.records = self.records.saturating_add(1);
    }
}

/// What the last block of a sealed segment says. It lies there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// The segment.
    pub name: SegmentName,
    /// What its checksums are seeded with, as its header says it.
    pub salt: u64,
    /// Where the index begins and the records end: a multiple of [`BLOCK`].
    pub index_offset: u64,
    /// What is in it.
    pub summary: Summary,
}

impl Trailer {
    /// The length of the whole segment, in bytes.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        let index = Entry::index_bytes(u64::from(self.summary.records));
        self.index_offset.saturating_add(index)
    }

    /// The block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Summary {
            records,
            items,
            oldest,
            newest,
        } = self.summary;
        let mut fields = Vec::with_capacity(BYTES);
        fields.extend_from_slice(&self.salt.to_le_bytes());
        fields.extend_from_slice(&self.name.sequence.to_le_bytes());
        fields.extend_from_slice(&self.name.shard.to_le_bytes());
        fields.extend_from_slice(&records.to_le_bytes());
        fields.extend_from_slice(&self.index_offset.to_le_bytes());
        for number in items.into_iter().chain([oldest, newest]) {
            fields.extend_from_slice(&number.to_le_bytes());
        }
        fields.resize(BYTES - SUMMED_FROM, 0);
        let mut copy = MAGIC.to_vec();
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&Crc::default().with(&fields).get().to_le_bytes());
        copy.extend_from_slice(&fields);
        twice(&copy)
    }

    /// Reads the last block of the segment with this name and length; `None` where it is not a
    /// trailer of it.
    #[must_use]
    pub fn decode(block: &[u8], name: SegmentName, segment_bytes: u64) -> Option<Self> {
        copies(block)
            .filter_map(Self::decode_copy)
            .find(|found| found.name == name && found.segment_bytes() == segment_bytes)
    }

    fn decode_copy(copy: &[u8]) -> Option<Self> {
        let copy = copy.get(..BYTES)?;
        let mut fields = Fields::new(copy);
        let sum = Crc::default().with(copy.get(SUMMED_FROM..)?).get();
        if fields.bytes() != MAGIC || fields.u32() != VERSION || fields.u32() != sum {
            return None;
        }
        let salt = fields.u64();
        let name = SegmentName {
            sequence: fields.u64(),
            shard: fields.u32(),
        };
        let records = fields.u32();
        let index_offset = fields.u64();
        let summary = Summary {
            records,
            items: fields.four(),
            oldest: fields.u64(),
            newest: fields.u64(),
        };
        let is_sound = index_offset >= BLOCK && index_offset.is_multiple_of(BLOCK);
        is_sound.then_some(Self {
            name,
            salt,
            index_offset,
            summary,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    const NAME: SegmentName = SegmentName {
        sequence: 9,
        shard: 1,
    };

    fn entries() -> Vec<Entry> {
        let mut offset = BLOCK;
        (0..300)
            .map(|ordinal| {
                let entry = Entry {
                    offset,
                    items: 10,
                    at: 1_000 + u64::from(ordinal),
                    content: 100,
                    ordinal,
                    signal: Signal::ALL[ordinal as usize % 4],
                };
                offset = entry.end();
                entry
            })
            .collect()
    }

    fn sealed() -> (Trailer, Vec<u8>) {
        let mut summary = Summary::default();
        entries().iter().for_each(|entry| summary.add(entry));
        let trailer = Trailer {
            name: NAME,
            salt: 42,
            index_offset: 64 * BLOCK,
            summary,
        };
        (trailer, Entry::encode_index(&entries(), &trailer))
    }

    #[test]
    fn what_is_sealed_is_read_back() {
        let (trailer, bytes) = sealed();
        assert_eq!(trailer.summary.items, [750; 4]);
        assert_eq!(
            (trailer.summary.oldest, trailer.summary.newest),
            (1_000, 1_299)
        );
        let whole = trailer.segment_bytes();
        assert_eq!(whole, trailer.index_offset + bytes.len() as u64);
        let block = &bytes[bytes.len() - 4096..];
        assert_eq!(Trailer::decode(block, NAME, whole), Some(trailer));
        assert_eq!(Trailer::decode(block, NAME, whole + 4096), None);
        let index = Entry::decode_index(&bytes, 42, trailer.index_offset);
        assert_eq!(index, Some(entries()));
    }

    #[test]
    fn one_flipped_bit_never_loses_a_trailer_and_never_passes_in_an_index() {
        let (trailer, bytes) = sealed();
        let (index, block) = bytes.split_at(bytes.len() - 4096);
        for bit in 0..block.len() * 8 {
            let mut block = block.to_vec();
            block[bit / 8] ^= 1 << (bit % 8);
            let found = Trailer::decode(&block, NAME, trailer.segment_bytes());
            assert_eq!(found, Some(trailer), "{bit}");
        }
        let summed = RECORD_BITS + entries().len() * 40 * 8;
        for bit in (0..summed).step_by(7) {
            let mut index = index.to_vec();
            index[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::decode_index(&index, 42, trailer.index_offset), None);
        }
    }

    const RECORD_BITS: usize = super::super::RECORD_HEADER * 8;
}
