//! Segments of a spool as a forwarder leaves them: sealed, or cut off by a crash.

use std::{fs, ops::Range, path::Path};

use otlp::{
    encoding::Encoding,
    spool::{
        SegmentName,
        format::{BLOCK, Crc, Entry, Kind, Marks, RecordHeader, SegmentHeader, Summary, Trailer},
    },
};

use super::{Payload, pack};

/// The checksums of every segment here begin with it.
const SALT: u64 = 0x5eed_ca5e;

/// When the first record of a segment was taken.
pub(crate) const TAKEN: u64 = 1_700_000_000_000_000_000;

/// A segment that is being made.
#[derive(Debug)]
pub(crate) struct Segment {
    name: SegmentName,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    marks: Marks,
}

impl Segment {
    /// A segment with these records, each in a write of its own.
    pub(crate) fn of(sequence: u64, records: &[Payload], encoding: Encoding) -> Self {
        let name = SegmentName { sequence, shard: 0 };
        let header = SegmentHeader {
            name,
            salt: SALT,
            created: TAKEN,
        };
        let mut segment = Self {
            name,
            bytes: header.encode(),
            entries: Vec::new(),
            marks: Marks::default(),
        };
        for record in records {
            segment.push(record, encoding, "");
        }
        segment
    }

    /// One more record, with the headers that go on with it.
    pub(crate) fn with(mut self, record: &Payload, headers: &str) -> Self {
        self.push(record, Encoding::Identity, headers);
        self
    }

    fn push(&mut self, record: &Payload, encoding: Encoding, headers: &str) {
        let offset = self.bytes.len() as u64;
        let body = pack(encoding, &record.body);
        let ordinal = u32::try_from(self.entries.len()).unwrap();
        let header = RecordHeader {
            kind: Kind::Request(record.signal, encoding),
            ordinal,
            body_crc: Crc::default().with(headers.as_bytes()).with(&body).get(),
            headers: u32::try_from(headers.len()).unwrap(),
            body: u32::try_from(body.len()).unwrap(),
            items: record.ids.len() as u64,
            at: TAKEN + u64::from(ordinal),
            group: offset,
            fill: 0,
        };
        self.bytes.extend_from_slice(&header.encode(SALT, offset));
        self.bytes.extend_from_slice(headers.as_bytes());
        self.bytes.extend_from_slice(&body);
        let whole = self
            .bytes
            .len()
            .next_multiple_of(usize::try_from(BLOCK).unwrap());
        self.bytes.resize(whole, 0);
        self.entries.push(Entry {
            offset,
            items: header.items,
            at: header.at,
            content: header.headers + header.body,
            ordinal,
            signal: record.signal,
        });
    }

    /// Marks records as delivered.
    pub(crate) fn settled(mut self, ordinals: Range<u32>) -> Self {
        for entry in &self.entries {
            if ordinals.contains(&entry.ordinal) {
                self.marks.settled.insert(entry.ordinal);
                self.marks.items[entry.signal.index()] += entry.items;
            }
        }
        self
    }

    /// Writes it to its end.
    pub(crate) fn sealed(mut self) -> Self {
        let mut summary = Summary::default();
        self.entries.iter().for_each(|entry| summary.add(entry));
        let trailer = Trailer {
            name: self.name,
            salt: SALT,
            index_offset: self.bytes.len() as u64,
            summary,
        };
        let index = Entry::encode_index(&self.entries, &trailer);
        self.bytes.extend_from_slice(&index);
        self
    }

    /// Cuts it off in the middle of its last record.
    pub(crate) fn torn(mut self) -> Self {
        let last = self.entries.last().unwrap();
        self.bytes
            .truncate(usize::try_from(last.offset + 70).unwrap());
        self
    }

    /// Flips a bit in the body of a record; says where the record begins.
    pub(crate) fn damage(&mut self, ordinal: usize) -> u64 {
        let offset = self.entries[ordinal].offset;
        self.bytes[usize::try_from(offset).unwrap() + 70] ^= 4;
        offset
    }

    /// Puts it into a folder.
    pub(crate) fn put(&self, folder: &Path) -> SegmentName {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(self.name.file()), &self.bytes).unwrap();
        if !self.marks.settled.is_empty() {
            let marks = self.marks.encode(SALT);
            fs::write(folder.join(self.name.marks_file()), marks).unwrap();
        }
        self.name
    }
}
