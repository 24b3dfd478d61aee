//! What a write takes from where it lies, and what is copied together for it.

use std::{io::IoSlice, ops::Range};

use bytes::{Bytes, BytesMut};

use super::{BLOCK_BYTES, aligned::aligned};

/// Pieces shorter than this are copied.
///
/// - Source: chosen: copying two pages costs about what handing them over does.
const LENT_BYTES_MIN: usize = 8192;

/// Slices that the kernel takes at once (`IOV_MAX`).
const SLICES_MAX: usize = 1024;

/// The pieces of a write as the kernel takes them.
#[derive(Debug)]
pub struct Gathered {
    parts: Vec<Part>,
    copied: BytesMut,
}

#[derive(Debug)]
enum Part {
    Lent(Bytes),
    /// Of what was copied.
    Copied(Range<usize>),
}

impl Gathered {
    /// Gathers pieces that lie one after the other from the beginning of a block on. What is lent
    /// begins at a multiple of `unit`, in memory and in the file, and is as long.
    pub fn of(pieces: &[Bytes], unit: usize) -> Self {
        let lent: Vec<usize> = lent(pieces, unit).collect();
        let total: usize = pieces.iter().map(Bytes::len).sum();
        let mut gathered = Self {
            parts: Vec::new(),
            copied: aligned(total - lent.iter().sum::<usize>()),
        };
        for (piece, lent) in pieces.iter().zip(lent) {
            if lent > 0 {
                gathered.parts.push(Part::Lent(piece.slice(..lent)));
            }
            gathered.copy(piece.get(lent..).unwrap_or_default());
        }
        gathered
    }

    fn copy(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.copied.len();
        self.copied.extend_from_slice(bytes);
        let end = start + bytes.len();
        match self.parts.last_mut() {
            Some(Part::Copied(range)) => range.end = end,
            _ => self.parts.push(Part::Copied(start..end)),
        }
    }

    /// What comes after the first `skip` bytes, which are whole blocks: as many whole blocks of it
    /// as the kernel takes at once.
    pub fn rest(&self, mut skip: usize) -> Vec<IoSlice<'_>> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Lent(bytes) => bytes,
            Part::Copied(range) => self.copied.get(range.clone()).unwrap_or_default(),
        });
        let rest = parts.filter_map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            part.get(from..).filter(|rest| !rest.is_empty())
        });
        let mut slices: Vec<&[u8]> = rest.take(SLICES_MAX).collect();
        let mut over = slices.iter().map(|it| it.len()).sum::<usize>() % BLOCK_BYTES;
        while over > 0
            && let Some(last) = slices.pop()
        {
            let keep = last.len().saturating_sub(over);
            over -= last.len() - keep;
            slices.extend(last.get(..keep).filter(|kept| !kept.is_empty()));
        }
        slices.into_iter().map(IoSlice::new).collect()
    }
}

/// How much of each piece, from its beginning, is lent.
fn lent(pieces: &[Bytes], unit: usize) -> impl Iterator<Item = usize> {
    let mut next = 0;
    pieces.iter().map(move |piece| {
        let at = next;
        next += piece.len();
        let lies_right = at.is_multiple_of(unit) && piece.as_ptr().addr().is_multiple_of(unit);
        match lies_right && piece.len() >= LENT_BYTES_MIN {
            true => piece.len() / unit * unit,
            false => 0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of so many bytes that begins `off` a sector.
    fn piece(len: usize, off: usize) -> Bytes {
        let mut memory = aligned(off + len);
        memory.extend((0..off + len).map(|at| u8::try_from(at * 31 % 251).unwrap()));
        memory.freeze().slice(off..)
    }

    fn filled(pieces: &[Bytes]) -> Vec<Bytes> {
        let total: usize = pieces.iter().map(Bytes::len).sum();
        let fill = Bytes::from(vec![0; total.next_multiple_of(BLOCK_BYTES) - total]);
        pieces.iter().cloned().chain([fill]).collect()
    }

    #[test]
    fn what_is_gathered_are_the_bytes_of_the_pieces_from_any_block_on() {
        let pieces = filled(&[
            piece(512, 0),
            piece(43_017, 0),
            Bytes::new(),
            piece(495 + 100, 3),
            piece(412, 0),
            piece(20_000, 0),
            piece(20_000, 8),
        ]);
        let whole = pieces.concat();
        for unit in [1, 512, BLOCK_BYTES] {
            let gathered = Gathered::of(&pieces, unit);
            for skip in (0..whole.len()).step_by(BLOCK_BYTES) {
                let rest: Vec<u8> = gathered
                    .rest(skip)
                    .iter()
                    .flat_map(|it| it.to_vec())
                    .collect();
                assert_eq!(rest, whole[skip..], "{unit} {skip}");
            }
        }
    }

    #[test]
    fn long_pieces_that_lie_right_are_lent_and_the_rest_is_right_as_well() {
        let (first, second) = (piece(43_017, 0), piece(20_000, 0));
        let head = |bytes: usize| piece(bytes, 1);
        let pieces = filled(&[head(512), first.clone(), head(503), second.clone()]);
        let gathered = Gathered::of(&pieces, 512);
        let slices = gathered.rest(0);
        let starts: Vec<_> = slices.iter().map(|it| it.as_ptr()).collect();
        assert!(starts.contains(&first.as_ptr()) && starts.contains(&second.as_ptr()));
        for slice in &slices {
            assert!(slice.as_ptr().addr().is_multiple_of(512));
            assert!(slice.len().is_multiple_of(512), "{}", slice.len());
        }
        assert!(gathered.copied.len() < 4096 + 1024 + 512);
        // A device with larger sectors takes none of them from where it lies.
        assert_eq!(Gathered::of(&pieces, BLOCK_BYTES).rest(0).len(), 1);
    }

    #[test]
    fn more_pieces_than_the_kernel_takes_are_cut_at_a_block() {
        let record = || [piece(512, 0), piece(8192, 0)];
        let pieces: Vec<_> = (0..3000).flat_map(|_| record()).collect();
        let pieces = filled(&pieces);
        let whole = pieces.concat();
        let gathered = Gathered::of(&pieces, 512);
        let mut got = Vec::new();
        while got.len() < whole.len() {
            let slices = gathered.rest(got.len());
            assert!(slices.len() <= SLICES_MAX);
            slices.iter().for_each(|it| got.extend_from_slice(it));
            assert!(got.len().is_multiple_of(BLOCK_BYTES));
        }
        assert_eq!(got, whole);
    }
}
