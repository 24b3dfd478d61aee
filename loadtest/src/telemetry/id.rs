//! The id of an item and the attribute that carries it.

use std::fmt;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// Bits of an id that number the items of one sender.
const SEQUENCE_BITS: u32 = 48;

/// The id of an item: the sender's number above, the item's number among the sender's below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub u64);

impl ItemId {
    /// The item `sequence` of `sender`. Only the low 48 bits of `sequence` are kept.
    #[must_use]
    pub fn new(sender: u16, sequence: u64) -> Self {
        Self((u64::from(sender) << SEQUENCE_BITS) | (sequence & ((1 << SEQUENCE_BITS) - 1)))
    }

    /// The sender's number.
    #[must_use]
    pub fn sender(self) -> u16 {
        let [a, b, ..] = self.0.to_be_bytes();
        u16::from_be_bytes([a, b])
    }

    /// The item's number among the sender's.
    #[must_use]
    pub fn sequence(self) -> u64 {
        self.0 & ((1 << SEQUENCE_BITS) - 1)
    }
}

/// `3:1402`, sender and sequence.
impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sender(), self.sequence())
    }
}

/// The attribute that carries the stamp.
pub(super) const KEY: &str = "loadtest.id";

/// What the attribute holds: id, then checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub id: u64,
    pub checksum: u32,
}

impl Stamp {
    /// Bytes of a stamp.
    pub const LENGTH: usize = 12;

    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.id.to_be_bytes());
        bytes[8..].copy_from_slice(&self.checksum.to_be_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LENGTH] = bytes.try_into().ok()?;
        let (id, checksum) = bytes.split_at(8);
        Some(Self {
            id: u64::from_be_bytes(id.try_into().ok()?),
            checksum: u32::from_be_bytes(checksum.try_into().ok()?),
        })
    }

    /// The checksum of an item: `before` is that of everything ahead of the stamp, `after` the
    /// encoding behind it.
    pub fn checksum(id: u64, before: u32, after: &[u8]) -> u32 {
        let zeroed = Self { id, checksum: 0 }.to_bytes();
        crc32c::crc32c_append(crc32c::crc32c_append(before, &zeroed), after)
    }
}

/// The attribute with an empty stamp, to be written in place later.
pub(super) fn blank() -> KeyValue {
    KeyValue {
        key: KEY.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::BytesValue(vec![0; Stamp::LENGTH])),
        }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_holds_sender_and_sequence() {
        let id = ItemId::new(0xABCD, 0x1234_5678_9ABC);
        assert_eq!(id.0, 0xABCD_1234_5678_9ABC);
        assert_eq!(id.sender(), 0xABCD);
        assert_eq!(id.sequence(), 0x1234_5678_9ABC);
        assert_eq!(ItemId::new(3, 1402).to_string(), "3:1402");
    }

    #[test]
    fn a_stamp_reads_back_and_only_at_its_length() {
        let stamp = Stamp {
            id: 0x0102_0304_0506_0708,
            checksum: 0x090A_0B0C,
        };
        let bytes = stamp.to_bytes();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(Stamp::from_bytes(&bytes), Some(stamp));
        assert_eq!(Stamp::from_bytes(&bytes[..11]), None);
    }

    #[test]
    fn a_checksum_is_that_of_the_whole_with_its_own_bytes_zero() {
        let id = ItemId::new(7, 9).0;
        let mut whole = b"ahead".to_vec();
        whole.extend(Stamp { id, checksum: 0 }.to_bytes());
        whole.extend(b"behind");
        assert_eq!(
            Stamp::checksum(id, crc32c::crc32c(b"ahead"), b"behind"),
            crc32c::crc32c(&whole)
        );
    }
}
