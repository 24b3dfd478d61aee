//! A buffer that grows up to a bound and is used again.

use super::UnpackError;

/// What a shard keeps of a buffer that it uses again; what grew beyond is given back after use.
///
/// - Source: 4 MiB is the largest message that gRPC libraries take by default, so that a common
///   request never makes the buffer grow.
pub const SCRATCH_BYTES_KEPT: usize = 4 << 20;

/// The first size of a buffer.
const BYTES_MIN: usize = 64 << 10;

/// Output within a bound.
#[derive(Debug)]
pub(super) struct Scratch<'a> {
    pub bytes: &'a mut Vec<u8>,
    bytes_max: usize,
}

impl<'a> Scratch<'a> {
    /// An empty output of at most `bytes_max` bytes in this buffer.
    pub(super) fn new(bytes: &'a mut Vec<u8>, bytes_max: usize) -> Self {
        bytes.clear();
        Self { bytes, bytes_max }
    }

    /// Makes room for at least one more byte: one over the bound, so that the end of a body that
    /// fits is found.
    pub(super) fn grow(&mut self) -> Result<(), UnpackError> {
        if self.bytes.len() < self.bytes.capacity() {
            return Ok(());
        }
        self.reserve(self.bytes.capacity().max(BYTES_MIN));
        if self.bytes.len() < self.bytes.capacity() {
            Ok(())
        } else {
            Err(UnpackError::TooLarge)
        }
    }

    /// Makes room for so many more bytes, as far as the bound allows.
    pub(super) fn reserve(&mut self, more: usize) {
        let most = self.bytes_max.saturating_add(1);
        let left = most.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(more.min(left));
    }

    /// Refuses what is over the bound.
    pub(super) fn check(&self) -> Result<(), UnpackError> {
        if self.bytes.len() > self.bytes_max {
            return Err(UnpackError::TooLarge);
        }
        Ok(())
    }
}

/// Gives back what a rare large body made of a buffer.
pub(super) fn shrink(buffer: &mut Vec<u8>) {
    if buffer.capacity() > SCRATCH_BYTES_KEPT.saturating_add(1) {
        *buffer = Vec::new();
    }
}
