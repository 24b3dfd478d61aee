//! A segment's file as the command line reads it: what is in it, what is damaged, record by record.
//!
//! Everything here waits for the disk, and writes nothing.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

use bytes::Bytes;

use super::{
    FoundSegment, SegmentName,
    directory::read_small,
    format::{
        BLOCK, Entry, HeaderError, Kind, Marks, RECORD_HEADER, RecordHeader, SegmentHeader,
        Summary, Trailer, length,
    },
    scan::{Scanned, Scanner},
};
use crate::{encoding::Encoding, signal::Signal};

pub use super::scan::Damage;

/// How a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// It was written to its end.
    Sealed,
    /// It is being written, or a crash cut it off.
    Unsealed,
    /// Nothing was written to it before a crash.
    Blank,
    /// Its header is damaged in both copies, and it has no trailer: nothing in it can be read.
    Unreadable,
    /// Another version of this program wrote it, in this version of the format.
    Foreign(u32),
}

/// One segment, open for reading.
#[derive(Debug)]
pub struct SegmentFile {
    /// Its name.
    pub name: SegmentName,
    /// The length of its file, in bytes.
    pub bytes: u64,
    /// How it is.
    pub state: SegmentState,
    /// Which of its records need no replay any more.
    pub marks: Marks,
    /// Whether its file of marks is there and cannot be read.
    pub marks_are_damaged: bool,
    /// Whether one of the two copies in its first block, or both, are damaged.
    pub header_is_damaged: bool,
    file: fs::File,
    salt: u64,
    trailer: Option<Trailer>,
}

/// One record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it carries.
    pub signal: Signal,
    /// How its body is packed.
    pub encoding: Encoding,
    /// Headers that go on with it.
    pub headers: Bytes,
    /// Its body.
    pub body: Bytes,
}

impl SegmentFile {
    /// Opens a segment of a folder and reads its ends and its marks.
    ///
    /// # Errors
    ///
    /// The system's. Damage is no error.
    pub fn open(folder: &Path, segment: FoundSegment) -> io::Result<Self> {
        let name = segment.name;
        let file = fs::File::open(folder.join(name.file()))?;
        let bytes = file.metadata()?.len();
        let header = SegmentHeader::decode(&read_up_to(&file, 0, BLOCK)?, name);
        let trailer = match bytes.checked_sub(BLOCK) {
            Some(last) if last >= BLOCK => {
                Trailer::decode(&read_up_to(&file, last, BLOCK)?, name, bytes)
            }
            _ => None,
        };
        let (state, salt) = match (header, trailer) {
            (Err(HeaderError::Version(version)), _) => (SegmentState::Foreign(version), 0),
            (_, Some(trailer)) => (SegmentState::Sealed, trailer.salt),
            (Ok(header), None) => (SegmentState::Unsealed, header.salt),
            (Err(HeaderError::Blank), None) => (SegmentState::Blank, 0),
            (Err(HeaderError::Damaged), None) => (SegmentState::Unreadable, 0),
        };
        let (marks, marks_are_damaged) = match read_small(&folder.join(name.marks_file())) {
            Ok(file) => match Marks::decode(&file, salt) {
                Some(marks) => (marks, false),
                None => (Marks::default(), true),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => (Marks::default(), false),
            Err(error) if error.kind() == ErrorKind::InvalidData => (Marks::default(), true),
            Err(error) => return Err(error),
        };
        Ok(Self {
            name,
            bytes,
            state,
            marks,
            marks_are_damaged,
            header_is_damaged: header.is_err(),
            file,
            salt,
            trailer,
        })
    }

    /// Whether there are records in it that this version can read.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        matches!(self.state, SegmentState::Sealed | SegmentState::Unsealed)
    }

    /// What is in it.
    ///
    /// - Cost: none for a sealed segment; one that is not is read whole.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn summary(&self) -> io::Result<Summary> {
        if let Some(trailer) = &self.trailer {
            return Ok(trailer.summary);
        }
        let mut summary = Summary::default();
        for entry in &self.scan()?.entries {
            summary.add(entry);
        }
        Ok(summary)
    }

    /// Where its records lie, as its index says it, or as a scan finds them.
    ///
    /// - Cost: reading the index of a sealed segment; one that is not is read whole.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        match self.index()? {
            Some(entries) => Ok(entries),
            None => Ok(self.scan()?.entries),
        }
    }

    /// The index; `None` where there is none, or where it is damaged.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn index(&self) -> io::Result<Option<Vec<Entry>>> {
        let Some(trailer) = &self.trailer else {
            return Ok(None);
        };
        let end = self.bytes.saturating_sub(BLOCK);
        let bytes = end.saturating_sub(trailer.index_offset);
        let index = read_up_to(&self.file, trailer.index_offset, bytes)?;
        Ok(Entry::decode_index(&index, self.salt, trailer.index_offset))
    }

    /// Reads the whole segment and checks every record of it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn scan(&self) -> io::Result<Scanned> {
        if !self.is_readable() {
            return Ok(Scanned::default());
        }
        let end = self
            .trailer
            .as_ref()
            .map_or(self.bytes, |it| it.index_offset);
        let mut scanner = Scanner::new(self.salt, end);
        while let Some((offset, bytes)) = scanner.wants() {
            match read_up_to(&self.file, offset, bytes as u64) {
                Ok(bytes) => scanner.take(&bytes),
                // A sector that the device cannot read: the rest is looked at all the same.
                Err(error) if error.raw_os_error() == Some(EIO) => scanner.skip(bytes as u64),
                Err(error) => return Err(error),
            }
        }
        Ok(scanner.finish(self.trailer.is_some()))
    }

    /// Reads one record; `None` where it is damaged.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn read(&self, entry: &Entry) -> io::Result<Option<Stored>> {
        let whole = RECORD_HEADER as u64 + u64::from(entry.content);
        let bytes = Bytes::from(read_up_to(&self.file, entry.offset, whole)?);
        let Some(header) = RecordHeader::decode(&bytes, self.salt, entry.offset) else {
            return Ok(None);
        };
        let content = bytes.slice(RECORD_HEADER..);
        let Kind::Request(signal, encoding) = header.kind else {
            return Ok(None);
        };
        Ok(header.open(&content).map(|(headers, body)| Stored {
            signal,
            encoding,
            headers,
            body,
        }))
    }

    /// The marks as a file, for the records that are settled by now.
    #[must_use]
    pub fn marks_file(&self) -> Vec<u8> {
        self.marks.encode(self.salt)
    }

    /// Notes that a record needs no replay any more.
    pub fn settle(&mut self, entry: &Entry) {
        if self.marks.settled.insert(entry.ordinal)
            && let Some(items) = self.marks.items.get_mut(entry.signal.index())
        {
            *items = items.saturating_add(entry.items);
        }
    }
}

/// The error of a device that cannot read a sector.
const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

/// Reads `bytes` bytes from `offset` on; fewer where the file ends before.
fn read_up_to(file: &fs::File, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(offset);
    let mut buffer = vec![0; length(bytes.min(left))];
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(done);
    Ok(buffer)
}
