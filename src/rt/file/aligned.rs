//! Memory that a device takes from where it lies.

use bytes::{Buf, BytesMut};

/// What devices want memory to begin at that they take without a copy, in bytes.
///
/// - Source: the sector of most devices; the kernel asks no more of the memory of a direct write.
pub(super) const SECTOR_BYTES: usize = 512;

/// Empty memory for `bytes` bytes that begins at a sector, for what may be written to a disk.
///
/// - Cost: up to 511 bytes more. What grows beyond its capacity is moved, and begins anywhere.
#[must_use]
pub fn aligned(bytes: usize) -> BytesMut {
    let mut memory = BytesMut::with_capacity(bytes + SECTOR_BYTES - 1);
    let gap = memory.as_ptr().align_offset(SECTOR_BYTES);
    memory.resize(gap.min(SECTOR_BYTES - 1), 0);
    memory.advance(memory.len());
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_sector_and_stays_there_up_to_its_capacity() {
        for bytes in [0, 1, 511, 512, 43_017] {
            let mut memory = aligned(bytes);
            assert!(memory.is_empty() && memory.capacity() >= bytes);
            memory.resize(bytes, 7);
            let memory = memory.freeze();
            assert!(
                bytes == 0 || memory.as_ptr().addr().is_multiple_of(512),
                "{bytes}"
            );
        }
    }
}
