//! Numbers in and out of a few bytes.

/// Reads numbers one after the other; past the end it reads zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.0 = rest;
                *head
            }
            None => [0; N],
        }
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    pub(super) fn four(&mut self) -> [u64; 4] {
        [self.u64(), self.u64(), self.u64(), self.u64()]
    }
}

/// A block of zeros with the same bytes twice, in two sectors.
pub(super) fn twice(bytes: &[u8]) -> Vec<u8> {
    let mut block = bytes.to_vec();
    block.resize(super::SECOND_COPY, 0);
    block.extend_from_slice(bytes);
    block.resize(super::length(super::BLOCK), 0);
    block
}

/// The copies of a block that is written twice.
pub(super) fn copies(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    [Some(block), block.get(super::SECOND_COPY..)]
        .into_iter()
        .flatten()
}
