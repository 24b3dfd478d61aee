//! The head of a record.

use bytes::Bytes;

use super::{Crc, Entry, field::Fields, length};
use crate::{encoding::Encoding, signal::Signal, spool::Record};

/// Bytes of the head of a record.
pub const RECORD_HEADER: usize = 64;

const MAGIC: [u8; 4] = *b"\xf5Rec";
const INDEX: u8 = 0xff;
const SUMMED_FROM: usize = 8;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An Export request.
    Request(Signal, Encoding),
    /// The index of a sealed segment.
    Index,
}

/// What stands before the bytes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What follows.
    pub kind: Kind,
    /// Which record of its segment it is, from 0. An index: how many records there are.
    pub ordinal: u32,
    /// The CRC-32C of headers and body.
    pub body_crc: u32,
    /// Bytes of the headers, which come first.
    pub headers: u32,
    /// Bytes of the body.
    pub body: u32,
    /// Items in it.
    pub items: u64,
    /// When it was taken: nanoseconds of Unix time.
    pub at: u64,
    /// Where the write began that it was part of: all before that was synced then.
    pub group: u64,
    /// Bytes of fill between headers and body, so that the body begins at a sector. No checksum
    /// covers them.
    pub fill: u16,
}

impl RecordHeader {
    /// Bytes of headers, fill and body.
    #[must_use]
    pub fn content(&self) -> u64 {
        u64::from(self.headers) + u64::from(self.fill) + u64::from(self.body)
    }

    /// The sum after a part of the content as well, which begins at `at` of it.
    #[must_use]
    pub fn sum_up(&self, sum: Crc, at: u64, part: &[u8]) -> Crc {
        let fill = u64::from(self.headers);
        let body = fill + u64::from(self.fill);
        let cut = |to: u64| length(to.saturating_sub(at)).min(part.len());
        sum.with(part.get(..cut(fill)).unwrap_or_default())
            .with(part.get(cut(body)..).unwrap_or_default())
    }

    /// Headers and body, out of the whole content; `None` where they are not what was written.
    #[must_use]
    pub fn open(&self, content: &Bytes) -> Option<(Bytes, Bytes)> {
        let is_whole = content.len() as u64 == self.content()
            && self.sum_up(Crc::default(), 0, content).get() == self.body_crc;
        is_whole.then(|| {
            let headers = content.slice(..self.headers as usize);
            let body = content.slice(self.headers as usize + usize::from(self.fill)..);
            (headers, body)
        })
    }

    /// The head as it lies at `offset` of a segment with this salt.
    ///
    /// Its checksum covers the salt, the offset, and through `body_crc` the whole record.
    #[must_use]
    pub fn encode(&self, salt: u64, offset: u64) -> [u8; RECORD_HEADER] {
        let (signal, encoding) = match self.kind {
            Kind::Request(signal, encoding) => (signal as u8, encoding as u8),
            Kind::Index => (INDEX, 0),
        };
        let mut head = [0; RECORD_HEADER];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(room) = head.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&MAGIC);
        put(&[0; 4]);
        put(&self.body_crc.to_le_bytes());
        put(&self.headers.to_le_bytes());
        put(&self.body.to_le_bytes());
        put(&self.ordinal.to_le_bytes());
        put(&offset.to_le_bytes());
        put(&self.items.to_le_bytes());
        put(&self.at.to_le_bytes());
        put(&self.group.to_le_bytes());
        put(&[signal, encoding]);
        put(&self.fill.to_le_bytes());
        let sum = Self::sum(&head, salt);
        if let Some(room) = head.get_mut(4..SUMMED_FROM) {
            room.copy_from_slice(&sum.to_le_bytes());
        }
        head
    }

    /// Reads the head at `offset` of a segment with this salt; `None` where there is none.
    #[must_use]
    pub fn decode(bytes: &[u8], salt: u64, offset: u64) -> Option<Self> {
        let head = bytes.first_chunk::<RECORD_HEADER>()?;
        let mut fields = Fields::new(head);
        if fields.bytes() != MAGIC || fields.u32() != Self::sum(head, salt) {
            return None;
        }
        let body_crc = fields.u32();
        let headers = fields.u32();
        let body = fields.u32();
        let ordinal = fields.u32();
        if fields.u64() != offset {
            return None;
        }
        let (items, at, group) = (fields.u64(), fields.u64(), fields.u64());
        let [signal, encoding] = fields.bytes();
        let fill = u16::from_le_bytes(fields.bytes());
        let kind = if signal == INDEX {
            Kind::Index
        } else {
            Kind::Request(
                *Signal::ALL.get(usize::from(signal))?,
                *Encoding::ALL.get(usize::from(encoding))?,
            )
        };
        Some(Self {
            kind,
            ordinal,
            body_crc,
            headers,
            body,
            items,
            at,
            group,
            fill,
        })
    }

    /// Whether a head may begin here, at the cost of one comparison.
    #[must_use]
    pub fn may_begin(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    fn sum(head: &[u8; RECORD_HEADER], salt: u64) -> u32 {
        let summed = head.get(SUMMED_FROM..).unwrap_or_default();
        Crc::salted(salt).with(summed).get()
    }
}

/// The record of an entry, out of bytes that were read from `from` on: its body is a slice of them.
/// `None` where it is not what was written.
#[must_use]
pub fn record(bytes: &Bytes, from: u64, entry: &Entry, salt: u64) -> Option<Record> {
    let start = length(entry.offset.checked_sub(from)?);
    let content = start.checked_add(RECORD_HEADER)?;
    let end = content.checked_add(entry.content as usize)?;
    let header = RecordHeader::decode(bytes.get(start..content)?, salt, entry.offset)?;
    let Kind::Request(signal, encoding) = header.kind else {
        return None;
    };
    if header.ordinal != entry.ordinal || header.content() != u64::from(entry.content) {
        return None;
    }
    let (headers, body) = header.open(&bytes.slice(content..end))?;
    Some(Record {
        signal,
        encoding,
        items: header.items,
        at: header.at,
        headers,
        bytes: body.len(),
        body: vec![body],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: Kind) -> RecordHeader {
        RecordHeader {
            kind,
            ordinal: 7,
            body_crc: 0x1234_5678,
            headers: 3,
            body: 43_000,
            items: 100,
            at: 1_700_000_000_000_000_000,
            group: 8192,
            fill: 300,
        }
    }

    #[test]
    fn a_head_is_read_back_at_its_own_place_alone() {
        for signal in Signal::ALL {
            for encoding in Encoding::ALL {
                let header = header(Kind::Request(signal, encoding));
                let bytes = header.encode(5, 4096);
                assert_eq!(RecordHeader::decode(&bytes, 5, 4096), Some(header));
                assert_eq!(RecordHeader::decode(&bytes, 5, 4104), None, "offset");
                assert_eq!(RecordHeader::decode(&bytes, 6, 4096), None, "salt");
            }
        }
        let index = header(Kind::Index);
        assert_eq!(RecordHeader::decode(&index.encode(5, 0), 5, 0), Some(index));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = header(Kind::Request(Signal::Logs, Encoding::Gzip)).encode(5, 4096);
        for bit in 0..RECORD_HEADER * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&bytes, 5, 4096), None, "{bit}");
        }
        for length in 0..RECORD_HEADER {
            assert_eq!(RecordHeader::decode(&bytes[..length], 5, 4096), None);
        }
    }
}
