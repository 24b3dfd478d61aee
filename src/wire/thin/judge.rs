//! What decides over an item.

use std::ops::Range;

use super::{
    super::walk::{Fault, Source},
    digest::Digest,
};

/// What becomes of an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays as it is.
    Keep,
    /// It is taken out.
    Drop,
    /// It stays, with [`Judge::written`] in the place of these bytes: offsets as the source that
    /// it was read from counts them.
    Change(Range<usize>),
}

/// Decides over the items of one signal.
pub(super) trait Judge {
    /// Whether an item's bytes may decide.
    const BY_CONTENT: bool;

    /// Reads the item that `source` holds, `depth` messages deep, and decides. `digest` reads all
    /// of its bytes.
    fn judge<S: Source>(
        &mut self,
        source: &mut S,
        depth: usize,
        digest: impl FnOnce() -> Digest,
    ) -> Result<Verdict, Fault>;

    /// What the last verdict puts into the item.
    fn written(&self) -> &[u8];
}

/// Reads a length and, where that is 16 bytes, a trace id.
pub(super) fn trace_id<S: Source>(source: &mut S) -> Result<Option<[u8; 16]>, Fault> {
    let mut id = [0; 16];
    let mut filled = 0_usize;
    let length = source.content(|piece| {
        for (slot, byte) in id.iter_mut().skip(filled).zip(piece) {
            *slot = *byte;
        }
        filled = filled.saturating_add(piece.len());
    })?;
    Ok((length == id.len()).then_some(id))
}

/// Reads the number of an enumeration: 32 bits, the sign among them.
pub(super) fn enumeration<S: Source>(source: &mut S) -> Result<i32, Fault> {
    let [a, b, c, d, ..] = source.varint()?.to_le_bytes();
    Ok(i32::from_le_bytes([a, b, c, d]))
}
