//! Changes to a body without decoding it: what is cut out, what is put in, and the lengths above.
//! What no change touches stays the bytes that were received.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{ops::Range, slice};

use bytes::{Bytes, BytesMut};

/// What stays between two changes is shared with the received bytes from this length on; what is
/// shorter is copied together.
///
/// - Source: chosen: what is shorter would be copied on its way to a collector anyway, and would
///   keep alive the received buffer that it lies in.
pub(super) const SHARE_BYTES_MIN: usize = 2 << 10;

/// Changes to one body, noted in the order of its bytes.
#[derive(Debug, Default)]
pub(super) struct Splice {
    edits: Vec<Edit>,
    /// What is put in, of all edits.
    inserted: Vec<u8>,
    /// Bytes that the edits take out.
    taken: usize,
}

/// One change: the bytes of the body that it takes out, and the inserted ones in their place.
#[derive(Debug)]
struct Edit {
    out: Range<usize>,
    put: Range<usize>,
}

/// A message whose length may still change.
#[derive(Debug)]
pub(super) struct Open {
    index: usize,
    inserted: usize,
    taken: usize,
}

impl Splice {
    /// Whether nothing changes.
    pub(super) const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Begins a message whose length lies at `length`. What changes until [`Splice::close`] is
    /// inside it.
    pub(super) fn open(&mut self, length: Range<usize>) -> Open {
        let open = Open {
            index: self.edits.len(),
            inserted: self.inserted.len(),
            taken: self.taken,
        };
        self.edits.push(Edit {
            out: length,
            put: 0..0,
        });
        open
    }

    /// Ends a message that was `length` bytes long as it was received: its length is written anew
    /// where something inside it changed.
    pub(super) fn close(&mut self, open: &Open, length: usize) {
        if self.edits.len() == open.index.saturating_add(1) {
            self.edits.truncate(open.index);
            return;
        }
        let added = self.inserted.len().saturating_sub(open.inserted);
        let taken = self.taken.saturating_sub(open.taken);
        let length = length.saturating_add(added).saturating_sub(taken);
        let start = self.inserted.len();
        put_varint(length, &mut self.inserted);
        let put = start..self.inserted.len();
        if let Some(edit) = self.edits.get_mut(open.index) {
            edit.put = put;
            self.taken = self.taken.saturating_add(edit.out.len());
        }
    }

    /// Ends a message that is taken out whole, whatever changed inside it; `whole` is the field
    /// that holds it.
    pub(super) fn discard(&mut self, open: &Open, whole: Range<usize>) {
        self.edits.truncate(open.index);
        self.inserted.truncate(open.inserted);
        self.taken = open.taken;
        self.replace(whole, &[]);
    }

    /// Takes bytes out and puts others in their place.
    pub(super) fn replace(&mut self, out: Range<usize>, put: &[u8]) {
        self.taken = self.taken.saturating_add(out.len());
        let start = self.inserted.len();
        self.inserted.extend_from_slice(put);
        self.edits.push(Edit {
            out,
            put: start..self.inserted.len(),
        });
    }

    /// The changed body.
    ///
    /// - Cost: the bytes between changes are shared from [`SHARE_BYTES_MIN`] on; the others are
    ///   copied into one allocation.
    pub(super) fn apply(&self, body: &[Bytes]) -> Vec<Bytes> {
        let mut copied = 0_usize;
        self.pieces(body, |piece| {
            copied = copied.saturating_add(piece.copied().len());
        });
        let mut out = Vec::new();
        let mut small = BytesMut::with_capacity(copied);
        self.pieces(body, |piece| match piece {
            Piece::Copied(bytes) => small.extend_from_slice(bytes),
            Piece::Shared(bytes) => {
                if !small.is_empty() {
                    out.push(small.split().freeze());
                }
                out.push(bytes);
            }
        });
        if !small.is_empty() {
            out.push(small.freeze());
        }
        out
    }

    /// Hands over the pieces of the changed body in order.
    fn pieces(&self, body: &[Bytes], mut each: impl FnMut(Piece<'_>)) {
        let mut rest = Rest::new(body);
        for edit in &self.edits {
            rest.keep_until(edit.out.start, &mut each);
            rest.skip_until(edit.out.end);
            each(Piece::Copied(
                self.inserted.get(edit.put.clone()).unwrap_or_default(),
            ));
        }
        rest.keep_until(usize::MAX, &mut each);
    }
}

/// A piece of a changed body.
enum Piece<'a> {
    /// Short: copied together with its neighbours.
    Copied(&'a [u8]),
    /// Long: shared with what was received.
    Shared(Bytes),
}

impl<'a> Piece<'a> {
    /// What is copied of it.
    const fn copied(&self) -> &'a [u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(_) => &[],
        }
    }
}

/// What is left of a body that is read in order.
struct Rest<'a> {
    slices: slice::Iter<'a, Bytes>,
    /// The slice that is being read.
    slice: Option<&'a Bytes>,
    /// The offset of the next byte in that slice.
    inside: usize,
    /// The offset of the next byte in the body.
    at: usize,
}

impl<'a> Rest<'a> {
    fn new(body: &'a [Bytes]) -> Self {
        let mut slices = body.iter();
        let slice = slices.next();
        Self {
            slices,
            slice,
            inside: 0,
            at: 0,
        }
    }

    /// Hands over what lies before the offset `end` of the body.
    fn keep_until(&mut self, end: usize, each: &mut impl FnMut(Piece<'a>)) {
        while let Some((slice, inside)) = self.next_until(end) {
            if inside.len() < SHARE_BYTES_MIN {
                each(Piece::Copied(slice.get(inside).unwrap_or_default()));
            } else {
                each(Piece::Shared(slice.slice(inside)));
            }
        }
    }

    /// Leaves out what lies before the offset `end` of the body.
    fn skip_until(&mut self, end: usize) {
        while self.next_until(end).is_some() {}
    }

    /// The next bytes before the offset `end` that lie in one slice: the slice, and where in it.
    fn next_until(&mut self, end: usize) -> Option<(&'a Bytes, Range<usize>)> {
        loop {
            let slice = self.slice?;
            let left = end.saturating_sub(self.at);
            let until = slice.len().min(self.inside.saturating_add(left));
            let inside = self.inside..until;
            if !inside.is_empty() {
                self.at = self.at.saturating_add(inside.len());
                self.inside = until;
                return Some((slice, inside));
            }
            if left == 0 {
                return None;
            }
            self.slice = self.slices.next();
            self.inside = 0;
        }
    }
}

/// Appends a varint.
pub(super) fn put_varint(value: usize, into: &mut Vec<u8>) {
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            into.push(low & 0x7f);
            return;
        }
        into.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests;
