//! What is to be sent: frame heads and small pieces copied together, large pieces as they are.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

use crate::http2::{
    frame::{ACK, END_STREAM, Head, Kind},
    write::Write,
};

/// A piece of at least so many bytes is sent from where it lies; a smaller one is copied behind
/// the head of its frame.
///
/// - Source: chosen: below it, looking at one more piece costs about what the copy does.
const SHARED_BYTES_MIN: usize = 2 << 10;

/// Answers to the peer's questions that may wait for it to read them.
///
/// - Source: chosen: a peer asks once a round trip; one that asks more and does not read is hostile.
const ANSWERS_MAX: usize = 1024;

/// Bytes of copied pieces that are kept allocated while nothing is to be sent.
const KEPT_BYTES: usize = 16 << 10;

#[derive(Debug)]
enum Piece {
    /// The next so many bytes of `copied`.
    Copied(usize),
    Shared(Bytes),
}

/// A queue of bytes.
#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    copied: Vec<u8>,
    /// Bytes of `copied` that were sent.
    copied_sent: usize,
    queued: u64,
    sent: u64,
    /// Answers that were queued since `answers_since` had been sent.
    answers: usize,
    answers_since: u64,
}

impl Output {
    /// Bytes queued since the start, sent or not.
    pub(super) const fn queued(&self) -> u64 {
        self.queued
    }

    /// Bytes sent since the start.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        usize::try_from(self.queued - self.sent).unwrap_or(usize::MAX)
    }

    /// The first pieces, as many as `into` holds.
    pub(super) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut copied = &self.copied[self.copied_sent..];
        let mut count = 0;
        for (slot, piece) in into.iter_mut().zip(&self.pieces) {
            *slot = IoSlice::new(match piece {
                Piece::Copied(len) => {
                    let (these, after) = copied.split_at(*len);
                    copied = after;
                    these
                }
                Piece::Shared(bytes) => bytes,
            });
            count += 1;
        }
        count
    }

    /// Forgets the first bytes: they were sent.
    pub(super) fn advance(&mut self, bytes: usize) {
        let mut left = bytes;
        while left > 0
            && let Some(piece) = self.pieces.front_mut()
        {
            let step = match piece {
                Piece::Copied(len) => {
                    let step = left.min(*len);
                    *len -= step;
                    self.copied_sent += step;
                    (step, *len == 0)
                }
                Piece::Shared(shared) => {
                    let step = left.min(shared.len());
                    shared.advance(step);
                    (step, shared.is_empty())
                }
            };
            left -= step.0;
            if step.1 {
                self.pieces.pop_front();
            }
        }
        self.sent += (bytes - left) as u64;
        if self.sent > self.answers_since {
            self.answers = 0;
        }
        if self.copied_sent == self.copied.len() {
            self.copied.clear();
            self.copied.shrink_to(KEPT_BYTES);
            self.copied_sent = 0;
        } else if self.copied_sent > KEPT_BYTES {
            self.copied.drain(..self.copied_sent);
            self.copied_sent = 0;
        }
    }

    /// A frame that answers one of the peer's; `false` when too many wait for it to read.
    fn answer(&mut self, kind: Kind, payload: &[u8]) -> bool {
        if self.answers == 0 {
            self.answers_since = self.queued;
        }
        self.answers += 1;
        let fits = self.answers <= ANSWERS_MAX;
        if fits {
            self.frame(kind, ACK, 0, payload);
        }
        fits
    }

    pub(super) fn settings_ack(&mut self) -> bool {
        self.answer(Kind::Settings, &[])
    }

    pub(super) fn ping_ack(&mut self, payload: &[u8]) -> bool {
        self.answer(Kind::Ping, payload)
    }

    /// The next `len` bytes of `body` as one frame.
    pub(super) fn data(&mut self, stream: u32, body: &mut impl Buf, len: usize, ends: bool) {
        let flags = if ends { END_STREAM } else { 0 };
        self.raw(&Head::new(Kind::Data, flags, stream, len).to_bytes());
        let mut left = len;
        while left > 0 {
            let chunk = body.chunk();
            let step = left.min(chunk.len());
            if step < SHARED_BYTES_MIN {
                self.raw(&chunk[..step]);
                body.advance(step);
            } else {
                self.pieces
                    .push_back(Piece::Shared(body.copy_to_bytes(step)));
                self.queued += step as u64;
            }
            left -= step;
        }
    }
}

impl Write for Output {
    fn raw(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
        self.queued += bytes.len() as u64;
        match self.pieces.back_mut() {
            Some(Piece::Copied(len)) => *len += bytes.len(),
            _ if bytes.is_empty() => {}
            _ => self.pieces.push_back(Piece::Copied(bytes.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http2::frame::{END_HEADERS, FRAME_BYTES_DEFAULT};
    use proptest::{collection::vec, prelude::*};

    fn joined(output: &Output, pieces: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); pieces];
        let count = output.slices(&mut slices);
        slices[..count].iter().flat_map(|it| it.to_vec()).collect()
    }

    proptest! {
        /// Whatever is queued and however it is sent, the same bytes come out in order.
        #[test]
        fn bytes_come_out_as_they_went_in(
            steps in vec((vec(0_usize..5000, 0..4), 1_usize..9, 0_usize..9000), 1..20),
        ) {
            let (mut output, mut expected, mut seen) = (Output::default(), Vec::new(), Vec::new());
            let mut fill = 0_u8;
            for (lens, pieces, sent) in steps {
                for len in lens {
                    fill = fill.wrapping_add(1);
                    let mut body = Bytes::from(vec![fill; len]);
                    expected.extend(Head::new(Kind::Data, 0, 1, len).to_bytes());
                    expected.extend(&body);
                    output.data(1, &mut body, len, false);
                }
                let mut there = joined(&output, pieces);
                there.truncate(sent);
                output.advance(there.len());
                seen.extend(there);
            }
            seen.extend(joined(&output, output.pieces.len()));
            prop_assert_eq!(output.queued(), expected.len() as u64);
            prop_assert_eq!(seen, expected);
            output.advance(usize::MAX);
            prop_assert_eq!(output.waiting(), 0);
            prop_assert!(output.copied.capacity() <= KEPT_BYTES);
        }
    }

    #[test]
    fn large_pieces_are_not_copied_and_small_ones_lie_together() {
        let large = Bytes::from(vec![7; SHARED_BYTES_MIN]);
        let mut output = Output::default();
        output.data(1, &mut large.clone(), large.len(), true);
        output.data(3, &mut large.slice(1..), large.len() - 1, true);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(output.slices(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), large.as_ptr());
    }

    #[test]
    fn answers_are_bounded_until_the_peer_reads() {
        let mut output = Output::default();
        assert!((0..ANSWERS_MAX).all(|_| output.ping_ack(&[0; 8])));
        assert!(!output.ping_ack(&[0; 8]));
        output.advance(1);
        assert!(output.settings_ack());
    }

    #[test]
    fn a_long_block_is_continued() {
        let mut output = Output::default();
        output.headers(1, &[0x20], &vec![1; FRAME_BYTES_DEFAULT], true);
        let bytes = joined(&output, 1);
        let first = Head::parse(*bytes.first_chunk().unwrap());
        assert_eq!((first.len, first.flags), (FRAME_BYTES_DEFAULT, END_STREAM));
        let second = Head::parse(*bytes[9 + first.len..].first_chunk().unwrap());
        assert_eq!((second.kind, second.len), (Kind::Continuation, 1));
        assert_eq!(second.flags, END_HEADERS);
    }
}
