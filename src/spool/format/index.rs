//! The index of a sealed segment: where its records lie, without reading them.

use super::{
    ALIGN, BLOCK, Crc, Kind, RECORD_HEADER, RecordHeader, Trailer, align, field::Fields, length,
};
use crate::signal::Signal;

/// Bytes of an entry on disk.
const ENTRY: usize = 40;

/// Where a record lies and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where its head begins.
    pub offset: u64,
    /// Items in it.
    pub items: u64,
    /// When it was taken: nanoseconds of Unix time.
    pub at: u64,
    /// Bytes of headers, fill and body.
    pub content: u32,
    /// Which record of the segment it is.
    pub ordinal: u32,
    /// What it carries.
    pub signal: Signal,
}

impl Entry {
    /// Where the head of the next record may begin.
    #[must_use]
    pub fn end(&self) -> u64 {
        Self::end_of(self.offset, u64::from(self.content))
    }

    /// The end of a record at `offset` with so many bytes of headers, fill and body.
    #[must_use]
    pub const fn end_of(offset: u64, content: u64) -> u64 {
        align(offset + RECORD_HEADER as u64 + content, ALIGN)
    }

    /// Bytes that an index of so many records takes on disk, trailer included.
    #[must_use]
    pub const fn index_bytes(records: u64) -> u64 {
        align(RECORD_HEADER as u64 + records * ENTRY as u64, BLOCK) + BLOCK
    }

    /// The end of a sealed segment, for `offset`, a multiple of [`BLOCK`]: index and trailer.
    #[must_use]
    pub fn encode_index(entries: &[Self], trailer: &Trailer) -> Vec<u8> {
        let offset = trailer.index_offset;
        let mut body = Vec::with_capacity(entries.len() * ENTRY);
        for entry in entries {
            body.extend_from_slice(&entry.offset.to_le_bytes());
            body.extend_from_slice(&entry.items.to_le_bytes());
            body.extend_from_slice(&entry.at.to_le_bytes());
            body.extend_from_slice(&entry.content.to_le_bytes());
            body.extend_from_slice(&entry.ordinal.to_le_bytes());
            body.extend_from_slice(&u64::from(entry.signal as u8).to_le_bytes());
        }
        let header = RecordHeader {
            kind: Kind::Index,
            ordinal: u32::try_from(entries.len()).unwrap_or(u32::MAX),
            body_crc: Crc::default().with(&body).get(),
            headers: 0,
            body: u32::try_from(body.len()).unwrap_or(u32::MAX),
            items: 0,
            at: 0,
            group: offset,
            fill: 0,
        };
        let mut bytes = header.encode(trailer.salt, offset).to_vec();
        bytes.extend_from_slice(&body);
        bytes.resize(length(align(bytes.len() as u64, BLOCK)), 0);
        bytes.extend_from_slice(&trailer.encode());
        bytes
    }

    /// Reads the index that lies at `offset`; `None` where it is damaged.
    #[must_use]
    pub fn decode_index(bytes: &[u8], salt: u64, offset: u64) -> Option<Vec<Self>> {
        let header = RecordHeader::decode(bytes, salt, offset)?;
        let body = bytes.get(RECORD_HEADER..RECORD_HEADER + header.body as usize)?;
        if header.kind != Kind::Index || Crc::default().with(body).get() != header.body_crc {
            return None;
        }
        body.chunks_exact(ENTRY).map(Self::decode).collect()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        Some(Self {
            offset: fields.u64(),
            items: fields.u64(),
            at: fields.u64(),
            content: fields.u32(),
            ordinal: fields.u32(),
            signal: *Signal::ALL.get(length(fields.u64()))?,
        })
    }
}
