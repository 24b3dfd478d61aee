//! A disk in memory that fails as disks do: for the proofs of the spool, and for simulations.
//!
//! What is written is on the disk after a sync alone: a crash keeps any part of what was not synced,
//! sector by sector, in any order. A sync that fails loses some of it for good, and the next one
//! does not bring it back. Names are kept after a sync of the directory alone; a removed file may
//! come back.

use std::{collections::BTreeMap, io::ErrorKind};

use bytes::Bytes;

use super::{DiskError, Done, FoundSegment, Op, SegmentName, format::length};

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// Random numbers from a seed: `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 where the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        length(self.number().checked_rem(bound as u64).unwrap_or(0))
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, in_thousand: u32) -> bool {
        self.number() % 1000 < u64::from(in_thousand)
    }
}

/// How often operations fail, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Making a segment.
    pub create: u32,
    /// Writing: a part of it may be written.
    pub write: u32,
    /// Syncing: a part of what was written is lost.
    pub sync: u32,
    /// Reading.
    pub read: u32,
    /// Removing.
    pub remove: u32,
    /// Writing or reading marks.
    pub marks: u32,
    /// Nothing works any more.
    pub is_gone: bool,
    /// Nothing can be written.
    pub is_read_only: bool,
}

/// A file: what is read of it, and what a crash leaves of it.
#[derive(Clone, Debug, Default)]
struct File {
    seen: Vec<u8>,
    kept: Vec<u8>,
    /// Sectors that are written and not synced.
    dirty: Vec<(usize, Vec<u8>)>,
    is_open: bool,
    is_name_synced: bool,
}

/// The disk of one spool.
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<SegmentName, File>,
    marks: BTreeMap<SegmentName, Vec<u8>>,
    /// Files that were removed since the directory was synced.
    removed: BTreeMap<SegmentName, File>,
    random: Random,
    /// How often operations fail.
    pub faults: Faults,
    /// Bytes that it holds at the most.
    pub capacity: u64,
    /// Operations that were performed.
    pub operations: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Syncs that were performed.
    pub syncs: u64,
}

impl Disk {
    /// An empty disk that never fails, until it is told to.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            files: BTreeMap::new(),
            marks: BTreeMap::new(),
            removed: BTreeMap::new(),
            random: Random::new(seed),
            faults: Faults::default(),
            capacity: u64::MAX,
            operations: 0,
            bytes_read: 0,
            syncs: 0,
        }
    }

    /// From now on it fails and forgets by these random numbers.
    pub fn reseed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// What lies in the directory.
    #[must_use]
    pub fn found(&self) -> Vec<FoundSegment> {
        let found = self.files.iter();
        found
            .map(|(name, file)| FoundSegment {
                name: *name,
                bytes: file.seen.len() as u64,
                has_marks: self.marks.contains_key(name),
            })
            .collect()
    }

    /// The length of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|it| it.seen.len() as u64).sum()
    }

    /// The bytes of a segment, as they are read.
    #[must_use]
    pub fn contents(&self, segment: SegmentName) -> Option<&[u8]> {
        self.files.get(&segment).map(|it| it.seen.as_slice())
    }

    /// Puts a segment there, synced.
    pub fn put(&mut self, segment: SegmentName, contents: Vec<u8>) {
        let file = File {
            kept: contents.clone(),
            seen: contents,
            is_name_synced: true,
            ..File::default()
        };
        self.files.insert(segment, file);
    }

    /// Flips one bit of a segment; false where it is shorter.
    pub fn flip(&mut self, segment: SegmentName, bit: usize) -> bool {
        let Some(file) = self.files.get_mut(&segment) else {
            return false;
        };
        for contents in [&mut file.seen, &mut file.kept] {
            if let Some(byte) = contents.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        bit / 8 < file.seen.len()
    }

    /// Removes a segment and its marks behind the spool's back.
    pub fn lose(&mut self, segment: SegmentName) {
        self.files.remove(&segment);
        self.marks.remove(&segment);
    }

    /// The process dies, and the disk keeps everything: no power was cut.
    pub fn restart(&mut self) {
        self.files.values_mut().for_each(|it| it.is_open = false);
    }

    /// The power is cut: what was synced is there, and any part of the rest.
    pub fn crash(&mut self) {
        let random = &mut self.random;
        for (name, file) in std::mem::take(&mut self.removed) {
            if random.chance(500) {
                self.files.entry(name).or_insert(file);
            }
        }
        self.files.retain(|_, file| {
            if !file.is_name_synced && random.chance(500) {
                return false;
            }
            // Any part of the sectors, in any order; now and then all of them or none.
            let odds = [0, 200, 500, 800, 1000];
            let odds = odds.get(random.below(odds.len())).copied().unwrap_or(500);
            for (at, sector) in std::mem::take(&mut file.dirty) {
                if random.chance(odds) {
                    write_at(&mut file.kept, at, &sector);
                }
            }
            file.seen.clone_from(&file.kept);
            file.is_name_synced = true;
            file.is_open = false;
            true
        });
        let names: Vec<_> = self.marks.keys().copied().collect();
        for name in names {
            match random.below(4) {
                0 => drop(self.marks.remove(&name)),
                1 => {
                    if let Some(marks) = self.marks.get_mut(&name) {
                        marks.truncate(random.below(marks.len() + 1));
                    }
                }
                _ => {}
            }
        }
    }

    /// Performs one operation.
    ///
    /// # Errors
    ///
    /// As its faults say; [`ErrorKind::InvalidInput`] where the operation itself is wrong.
    pub fn perform(&mut self, op: &Op) -> Result<Done, DiskError> {
        self.operations += 1;
        if self.faults.is_gone && !matches!(op, Op::Close { .. }) {
            return Err(error(ErrorKind::Other, "the disk is gone"));
        }
        let writes = matches!(
            op,
            Op::Create { .. } | Op::Write { .. } | Op::WriteMarks { .. } | Op::Remove { .. }
        );
        if self.faults.is_read_only && writes {
            return Err(error(ErrorKind::ReadOnlyFilesystem, "read-only"));
        }
        match op {
            Op::Create { segment } => self.create(*segment),
            Op::Write {
                segment,
                offset,
                pieces,
                bytes,
            } => {
                self.write(*segment, length(*offset), pieces, *bytes)?;
                self.sync(*segment)
            }
            Op::SyncDirectory => {
                if self.random.chance(self.faults.sync) {
                    return Err(error(ErrorKind::Other, "sync of the directory failed"));
                }
                self.removed.clear();
                let files = self.files.values_mut();
                files.for_each(|it| it.is_name_synced = true);
                Ok(Done::Nothing)
            }
            Op::Read {
                segment,
                offset,
                bytes,
            } => self.read(*segment, length(*offset), *bytes),
            Op::WriteMarks { segment, bytes } => {
                if self.random.chance(self.faults.marks) {
                    return Err(error(ErrorKind::Other, "marks failed"));
                }
                self.marks.insert(*segment, bytes.to_vec());
                Ok(Done::Nothing)
            }
            Op::ReadMarks { segment } => match self.marks.get(segment) {
                Some(_) if self.random.chance(self.faults.marks) => {
                    Err(error(ErrorKind::Other, "read of marks failed"))
                }
                Some(marks) => Ok(Done::Bytes(Bytes::from(marks.clone()))),
                None => Err(error(ErrorKind::NotFound, "no marks")),
            },
            Op::Close { segment } => {
                if let Some(file) = self.files.get_mut(segment) {
                    file.is_open = false;
                }
                Ok(Done::Nothing)
            }
            Op::Remove { segment } => {
                if self.random.chance(self.faults.remove) {
                    return Err(error(ErrorKind::Other, "remove failed"));
                }
                if let Some(file) = self.files.remove(segment) {
                    self.removed.insert(*segment, file);
                }
                self.marks.remove(segment);
                Ok(Done::Nothing)
            }
        }
    }

    /// What is done of an operation when the power is cut in it: what was to be written is not
    /// synced. Of other operations nothing is done.
    pub fn perform_half(&mut self, op: &Op) {
        if let Op::Write {
            segment,
            offset,
            pieces,
            bytes,
        } = op
        {
            // An error is nobody's to hear any more.
            drop(self.write(*segment, length(*offset), pieces, *bytes));
        }
    }

    fn create(&mut self, segment: SegmentName) -> Result<Done, DiskError> {
        if self.random.chance(self.faults.create) {
            return Err(error(ErrorKind::Other, "create failed"));
        }
        if self.files.contains_key(&segment) {
            return Err(error(ErrorKind::AlreadyExists, "it exists"));
        }
        let file = File {
            is_open: true,
            ..File::default()
        };
        self.files.insert(segment, file);
        Ok(Done::Nothing)
    }

    fn write(
        &mut self,
        segment: SegmentName,
        offset: usize,
        pieces: &[Bytes],
        bytes: usize,
    ) -> Result<Done, DiskError> {
        let data = pieces.concat();
        if data.len() != bytes || !bytes.is_multiple_of(4096) || !offset.is_multiple_of(4096) {
            return Err(error(ErrorKind::InvalidInput, "not whole blocks"));
        }
        let others = self.bytes();
        let Some(file) = self.files.get_mut(&segment).filter(|it| it.is_open) else {
            return Err(error(ErrorKind::InvalidInput, "it is not open"));
        };
        let grown = (offset + bytes).saturating_sub(file.seen.len()) as u64;
        let is_full = others + grown > self.capacity;
        let fails = is_full || self.random.chance(self.faults.write);
        for (index, sector) in data.chunks(SECTOR).enumerate() {
            if fails && self.random.chance(500) {
                continue;
            }
            let at = offset + index * SECTOR;
            if is_full && at + sector.len() > file.seen.len() {
                break;
            }
            write_at(&mut file.seen, at, sector);
            file.dirty.push((at, sector.to_vec()));
        }
        match fails {
            true if is_full => Err(error(ErrorKind::StorageFull, "no space left on device")),
            true => Err(error(ErrorKind::Other, "write failed")),
            false => Ok(Done::Nothing),
        }
    }

    fn sync(&mut self, segment: SegmentName) -> Result<Done, DiskError> {
        self.syncs += 1;
        let fails = self.random.chance(self.faults.sync);
        let Some(file) = self.files.get_mut(&segment) else {
            return Err(error(ErrorKind::InvalidInput, "it is not open"));
        };
        for (at, sector) in std::mem::take(&mut file.dirty) {
            // What a failed sync has not written is clean for the system, and lost.
            if !fails || self.random.chance(500) {
                write_at(&mut file.kept, at, &sector);
            }
        }
        match fails {
            true => Err(error(ErrorKind::Other, "sync failed")),
            false => Ok(Done::Nothing),
        }
    }

    fn read(
        &mut self,
        segment: SegmentName,
        offset: usize,
        bytes: usize,
    ) -> Result<Done, DiskError> {
        if self.random.chance(self.faults.read) {
            return Err(error(ErrorKind::Other, "read failed"));
        }
        let Some(file) = self.files.get(&segment) else {
            return Err(error(ErrorKind::NotFound, "no such file"));
        };
        let from = offset.min(file.seen.len());
        let to = offset.saturating_add(bytes).min(file.seen.len());
        let read = file.seen.get(from..to).unwrap_or_default();
        self.bytes_read += read.len() as u64;
        Ok(Done::Bytes(Bytes::copy_from_slice(read)))
    }
}

fn error(kind: ErrorKind, text: &str) -> DiskError {
    DiskError {
        kind,
        text: text.to_owned(),
    }
}

fn write_at(contents: &mut Vec<u8>, at: usize, data: &[u8]) {
    if contents.len() < at + data.len() {
        contents.resize(at + data.len(), 0);
    }
    if let Some(room) = contents.get_mut(at..at + data.len()) {
        room.copy_from_slice(data);
    }
}
