//! A whole body, proven and counted: as it lies, or unpacked for that in the shard's scratch.

use bytes::Bytes;

use super::{
    Context,
    body::{Received, malformed},
};
use crate::{
    batch::Permit,
    encoding::Encoding,
    outcome::{Reason, Refusal},
    signal::Signal,
    wire::{self, Malformed, SCRATCH_BYTES_KEPT, UnpackError, WINDOW_LOG_MAX},
};

/// A body that is sound, in the form in which it goes on.
#[derive(Debug)]
pub(super) struct Proven {
    pub items: u64,
    pub encoding: Encoding,
    pub slices: Vec<Bytes>,
    pub bytes: usize,
    pub permit: Permit,
}

impl Received {
    /// Proves and counts what was received; `None` where there is nothing in it.
    ///
    /// A packed body goes on as it came where that is how requests are sent: it is unpacked once,
    /// and nothing of that is kept. Every other one goes on unpacked, to be merged.
    ///
    /// - Cost: unpacking runs inline; see [`wire::Unpacker`].
    pub(super) fn prove(
        self,
        context: &Context,
        signal: Signal,
    ) -> Result<Option<Proven>, Refusal> {
        if self.bytes == 0 {
            return Ok(None);
        }
        let malformed = |malformed: Malformed| {
            Refusal::permanent(
                Reason::Malformed,
                format!("the {signal} request is malformed: {malformed}"),
            )
        };
        if !self.encoding.is_packed() {
            let items = wire::inspect(signal, context.validate, &self.slices).map_err(malformed)?;
            return Ok(Some(self.unchanged(items)));
        }
        let bytes_max = context.unpacked_bytes_max(&self.permit);
        let unpacked = context.unpacker.borrow_mut().unpack(
            self.encoding,
            &self.slices,
            bytes_max,
            |body, members| {
                if body.is_empty() {
                    return Ok(None);
                }
                let items =
                    wire::inspect_whole(signal, context.validate, body).map_err(malformed)?;
                Ok(Some((
                    items,
                    context.unpacked(self.encoding, signal, members, body),
                )))
            },
        );
        match unpacked {
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some((items, None)))) => Ok(Some(self.unchanged(items))),
            Ok(Ok(Some((items, Some(body))))) => self.unpacked(context, items, body).map(Some),
            Ok(Err(refusal)) => Err(refusal),
            Err(error) => Err(context.not_unpacked(self.encoding, error, bytes_max)),
        }
    }

    fn unchanged(self, items: u64) -> Proven {
        Proven {
            items,
            encoding: self.encoding,
            slices: self.slices,
            bytes: self.bytes,
            permit: self.permit,
        }
    }

    fn unpacked(mut self, context: &Context, items: u64, body: Bytes) -> Result<Proven, Refusal> {
        self.permit
            .cover(body.len())
            .map_err(|_spent| context.memory_full())?;
        Ok(Proven {
            items,
            encoding: Encoding::Identity,
            bytes: body.len(),
            slices: vec![body],
            permit: self.permit,
        })
    }
}

impl Context {
    /// The bound of a body that is unpacked for a moment: that of every body; over what a shard
    /// keeps for this anyway, also what the budget has left.
    fn unpacked_bytes_max(&self, permit: &Permit) -> usize {
        let left = permit.room().max(SCRATCH_BYTES_KEPT);
        self.body_bytes_max().min(left)
    }

    /// What goes on of an unpacked body; `None` where it goes on as it came.
    ///
    /// Several members go on as they came only to those that are known to read each: a receiver
    /// that reads the first alone would lose the others without an error.
    fn unpacked(
        &self,
        encoding: Encoding,
        signal: Signal,
        members: usize,
        body: &mut Vec<u8>,
    ) -> Option<Bytes> {
        let reads_all = members == 1 || self.merge_compressed[signal.index()];
        if encoding == self.compression && reads_all {
            return None;
        }
        if body.len() <= SCRATCH_BYTES_KEPT {
            return Some(Bytes::copy_from_slice(body));
        }
        // Too large to be kept: it needs no copy.
        let mut body = std::mem::take(body);
        body.shrink_to_fit();
        Some(Bytes::from(body))
    }

    fn not_unpacked(&self, encoding: Encoding, error: UnpackError, bytes_max: usize) -> Refusal {
        match error {
            UnpackError::Malformed if encoding == Encoding::Zstd => {
                malformed("the zstd body does not decompress", 0)
            }
            UnpackError::Malformed => malformed("the gzip body does not inflate", 0),
            UnpackError::TooLarge if bytes_max < self.body_bytes_max() => self.memory_full(),
            UnpackError::TooLarge => self.too_large(None),
            UnpackError::WindowTooLarge => Refusal::permanent(
                Reason::TooLarge,
                format!(
                    "the zstd window is over {} MiB; compress with a window log of at most \
                     {WINDOW_LOG_MAX}",
                    1_u32 << (WINDOW_LOG_MAX - 20)
                ),
            ),
        }
    }
}
