//! A gRPC message: five bytes of prefix, then the body, without copying the body.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

const PREFIX: usize = 5;

/// What is left to write of a message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    prefix: [u8; PREFIX],
    written: usize,
    body: Bytes,
}

impl Message {
    pub(super) fn new(compressed: bool, body: Bytes) -> Self {
        let [a, b, c, d] = (body.len() as u32).to_be_bytes();
        Self {
            prefix: [u8::from(compressed), a, b, c, d],
            written: 0,
            body,
        }
    }

    /// Cuts off the first `count` bytes, which hold the prefix.
    pub(super) fn split_to(&mut self, count: usize) -> Self {
        let written = std::mem::replace(&mut self.written, PREFIX);
        Self {
            prefix: self.prefix,
            written,
            body: self.body.split_to(count - (PREFIX - written)),
        }
    }
}

impl Buf for Message {
    fn remaining(&self) -> usize {
        PREFIX - self.written + self.body.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.written < PREFIX {
            &self.prefix[self.written..]
        } else {
            &self.body
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let chunks = [&self.prefix[self.written..], &self.body[..]];
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(chunks) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    fn advance(&mut self, count: usize) {
        let prefix = count.min(PREFIX - self.written);
        self.written += prefix;
        self.body.advance(count - prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_prefix_and_body_wherever_it_is_cut() {
        let whole = [&[1, 0, 0, 0, 3][..], b"abc"].concat();
        for cut in 0..=whole.len() {
            let mut message = Message::new(true, Bytes::from_static(b"abc"));
            message.advance(cut);
            assert_eq!(message.remaining(), whole.len() - cut);
            let mut slices = [IoSlice::new(&[]); 4];
            let count = message.chunks_vectored(&mut slices);
            let gathered: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
            assert_eq!(gathered, whole[cut..]);
            assert_eq!(message.copy_to_bytes(whole.len() - cut), whole[cut..]);
        }
    }

    #[test]
    fn its_pieces_are_the_whole() {
        let whole = [&[0, 0, 0, 0, 6][..], b"abcdef"].concat();
        for cut in PREFIX..=whole.len() {
            let mut message = Message::new(false, Bytes::from_static(b"abcdef"));
            let mut first = message.split_to(cut);
            assert_eq!(first.copy_to_bytes(first.remaining()), whole[..cut]);
            assert_eq!(message.copy_to_bytes(message.remaining()), whole[cut..]);
        }
    }
}
