//! zstd: frames, read and written with one context each.
//!
//! - Source: RFC 8878; the bound of the window is RFC 9659's.

use std::fmt;

use bytes::Buf;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, ErrorCode, InBuffer, OutBuffer, ResetDirective,
    compress_bound, get_frame_content_size,
    zstd_sys::{ZSTD_EndDirective, ZSTD_ErrorCode},
};

use super::{UnpackError, pieces::Pieces, scratch::Scratch};

/// The largest window that a frame may ask for, as a power of two: 8 MiB.
///
/// - Cost: a reader holds a window for a frame that does not tell its length: up to this much a
///   shard.
/// - Source: RFC 9659: nobody may send a larger one as a content coding.
pub const WINDOW_LOG_MAX: u32 = 23;

/// Reads zstd. The context is used again for every frame of every body.
pub(super) struct ZstdReader {
    context: DCtx<'static>,
}

impl fmt::Debug for ZstdReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstdReader").finish_non_exhaustive()
    }
}

impl ZstdReader {
    /// A reader; `None` where there is no memory for one.
    pub(super) fn new() -> Option<Self> {
        let mut context = DCtx::try_create()?;
        context
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .ok()?;
        Some(Self { context })
    }

    /// Decompresses every frame to the end of the body; returns how many there were.
    pub(super) fn unpack(
        &mut self,
        packed: &mut Pieces<'_>,
        out: &mut Scratch<'_>,
    ) -> Result<usize, UnpackError> {
        self.context
            .reset(ResetDirective::SessionOnly)
            .map_err(|_| UnpackError::Malformed)?;
        // A frame that lies whole in the input and fits the output is read without a window.
        if let Ok(Some(len)) = get_frame_content_size(packed.piece()) {
            out.reserve(usize::try_from(len).unwrap_or(usize::MAX));
        }
        let mut frames: usize = 0;
        let mut between = true;
        let mut full = false;
        // At the end of the input there may be output left that had no room.
        while !packed.is_empty() || full {
            out.grow()?;
            let written = out.bytes.len();
            let mut input = InBuffer::around(packed.piece());
            let mut output = OutBuffer::around_pos(out.bytes, written);
            let left = self
                .context
                .decompress_stream(&mut output, &mut input)
                .map_err(why)?;
            let read = input.pos();
            packed.advance(read);
            out.check()?;
            full = out.bytes.len() == out.bytes.capacity();
            // An empty call after the last frame asks for the next frame's header.
            let idle = read == 0 && out.bytes.len() == written;
            if left == 0 {
                frames = frames.saturating_add(1);
                between = true;
                full = false;
            } else if !idle {
                between = false;
            } else if !full {
                break;
            }
        }
        if between && packed.is_empty() {
            Ok(frames)
        } else {
            Err(UnpackError::Malformed)
        }
    }
}

fn why(code: ErrorCode) -> UnpackError {
    // An error is the negative of its number.
    if code.wrapping_neg() == ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge as usize {
        UnpackError::WindowTooLarge
    } else {
        UnpackError::Malformed
    }
}

/// Writes zstd. The context is used again for every body.
pub(super) struct ZstdWriter {
    context: CCtx<'static>,
}

impl fmt::Debug for ZstdWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstdWriter").finish_non_exhaustive()
    }
}

impl ZstdWriter {
    /// A writer at a level from 1 to 19; `None` where there is no memory for one.
    pub(super) fn new(level: u32) -> Option<Self> {
        let mut context = CCtx::try_create()?;
        let level = i32::try_from(level).ok()?;
        context
            .set_parameter(CParameter::CompressionLevel(level))
            .ok()?;
        Some(Self { context })
    }

    /// Appends the body as one frame that tells its length; `None` where the compressor fails,
    /// which it has no cause to.
    pub(super) fn pack(&mut self, mut body: impl Buf, out: &mut Vec<u8>) -> Option<()> {
        self.context.reset(ResetDirective::SessionOnly).ok()?;
        let len = body.remaining();
        self.context
            .set_pledged_src_size(Some(u64::try_from(len).ok()?))
            .ok()?;
        out.reserve(compress_bound(len));
        while body.has_remaining() {
            let chunk = body.chunk();
            let read = self.step(chunk, out, ZSTD_EndDirective::ZSTD_e_continue)?.0;
            body.advance(read);
        }
        while self.step(&[], out, ZSTD_EndDirective::ZSTD_e_end)?.1 > 0 {}
        Some(())
    }

    /// One step: how many bytes were read, and how many are left to be written.
    fn step(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        end: ZSTD_EndDirective,
    ) -> Option<(usize, usize)> {
        if out.len() == out.capacity() {
            out.reserve(out.capacity().max(4096));
        }
        let written = out.len();
        let mut input = InBuffer::around(input);
        let mut output = OutBuffer::around_pos(out, written);
        let left = self
            .context
            .compress_stream2(&mut output, &mut input, end)
            .ok()?;
        Some((input.pos(), left))
    }
}
