//! Reads a body across the borders of its segments, and hands what lies in one piece to [`Flat`].

use std::{iter, slice};

use bytes::Bytes;

use super::{
    super::schema::Id,
    engine::{Fault, Source, Stack, Tally, walk},
    flat::{CUT, CUT_VARINT, Flat, LONG_VARINT, NOT_UTF8},
    text::Pieces,
};

/// The rest of a body in segments of any size.
pub(in crate::wire) struct Segments<'a> {
    /// The rest of the segment that is being read.
    window: &'a [u8],
    /// The segments after it.
    rest: slice::Iter<'a, Bytes>,
    /// Bytes left of the message that is being read.
    left: usize,
    /// The offset of the window in the body.
    at: usize,
    /// The stack for messages that lie in one piece.
    stack: Stack<&'a [u8]>,
}

impl<'a> Segments<'a> {
    /// Reads `body` as one message, the `root`.
    pub(in crate::wire) fn new(body: &'a [Bytes], root: Id) -> Self {
        let left = body
            .iter()
            .fold(0, |sum: usize, segment| sum.saturating_add(segment.len()));
        Self {
            window: &[],
            rest: body.iter(),
            left,
            at: 0,
            stack: Stack::new(root),
        }
    }

    /// Takes the message that was entered, where it lies in one piece.
    #[inline(always)]
    pub(in crate::wire) fn whole(&mut self) -> Option<&'a [u8]> {
        while let ([], Some(segment)) = (self.window, self.rest.as_slice().first()) {
            self.window = segment;
            self.rest.next();
        }
        (self.left <= self.window.len()).then(|| self.piece(self.left))
    }

    /// Hands over what is left of the message, piece by piece, and takes nothing.
    pub(in crate::wire) fn peek(&self, mut each: impl FnMut(&[u8])) {
        let mut left = self.left;
        for piece in iter::once(self.window).chain(self.rest.as_slice().iter().map(AsRef::as_ref)) {
            if left == 0 {
                return;
            }
            let piece = piece.get(..left).unwrap_or(piece);
            left = left.wrapping_sub(piece.len());
            each(piece);
        }
    }

    /// Takes up to `count` bytes that lie in one piece; at least one where `count` is not 0.
    /// The message must hold them.
    #[inline(always)]
    fn piece(&mut self, count: usize) -> &'a [u8] {
        while self.window.is_empty() {
            let Some(segment) = self.rest.next() else {
                return &[];
            };
            self.window = segment;
        }
        let (piece, window) = self.window.split_at(count.min(self.window.len()));
        self.window = window;
        self.left = self.left.wrapping_sub(piece.len());
        self.at = self.at.wrapping_add(piece.len());
        piece
    }

    /// Reads a varint of several bytes or across a border.
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            if self.left == 0 {
                return Err(CUT_VARINT);
            }
            let [byte] = self.piece(1) else {
                return Err(CUT_VARINT);
            };
            if shift == 63 && *byte > 1 {
                break;
            }
            value |= u64::from(*byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(LONG_VARINT)
    }

    /// Reads a length that the message can hold.
    #[inline(always)]
    fn length(&mut self) -> Result<usize, Fault> {
        match usize::try_from(self.varint()?) {
            Ok(length) if length <= self.left => Ok(length),
            _ => Err(CUT),
        }
    }
}

impl Source for Segments<'_> {
    type Mark = usize;

    #[inline(always)]
    fn at_end(&self) -> bool {
        self.left == 0
    }

    fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Fault> {
        if let [byte @ 0..0x80, rest @ ..] = self.window
            && self.left > 0
        {
            self.window = rest;
            self.left = self.left.wrapping_sub(1);
            self.at = self.at.wrapping_add(1);
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn skip(&mut self, count: usize) -> Result<(), Fault> {
        if count > self.left {
            return Err(CUT);
        }
        let mut count = count;
        while count > 0 {
            count = count.wrapping_sub(self.piece(count).len());
        }
        Ok(())
    }

    fn bytes(&mut self) -> Result<usize, Fault> {
        let length = self.length()?;
        self.skip(length)?;
        Ok(length)
    }

    fn content(&mut self, mut each: impl FnMut(&[u8])) -> Result<usize, Fault> {
        let length = self.length()?;
        let mut left = length;
        while left > 0 {
            let piece = self.piece(left);
            left = left.wrapping_sub(piece.len());
            each(piece);
        }
        Ok(length)
    }

    fn text(&mut self) -> Result<(), Fault> {
        let mut length = self.length()?;
        let mut pieces = Pieces::default();
        while length > 0 {
            let piece = self.piece(length);
            length = length.wrapping_sub(piece.len());
            if !pieces.push(piece) {
                return Err(NOT_UTF8);
            }
        }
        if pieces.is_whole() {
            Ok(())
        } else {
            Err(NOT_UTF8)
        }
    }

    fn enter(&mut self) -> Result<usize, Fault> {
        let length = self.length()?;
        let outside = self.left.wrapping_sub(length);
        self.left = length;
        Ok(outside)
    }

    fn leave(&mut self, mark: usize) {
        self.left = mark;
    }

    fn message<const FULL: bool>(
        &mut self,
        message: Id,
        depth: usize,
        tally: &mut Tally,
    ) -> Result<Option<usize>, Fault> {
        let outside = self.enter()?;
        let start = self.at;
        let Some(whole) = self.whole() else {
            return Ok(Some(outside));
        };
        let mut flat = Flat::new(whole);
        if let Err(fault) = walk::<_, FULL>(&mut flat, message, depth, &mut self.stack, tally) {
            self.at = start.wrapping_add(flat.at());
            return Err(fault);
        }
        self.left = outside;
        Ok(None)
    }
}
