//! Gathers the chunks of a body into one, copying only when there are several.

use bytes::{Bytes, BytesMut};

use super::inflate::LARGEST;

/// A body that is larger than [`LARGEST`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// The chunks so far.
#[derive(Debug, Default)]
pub(super) struct Gather {
    expected: usize,
    first: Bytes,
    rest: BytesMut,
}

impl Gather {
    /// `expected` is the length to come, where it is known.
    pub(super) fn new(expected: Option<usize>) -> Self {
        Self {
            expected: expected.unwrap_or(0),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) -> Result<(), TooLarge> {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
        } else {
            if self.rest.is_empty() {
                let least = self.first.len() + chunk.len();
                let capacity = self.expected.clamp(least, LARGEST.max(least));
                self.rest = BytesMut::with_capacity(capacity);
                self.rest.extend_from_slice(&self.first);
                self.first = Bytes::new();
            }
            self.rest.extend_from_slice(&chunk);
        }
        if self.len() > LARGEST {
            return Err(TooLarge);
        }
        Ok(())
    }

    /// Tells the length to come, when it is found out after the first chunk.
    pub(super) fn expect(&mut self, length: usize) {
        self.expected = length;
    }

    pub(super) fn first(&self) -> &Bytes {
        &self.first
    }

    pub(super) fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    pub(super) fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_one_body_and_a_single_one_is_not_copied() {
        let only = Bytes::from_static(b"only");
        let mut gather = Gather::new(None);
        gather.push(only.clone()).unwrap();
        assert_eq!(gather.finish().as_ptr(), only.as_ptr());
        let mut gather = Gather::new(Some(9));
        for chunk in ["one", "", "two", "six"] {
            gather.push(Bytes::from_static(chunk.as_bytes())).unwrap();
        }
        assert_eq!(gather.finish(), "onetwosix");
        assert_eq!(Gather::new(Some(usize::MAX)).finish(), "");
    }

    #[test]
    fn a_body_has_a_bound() {
        let mut gather = Gather::new(Some(usize::MAX));
        let half = Bytes::from(vec![0; LARGEST / 2]);
        gather.push(half.clone()).unwrap();
        gather.push(half.clone()).unwrap();
        assert_eq!(gather.push(half), Err(TooLarge));
    }
}
