//! A packed body, read in order across the slices that it came in.

use std::slice;

use bytes::Bytes;

/// What is left of a body.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    piece: &'a [u8],
    rest: slice::Iter<'a, Bytes>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(slices: &'a [Bytes]) -> Self {
        let mut pieces = Self {
            piece: &[],
            rest: slices.iter(),
        };
        pieces.advance(0);
        pieces
    }

    /// What lies in one piece at the front; empty only at the end of the body.
    pub(super) const fn piece(&self) -> &'a [u8] {
        self.piece
    }

    /// Whether nothing is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.piece.is_empty()
    }

    /// Whether all that is left lies in the piece at the front.
    pub(super) fn is_last(&self) -> bool {
        self.rest.as_slice().is_empty()
    }

    /// Leaves out `count` bytes of the piece at the front.
    pub(super) fn advance(&mut self, count: usize) {
        self.piece = self.piece.get(count..).unwrap_or_default();
        while self.piece.is_empty() {
            let Some(next) = self.rest.next() else {
                return;
            };
            self.piece = next;
        }
    }

    /// Takes one byte; `None` at the end of the body.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = self.piece.first().copied()?;
        self.advance(1);
        Some(byte)
    }

    /// Takes so many bytes; `None` where fewer are left.
    pub(super) fn bytes<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Some(bytes)
    }
}
