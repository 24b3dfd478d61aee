//! The first block of a segment.

use super::{
    Crc, VERSION,
    field::{Fields, copies, twice},
};
use crate::spool::SegmentName;

const MAGIC: [u8; 8] = *b"OTLPSPL\n";
const BYTES: usize = 48;
const SUMMED_FROM: usize = 16;

/// What the first block of a segment says. It lies there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The segment.
    pub name: SegmentName,
    /// What its checksums are seeded with.
    pub salt: u64,
    /// When it was begun: nanoseconds of Unix time.
    pub created: u64,
}

/// Why a first block is not a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It was never written: zeros alone.
    Blank,
    /// It was written by another version of this format.
    Version(u32),
    /// Both copies are damaged.
    Damaged,
}

impl SegmentHeader {
    /// The block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::with_capacity(BYTES);
        fields.extend_from_slice(&self.salt.to_le_bytes());
        fields.extend_from_slice(&self.name.sequence.to_le_bytes());
        fields.extend_from_slice(&u64::from(self.name.shard).to_le_bytes());
        fields.extend_from_slice(&self.created.to_le_bytes());
        let mut copy = MAGIC.to_vec();
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&Crc::default().with(&fields).get().to_le_bytes());
        copy.extend_from_slice(&fields);
        twice(&copy)
    }

    /// Reads the first block of the segment with this name.
    ///
    /// # Errors
    ///
    /// See [`HeaderError`].
    pub fn decode(block: &[u8], name: SegmentName) -> Result<Self, HeaderError> {
        if block.iter().all(|byte| *byte == 0) {
            return Err(HeaderError::Blank);
        }
        let mut other = None;
        for copy in copies(block) {
            match Self::decode_copy(copy, name) {
                Ok(found) => return Ok(found),
                Err(HeaderError::Version(version)) => {
                    // A flipped bit in one copy is not another version: both have to say it.
                    if other.replace(version) == Some(version) {
                        return Err(HeaderError::Version(version));
                    }
                }
                Err(_) => {}
            }
        }
        Err(HeaderError::Damaged)
    }

    fn decode_copy(copy: &[u8], name: SegmentName) -> Result<Self, HeaderError> {
        let copy = copy.get(..BYTES).ok_or(HeaderError::Damaged)?;
        let mut fields = Fields::new(copy);
        if fields.bytes() != MAGIC {
            return Err(HeaderError::Damaged);
        }
        let version = fields.u32();
        if version != VERSION {
            return Err(HeaderError::Version(version));
        }
        let sum = Crc::default().with(copy.get(SUMMED_FROM..).unwrap_or_default());
        let found = Self {
            salt: {
                let expected = fields.u32();
                if expected != sum.get() {
                    return Err(HeaderError::Damaged);
                }
                fields.u64()
            },
            name: SegmentName {
                sequence: fields.u64(),
                shard: u32::try_from(fields.u64()).unwrap_or(u32::MAX),
            },
            created: fields.u64(),
        };
        if found.name != name {
            return Err(HeaderError::Damaged);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: SegmentName = SegmentName {
        sequence: 77,
        shard: 3,
    };

    fn header() -> SegmentHeader {
        SegmentHeader {
            name: NAME,
            salt: 0xfeed_beef,
            created: 5,
        }
    }

    #[test]
    fn one_flipped_bit_never_loses_a_header() {
        let block = header().encode();
        assert_eq!(block.len(), 4096);
        for bit in 0..block.len() * 8 {
            let mut block = block.clone();
            block[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&block, NAME), Ok(header()), "{bit}");
        }
    }

    #[test]
    fn another_name_another_version_and_zeros_are_told_apart() {
        let mut block = header().encode();
        let other = SegmentName {
            sequence: 78,
            shard: 3,
        };
        assert_eq!(
            SegmentHeader::decode(&block, other),
            Err(HeaderError::Damaged)
        );
        block[8] = 9;
        block[2048 + 8] = 9;
        assert_eq!(
            SegmentHeader::decode(&block, NAME),
            Err(HeaderError::Version(9))
        );
        assert_eq!(
            SegmentHeader::decode(&[0; 4096], NAME),
            Err(HeaderError::Blank)
        );
    }
}
