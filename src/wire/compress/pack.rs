//! Packs a merged batch as configured.

use std::sync::Arc;

use bytes::Bytes;

use super::{gzip::GzipWriter, scratch::shrink, zstd::ZstdWriter};
use crate::{encoding::Encoding, wire::Rope};

/// Packs bodies, one at a time, through one buffer.
///
/// - Cost: the processor time of compressing, inline; one allocation a body, of the exact size.
///   Memory: 270 KiB for gzip; for zstd what the level and the largest body ask for.
/// - Shard: one per shard.
#[derive(Debug)]
pub struct Packer {
    codec: Codec,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Codec {
    Identity,
    Gzip(GzipWriter),
    Zstd(ZstdWriter),
}

impl Packer {
    /// A packer at a level: gzip 1 to 9, zstd 1 to 19; the level of [`Encoding::Identity`] says
    /// nothing.
    #[must_use]
    pub fn new(encoding: Encoding, level: u32) -> Self {
        let codec = match encoding {
            Encoding::Identity => Codec::Identity,
            Encoding::Gzip => Codec::Gzip(GzipWriter::new(level)),
            Encoding::Zstd => ZstdWriter::new(level).map_or(Codec::Identity, Codec::Zstd),
        };
        Self {
            codec,
            buffer: Vec::new(),
        }
    }

    /// Packs a body; what cannot be packed stays as it is, and is said to be.
    pub fn pack(&mut self, slices: Arc<[Bytes]>) -> (Encoding, Arc<[Bytes]>) {
        self.buffer.clear();
        let body = Rope::new(Arc::clone(&slices));
        let (encoding, packed) = match &mut self.codec {
            Codec::Identity => return (Encoding::Identity, slices),
            Codec::Gzip(gzip) => (Encoding::Gzip, gzip.pack(body, &mut self.buffer)),
            Codec::Zstd(zstd) => (Encoding::Zstd, zstd.pack(body, &mut self.buffer)),
        };
        if packed.is_none() {
            return (Encoding::Identity, slices);
        }
        let packed = Bytes::copy_from_slice(&self.buffer);
        shrink(&mut self.buffer);
        (encoding, Arc::new([packed]))
    }
}
