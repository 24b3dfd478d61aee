//! CRC-32C, over data that comes in pieces.

use crc_fast::{CrcAlgorithm, Digest};

/// A running CRC-32C (Castagnoli), with the processor's instructions where it has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crc(u32);

impl Crc {
    /// One that begins with the salt of a segment: the same bytes have another sum in another
    /// segment.
    #[must_use]
    pub fn salted(salt: u64) -> Self {
        Self::default().with(&salt.to_le_bytes())
    }

    /// The sum after these bytes as well.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        // The sum so far, as it was before the last step of all.
        let so_far = u64::from(!self.0);
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, so_far);
        digest.update(bytes);
        // A sum of 32 bits.
        Self(u32::try_from(digest.finalize()).unwrap_or(u32::MAX))
    }

    /// The sum.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_castagnoli_and_pieces_do_not_matter() {
        assert_eq!(Crc::default().with(b"123456789").get(), 0xe306_9283);
        assert_eq!(
            Crc::default().with(b"1234").with(b"56789"),
            Crc::default().with(b"123456789")
        );
        assert_ne!(Crc::salted(1).with(b"x"), Crc::salted(2).with(b"x"));
    }
}
