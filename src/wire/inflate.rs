//! gzip, in and out, within a bound.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::{Compression, write::GzEncoder, write::MultiGzDecoder};

use super::Rope;

/// Why a body could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The bytes are not gzip, or end too early.
    Malformed,
    /// They inflate to more than the bound.
    TooLarge,
}

/// Inflates gzip piece by piece and stops at the bound, so that a small body cannot make a large
/// one.
///
/// - Source: every member of the stream is read: concatenated members are one valid gzip body.
#[derive(Debug)]
pub struct Inflater {
    decoder: MultiGzDecoder<Bounded>,
}

/// Takes bytes up to a bound.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    over: bool,
}

impl Write for Bounded {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + buf.len() > self.bytes_max {
            self.over = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Inflater {
    /// An inflater that gives at most `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let sink = Bounded {
            bytes: Vec::new(),
            bytes_max,
            over: false,
        };
        Self {
            decoder: MultiGzDecoder::new(sink),
        }
    }

    /// Inflates one piece of the body; returns the bytes inflated so far.
    ///
    /// # Errors
    ///
    /// [`InflateError`].
    pub fn push(&mut self, piece: &[u8]) -> Result<usize, InflateError> {
        match self.decoder.write_all(piece) {
            Ok(()) => Ok(self.decoder.get_ref().bytes.len()),
            Err(_) => Err(self.error()),
        }
    }

    /// The whole body, inflated.
    ///
    /// # Errors
    ///
    /// [`InflateError`]; [`InflateError::Malformed`] when the gzip stream is not at its end.
    pub fn finish(mut self) -> Result<Bytes, InflateError> {
        if self.decoder.try_finish().is_err() {
            return Err(self.error());
        }
        match self.decoder.finish() {
            Ok(sink) => Ok(Bytes::from(sink.bytes)),
            Err(_) => Err(InflateError::Malformed),
        }
    }

    fn error(&self) -> InflateError {
        if self.decoder.get_ref().over {
            InflateError::TooLarge
        } else {
            InflateError::Malformed
        }
    }
}

/// Deflates a message into one gzip member, at the fastest level.
///
/// - Source: measured: level 1 costs a third of level 6 and saves nearly as much of telemetry.
#[must_use]
pub fn gzip(mut rope: Rope) -> Bytes {
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(rope.remaining() / 4),
        Compression::fast(),
    );
    while rope.has_remaining() {
        let chunk = rope.chunk();
        // Writing to a Vec cannot fail.
        let _infallible = encoder.write_all(chunk);
        let len = chunk.len();
        rope.advance(len);
    }
    Bytes::from(encoder.finish().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &[u8]) -> Bytes {
        gzip(Rope::new([Bytes::copy_from_slice(text)].into()))
    }

    fn inflate(packed: &[u8], piece: usize, bytes_max: usize) -> Result<Bytes, InflateError> {
        let mut inflater = Inflater::new(bytes_max);
        for piece in packed.chunks(piece) {
            inflater.push(piece)?;
        }
        inflater.finish()
    }

    #[test]
    fn a_body_inflates_to_what_was_deflated_in_pieces_of_any_size() {
        let text = b"telemetry ".repeat(500);
        let packed = packed(&text);
        for piece in [1, 7, 1000] {
            assert_eq!(inflate(&packed, piece, text.len()).unwrap(), text);
        }
    }

    #[test]
    fn every_member_is_read() {
        let two = [packed(b"one"), packed(b"two")].concat();
        assert_eq!(inflate(&two, 5, 100).unwrap(), &b"onetwo"[..]);
    }

    #[test]
    fn a_body_over_the_bound_is_refused_before_it_is_whole() {
        let packed = packed(&vec![0; 1 << 20]);
        assert!(packed.len() < 100_000);
        assert_eq!(inflate(&packed, 64, 100_000), Err(InflateError::TooLarge));
    }

    #[test]
    fn what_is_not_gzip_or_ends_early_is_malformed() {
        assert_eq!(
            inflate(b"not gzip at all", 4, 100),
            Err(InflateError::Malformed)
        );
        let packed = packed(b"telemetry");
        for cut in 1..packed.len() {
            assert_eq!(
                inflate(&packed[..cut], 3, 100),
                Err(InflateError::Malformed),
                "{cut}"
            );
        }
    }
}
