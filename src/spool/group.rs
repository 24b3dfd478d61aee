//! Records that are written and synced as one.

use bytes::Bytes;

use super::{
    Record, Ticket,
    format::{BLOCK, Crc, Entry, Kind, RECORD_HEADER, RecordHeader, SegmentHeader, align, length},
};

/// Bytes of a group beyond which it takes no further record: what a write copies at once.
const GROUP_BYTES: u64 = 4 << 20;

/// Bytes of headers and body of a record at the most.
pub(super) const RECORD_BYTES: u64 = 1 << 30;

/// Records of a segment at the most: bounds the memory of an index.
pub(super) const SEGMENT_RECORDS: usize = 32_768;

/// What a long body begins at: what a device takes from where it lies in memory begins at a sector.
const SECTOR: u64 = 512;

/// Bodies from this length begin at a sector.
///
/// - Source: chosen: the fill is a sixteenth of it at the most, and half of that on average.
const LONG: usize = 8192;

/// Bytes of a record's entry in the index.
const ENTRY: u64 = 40;

static ZEROS: [u8; 4096] = [0; 4096];

/// A record that waits to be written.
#[derive(Debug)]
pub(super) struct Pending {
    pub ticket: Ticket,
    record: Record,
    sum: Crc,
}

impl Pending {
    /// Sums the record up while its bytes are in the cache.
    pub fn new(ticket: Ticket, record: Record) -> Self {
        let sum = record
            .body
            .iter()
            .fold(Crc::default().with(&record.headers), |sum, piece| {
                sum.with(piece)
            });
        Self {
            ticket,
            record,
            sum,
        }
    }

    /// Bytes of headers and body.
    pub fn content(record: &Record) -> u64 {
        (record.headers.len() + record.bytes) as u64
    }

    /// Bytes that a record adds to a spool at the most: alone in its write, with its entry in the
    /// index.
    pub fn need(record: &Record) -> u64 {
        let fill = if record.bytes < LONG { 0 } else { SECTOR };
        align(RECORD_HEADER as u64 + Self::content(record) + fill, BLOCK) + ENTRY
    }

    pub fn needs(&self) -> u64 {
        Self::need(&self.record)
    }

    /// Bytes between headers and body, where the record begins at `offset`.
    fn fill_at(&self, offset: u64) -> u64 {
        if self.record.bytes < LONG {
            return 0;
        }
        let body = offset + (RECORD_HEADER + self.record.headers.len()) as u64;
        align(body, SECTOR) - body
    }

    fn end_at(&self, offset: u64) -> u64 {
        let content = Self::content(&self.record) + self.fill_at(offset);
        Entry::end_of(offset, content)
    }
}

/// Where a group goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub salt: u64,
    /// Where its write begins; 0 for a new segment, whose header goes with it.
    pub offset: u64,
    /// Records that the segment has.
    pub records: usize,
    /// Bytes at which the segment is full.
    pub segment_bytes: u64,
    /// Bytes that may be added on disk now.
    pub room: u64,
}

impl Spot {
    fn first_record(&self) -> u64 {
        self.offset.max(BLOCK)
    }

    /// Whether the segment takes this record: an empty one takes any.
    pub fn takes(&self, pending: &Pending) -> bool {
        self.records == 0 || self.takes_at(pending, self.first_record(), self.records)
    }

    /// Whether there is room on disk for this record now.
    pub fn has_room(&self, pending: &Pending) -> bool {
        self.has_room_at(pending, self.first_record(), 0)
    }

    fn has_room_at(&self, pending: &Pending, offset: u64, records: u64) -> bool {
        let end = align(pending.end_at(offset), BLOCK);
        end - self.offset + (records + 1) * ENTRY <= self.room
    }

    fn takes_at(&self, pending: &Pending, offset: u64, records: usize) -> bool {
        let index = Entry::index_bytes(records as u64 + 1);
        let end = align(pending.end_at(offset), BLOCK) + index;
        records < SEGMENT_RECORDS && end <= self.segment_bytes
    }
}

/// A group that is under way.
#[derive(Debug)]
pub(super) struct Group {
    pub offset: u64,
    pub bytes: u64,
    pub records: Vec<(Ticket, Entry)>,
}

impl Group {
    /// Takes as many of the waiting records as go into one write, and what is to be written.
    pub fn form(
        spot: Spot,
        header: Option<&SegmentHeader>,
        waiting: &mut std::collections::VecDeque<Pending>,
    ) -> (Self, Vec<Bytes>) {
        let first = spot.first_record();
        let mut at = first;
        let mut taken = Vec::new();
        let mut records = Vec::new();
        let mut heads = Vec::new();
        while let Some(next) = waiting.front() {
            let count = spot.records + records.len();
            let is_full = next.end_at(at) - spot.offset > GROUP_BYTES
                || !spot.takes_at(next, at, count)
                || !spot.has_room_at(next, at, records.len() as u64);
            if !records.is_empty() && is_full {
                break;
            }
            let Some(next) = waiting.pop_front() else {
                break;
            };
            let (entry, head) = head(&next, at, first, count);
            heads.extend_from_slice(&head.encode(spot.salt, at));
            at = entry.end();
            records.push((next.ticket, entry));
            taken.push(next);
        }
        let mut pieces = Vec::new();
        if let Some(header) = header {
            pieces.push(Bytes::from(header.encode()));
        }
        let mut heads = Bytes::from(heads);
        for (pending, (_, entry)) in taken.into_iter().zip(&records) {
            let before_body = pending.fill_at(entry.offset);
            pieces.push(heads.split_to(RECORD_HEADER));
            if !pending.record.headers.is_empty() {
                pieces.push(pending.record.headers);
            }
            fill(&mut pieces, before_body);
            pieces.extend(pending.record.body);
            let content = RECORD_HEADER as u64 + u64::from(entry.content);
            fill(&mut pieces, entry.end() - entry.offset - content);
        }
        let end = align(at, BLOCK);
        fill(&mut pieces, end - at);
        let group = Self {
            offset: spot.offset,
            bytes: end - spot.offset,
            records,
        };
        (group, pieces)
    }

    /// Where the next group begins.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

fn head(pending: &Pending, offset: u64, group: u64, count: usize) -> (Entry, RecordHeader) {
    let record = &pending.record;
    let small = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let fill = pending.fill_at(offset);
    let entry = Entry {
        offset,
        items: record.items,
        at: record.at,
        content: small(record.headers.len() + length(fill) + record.bytes),
        ordinal: small(count),
        signal: record.signal,
    };
    let head = RecordHeader {
        kind: Kind::Request(record.signal, record.encoding),
        ordinal: entry.ordinal,
        body_crc: pending.sum.get(),
        headers: small(record.headers.len()),
        body: small(record.bytes),
        items: record.items,
        at: record.at,
        group,
        fill: u16::try_from(fill).unwrap_or(0),
    };
    (entry, head)
}

fn fill(pieces: &mut Vec<Bytes>, zeros: u64) {
    let zeros = ZEROS.get(..length(zeros)).unwrap_or(&ZEROS);
    if !zeros.is_empty() {
        pieces.push(Bytes::from_static(zeros));
    }
}
