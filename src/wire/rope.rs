//! A message as the list of byte slices that it came in.

use std::{io::IoSlice, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes in slices, read in order. Cloning shares the slices.
///
/// - Cost: a clone copies no bytes and touches one reference count, however many slices.
#[derive(Clone, Debug)]
pub struct Rope {
    slices: Arc<[Bytes]>,
    index: usize,
    offset: usize,
    remaining: usize,
}

impl Rope {
    /// A rope of these slices.
    #[must_use]
    pub fn new(slices: Arc<[Bytes]>) -> Self {
        let remaining = slices.iter().map(Bytes::len).sum();
        let mut rope = Self {
            slices,
            index: 0,
            offset: 0,
            remaining,
        };
        rope.skip_empty();
        rope
    }

    fn skip_empty(&mut self) {
        while self
            .slices
            .get(self.index)
            .is_some_and(|slice| slice.len() == self.offset)
        {
            self.index += 1;
            self.offset = 0;
        }
    }

    /// What is left of the slices, as slices.
    fn rest(&self) -> impl Iterator<Item = &[u8]> {
        let offset = self.offset;
        self.slices[self.index..]
            .iter()
            .enumerate()
            .map(move |(at, slice)| {
                if at == 0 {
                    &slice[offset..]
                } else {
                    &slice[..]
                }
            })
    }
}

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.rest().next().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, slice) in into
            .iter_mut()
            .zip(self.rest().filter(|slice| !slice.is_empty()))
        {
            *slot = IoSlice::new(slice);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        assert!(
            count <= self.remaining,
            "a rope is never advanced past its end"
        );
        self.remaining -= count;
        self.offset += count;
        while let Some(slice) = self.slices.get(self.index) {
            if self.offset < slice.len() {
                break;
            }
            self.offset -= slice.len();
            self.index += 1;
        }
    }

    /// Shares the bytes where they lie in one slice.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        assert!(len <= self.remaining, "a rope has no more than it has");
        if let Some(slice) = self.slices.get(self.index)
            && slice.len() - self.offset >= len
        {
            let shared = slice.slice(self.offset..self.offset + len);
            self.advance(len);
            return shared;
        }
        let mut copied = BytesMut::with_capacity(len);
        copied.put(self.take(len));
        copied.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rope_reads_as_its_slices_joined(
            slices in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..9),
            steps in proptest::collection::vec(1_usize..12, 0..30),
        ) {
            let joined: Vec<u8> = slices.concat();
            let mut rope = Rope::new(slices.into_iter().map(Bytes::from).collect());
            let mut at = 0;
            for step in steps {
                prop_assert_eq!(rope.remaining(), joined.len() - at);
                let mut io = [IoSlice::new(&[]); 4];
                let filled = rope.chunks_vectored(&mut io);
                let seen: Vec<u8> = io[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                prop_assert_eq!(&joined[at..at + seen.len()], &seen[..]);
                prop_assert_eq!(rope.chunk().is_empty(), at == joined.len());
                let step = step.min(joined.len() - at);
                rope.advance(step);
                at += step;
            }
            let rest = rope.copy_to_bytes(rope.remaining());
            prop_assert_eq!(&joined[at..], &rest[..]);
        }
    }
}
