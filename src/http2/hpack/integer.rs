//! Numbers with a prefix of some bits.
//!
//! - Source: RFC 7541, section 5.1.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::BufMut;

use super::HpackError;

/// Bytes of a number after its first: four of them say more than any length here can be.
const MORE_BYTES_MAX: u32 = 4;

/// Reads the number in the low `prefix_bits` (1 to 8) of the first byte and what follows it.
pub(super) fn read(block: &mut &[u8], prefix_bits: u32) -> Result<usize, HpackError> {
    let (&first, mut rest) = block.split_first().ok_or(HpackError::Truncated)?;
    let mask = u8::MAX >> 8_u32.saturating_sub(prefix_bits);
    let mut number = usize::from(first & mask);
    if first & mask == mask {
        let mut shift = 0_u32;
        loop {
            if shift == 7_u32.saturating_mul(MORE_BYTES_MAX) {
                return Err(HpackError::NumberTooLong);
            }
            let (&byte, after) = rest.split_first().ok_or(HpackError::Truncated)?;
            rest = after;
            number = number.saturating_add(usize::from(byte & 0x7f) << shift);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *block = rest;
    Ok(number)
}

/// Writes a number behind `high`, the bits of the first byte above its prefix.
pub(super) fn write(number: usize, prefix_bits: u32, high: u8, out: &mut impl BufMut) {
    let mask = u8::MAX >> 8_u32.saturating_sub(prefix_bits);
    match u8::try_from(number) {
        Ok(small) if small < mask => out.put_u8(high | small),
        _ => {
            out.put_u8(high | mask);
            let mut left = number.saturating_sub(usize::from(mask));
            while left >= 0x80 {
                out.put_u8(0x80 | low_seven(left));
                left >>= 7;
            }
            out.put_u8(low_seven(left));
        }
    }
}

const fn low_seven(number: usize) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}
