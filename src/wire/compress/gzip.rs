//! gzip: members of a header, a deflate stream and a trailer, read and written with one state each.
//!
//! - Source: RFC 1952.

use bytes::Buf;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::{UnpackError, pieces::Pieces, scratch::Scratch};

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0b1110_0000;

/// Reads gzip. The state of the inflater is used again for every member of every body.
#[derive(Debug)]
pub(super) struct GzipReader {
    inflate: Decompress,
}

impl GzipReader {
    pub(super) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
        }
    }

    /// Inflates every member to the end of the body; returns how many there were.
    pub(super) fn unpack(
        &mut self,
        packed: &mut Pieces<'_>,
        out: &mut Scratch<'_>,
    ) -> Result<usize, UnpackError> {
        let mut members: usize = 0;
        while !packed.is_empty() {
            skip_header(packed).ok_or(UnpackError::Malformed)?;
            let crc = self.inflate(packed, out)?;
            let trailer = packed.bytes::<8>().ok_or(UnpackError::Malformed)?;
            let [sum, len] = [crc.sum(), crc.amount()].map(u32::to_le_bytes);
            if [sum, len].as_flattened() != trailer {
                return Err(UnpackError::Malformed);
            }
            members = members.saturating_add(1);
        }
        Ok(members)
    }

    /// Inflates the stream of one member.
    fn inflate(
        &mut self,
        packed: &mut Pieces<'_>,
        out: &mut Scratch<'_>,
    ) -> Result<Crc, UnpackError> {
        self.inflate.reset(false);
        let mut crc = Crc::new();
        loop {
            out.grow()?;
            let (before_in, before_out) = (self.inflate.total_in(), out.bytes.len());
            // Told that this is the end, the inflater keeps no window of its own.
            let flush = if packed.is_last() {
                FlushDecompress::Finish
            } else {
                FlushDecompress::None
            };
            let status = self
                .inflate
                .decompress_vec(packed.piece(), out.bytes, flush)
                .map_err(|_| UnpackError::Malformed)?;
            let read = self.inflate.total_in().saturating_sub(before_in);
            packed.advance(usize::try_from(read).unwrap_or(usize::MAX));
            let inflated = out.bytes.get(before_out..).unwrap_or_default();
            let stuck = read == 0 && inflated.is_empty();
            crc.update(inflated);
            out.check()?;
            match status {
                Status::StreamEnd => return Ok(crc),
                // There was room, so what is missing is the end of the stream.
                _ if stuck => return Err(UnpackError::Malformed),
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

/// Skips a member's header; `None` where it is none.
fn skip_header(packed: &mut Pieces<'_>) -> Option<()> {
    let mut header = Header {
        packed,
        crc: Crc::new(),
    };
    let fixed: [u8; 10] = header.bytes()?;
    let (magic, flags) = (fixed.first_chunk::<3>()?, *fixed.get(3)?);
    if *magic != MAGIC || flags & FLAGS_RESERVED != 0 {
        return None;
    }
    if flags & FLAG_EXTRA != 0 {
        for _ in 0..u16::from_le_bytes(header.bytes()?) {
            header.bytes::<1>()?;
        }
    }
    for text in [FLAG_NAME, FLAG_COMMENT] {
        while flags & text != 0 && header.bytes()? != [0] {}
    }
    if flags & FLAG_HEADER_CRC != 0 {
        let [a, b, ..] = header.crc.sum().to_le_bytes();
        if header.bytes()? != [a, b] {
            return None;
        }
    }
    Some(())
}

/// The header's bytes, and the checksum of those that were taken.
struct Header<'p, 'a> {
    packed: &'p mut Pieces<'a>,
    crc: Crc,
}

impl Header<'_, '_> {
    fn bytes<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let bytes = self.packed.bytes()?;
        self.crc.update(&bytes);
        Some(bytes)
    }
}

/// Writes gzip. The state of the deflater is used again for every body.
#[derive(Debug)]
pub(super) struct GzipWriter {
    deflate: Compress,
    level: u32,
}

impl GzipWriter {
    /// A writer at a level from 1 to 9.
    pub(super) fn new(level: u32) -> Self {
        Self {
            deflate: Compress::new(Compression::new(level.min(9)), false),
            level,
        }
    }

    /// Appends the body as one member; `None` where the deflater fails, which it has no cause to.
    pub(super) fn pack(&mut self, mut body: impl Buf, out: &mut Vec<u8>) -> Option<()> {
        let extra_flags = match self.level {
            1 => 4,
            9 => 2,
            _ => 0,
        };
        // No time, no name, no operating system: the same body gives the same bytes.
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0, 0, 0, 0, 0, extra_flags, 255]);
        let mut crc = Crc::new();
        self.deflate.reset();
        while body.has_remaining() {
            let chunk = body.chunk();
            crc.update(chunk);
            self.deflate(chunk, out, FlushCompress::None)?;
            let len = chunk.len();
            body.advance(len);
        }
        self.deflate(&[], out, FlushCompress::Finish)?;
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&crc.amount().to_le_bytes());
        Some(())
    }

    /// Takes all of `input`, and with [`FlushCompress::Finish`] ends the stream.
    fn deflate(&mut self, mut input: &[u8], out: &mut Vec<u8>, flush: FlushCompress) -> Option<()> {
        loop {
            if out.len() == out.capacity() {
                out.reserve(out.capacity().max(4096));
            }
            let before = self.deflate.total_in();
            let status = self.deflate.compress_vec(input, out, flush).ok()?;
            let read = self.deflate.total_in().saturating_sub(before);
            input = input.get(usize::try_from(read).ok()?..)?;
            let finishing = matches!(flush, FlushCompress::Finish);
            match status {
                Status::StreamEnd => return Some(()),
                _ if input.is_empty() && !finishing => return Some(()),
                Status::Ok | Status::BufError => {}
            }
        }
    }
}
