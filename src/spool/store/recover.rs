//! What an earlier run has left: trailers are read, and what has none is scanned.

use std::{
    collections::{BTreeMap, VecDeque},
    io::ErrorKind::NotFound,
    time::Instant,
};

use bytes::Bytes;

use super::{
    Spool,
    attempt::{Attempts, Scanning, Verdict},
    task::Task,
};
use crate::spool::{
    DiskError, Event, FoundSegment, Op, ReplayOrder, SegmentName, Why,
    backoff::LONGEST,
    format::{BLOCK, Entry, HeaderError, Marks, SegmentHeader, Trailer, length},
    scan::{Damage, Scanned, Scanner},
    segment::Kind,
};

/// Segments that are looked at together: reads that a disk can have at once.
const TOGETHER: u32 = 4;

/// Segments of an earlier run that are to be looked at.
#[derive(Debug)]
pub(super) struct Recovery {
    order: ReplayOrder,
    trailers: VecDeque<Look>,
    /// Those without a trailer: one at a time, after all the others. By name, because trailers are
    /// read in any order, and what is scanned late is replayed late.
    scans: BTreeMap<SegmentName, Look>,
    /// Those that could not be read just now.
    later: Vec<(Instant, Look)>,
    under_way: u32,
}

/// A look at one segment.
#[derive(Debug)]
pub(super) struct Look {
    pub name: SegmentName,
    has_marks: bool,
    attempts: Attempts,
    /// Whether it was told that a read has failed.
    has_told: bool,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Trailer,
    Header,
    Marks(Found),
    Scan(u64, Scanning, Option<Marks>),
}

/// What is known before the marks are.
#[derive(Debug)]
enum Found {
    Sealed(Trailer),
    Unsealed { salt: u64 },
}

impl Look {
    /// What it reads next of a segment of this length: offset and length; of marks all there is.
    /// `None` when a scan is over.
    fn wants(&self, segment_bytes: u64) -> Option<(u64, usize)> {
        match &self.step {
            Step::Trailer => Some((segment_bytes.saturating_sub(BLOCK), length(BLOCK))),
            Step::Header => Some((0, length(BLOCK))),
            Step::Marks(_) => Some((0, 0)),
            Step::Scan(_, scanning, _) => scanning.wants(),
        }
    }
}

impl Recovery {
    pub fn new(found: &[FoundSegment], order: ReplayOrder) -> Self {
        let mut found: Vec<_> = found.iter().collect();
        found.sort_unstable_by_key(|it| it.name);
        if order == ReplayOrder::NewestFirst {
            found.reverse();
        }
        let mut new = Self {
            order,
            trailers: VecDeque::new(),
            scans: BTreeMap::new(),
            later: Vec::new(),
            under_way: 0,
        };
        for found in found {
            let may_be_sealed = found.bytes >= 2 * BLOCK && found.bytes.is_multiple_of(BLOCK);
            let look = |step| Look {
                name: found.name,
                has_marks: found.has_marks,
                attempts: Attempts::default(),
                has_told: false,
                step,
            };
            match may_be_sealed {
                true => new.trailers.push_back(look(Step::Trailer)),
                false => new.will_scan(look(Step::Header)),
            }
        }
        new
    }

    pub fn is_under_way(&self) -> bool {
        self.under_way > 0
            || !(self.trailers.is_empty() && self.scans.is_empty() && self.later.is_empty())
    }

    /// When reads that failed are tried again.
    pub fn times(&self) -> impl Iterator<Item = Instant> {
        self.later.iter().map(|(at, _)| *at)
    }

    fn next(&mut self, now: Instant) -> Option<Look> {
        if let Some(due) = self.later.iter().position(|(at, _)| *at <= now) {
            return Some(self.later.swap_remove(due).1);
        }
        if let Some(look) = self.trailers.pop_front() {
            return Some(look);
        }
        if self.under_way > 0 {
            return None;
        }
        let next = match self.order {
            ReplayOrder::OldestFirst => self.scans.pop_first(),
            ReplayOrder::NewestFirst => self.scans.pop_last(),
        };
        next.map(|(_, look)| look)
    }

    fn will_scan(&mut self, look: Look) {
        self.scans.insert(look.name, look);
    }
}

impl Spool {
    pub(super) fn work_recovery(&mut self, now: Instant) {
        while !self.is_closing && self.recovery.under_way < TOGETHER {
            let Some(look) = self.recovery.next(now) else {
                return;
            };
            self.look(look);
        }
    }

    /// Gives out the read that a look needs next.
    fn look(&mut self, look: Look) {
        let Some(segment) = self.segments.get(&look.name).filter(|it| !it.is_condemned) else {
            return;
        };
        let Some((offset, bytes)) = look.wants(segment.bytes) else {
            return self.scan_is_over(look);
        };
        let segment = look.name;
        let op = match look.step {
            Step::Marks(_) => Op::ReadMarks { segment },
            _ => Op::Read {
                segment,
                offset,
                bytes,
            },
        };
        self.recovery.under_way += 1;
        self.give(op, Task::Look(Box::new(look)));
    }

    pub(super) fn looked(
        &mut self,
        mut look: Box<Look>,
        result: Result<Bytes, DiskError>,
        now: Instant,
    ) {
        self.recovery.under_way -= 1;
        let name = look.name;
        if self.is_closing || self.segments.get(&name).is_none_or(|it| it.is_condemned) {
            return;
        }
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) if matches!(look.step, Step::Marks(_)) && error.kind == NotFound => {
                Bytes::new()
            }
            Err(error) => return self.look_failed(*look, &error, now),
        };
        look.attempts = Attempts::default();
        match look.step {
            Step::Trailer => {
                let length = self.segments.get(&name).map_or(0, |it| it.bytes);
                match Trailer::decode(&bytes, name, length) {
                    Some(trailer) => {
                        look.step = Step::Marks(Found::Sealed(trailer));
                        self.look_at_marks(*look);
                    }
                    None => {
                        look.step = Step::Header;
                        self.recovery.will_scan(*look);
                    }
                }
            }
            Step::Header => match SegmentHeader::decode(&bytes, name) {
                Ok(SegmentHeader { salt, .. }) => {
                    look.step = Step::Marks(Found::Unsealed { salt });
                    self.look_at_marks(*look);
                }
                Err(error) => self.has_no_header(name, error),
            },
            Step::Marks(_) => self.marks_are_read(*look, &bytes),
            Step::Scan(salt, mut scanning, marks) => {
                scanning.take(&bytes);
                look.step = Step::Scan(salt, scanning, marks);
                self.look(*look);
            }
        }
    }

    fn look_at_marks(&mut self, look: Look) {
        match look.has_marks {
            true => self.look(look),
            false => self.marks_are_read(look, &[]),
        }
    }

    fn marks_are_read(&mut self, look: Look, bytes: &[u8]) {
        match look.step {
            Step::Marks(Found::Sealed(trailer)) => {
                let marks = Marks::decode(bytes, trailer.salt);
                self.found_sealed(&trailer, marks);
            }
            Step::Marks(Found::Unsealed { salt }) => {
                let end = self.segments.get(&look.name).map_or(0, |it| it.bytes);
                let scanning = Scanning::new(Scanner::new(salt, end));
                self.look(Look {
                    attempts: Attempts::default(),
                    step: Step::Scan(salt, scanning, Marks::decode(bytes, salt)),
                    ..look
                });
            }
            _ => {}
        }
    }

    fn look_failed(&mut self, mut look: Look, error: &DiskError, now: Instant) {
        self.wants_probe = true;
        if !std::mem::replace(&mut look.has_told, true) {
            let length = self.segments.get(&look.name).map_or(0, |it| it.bytes);
            self.events.push_back(Event::Unread {
                segment: look.name,
                offset: look.wants(length).map_or(0, |(offset, _)| offset),
                error: error.clone(),
            });
        }
        let successes = self.successes;
        let verdict = match &mut look.step {
            Step::Scan(_, scanning, _) => scanning.failed(error, successes, now),
            _ => look.attempts.failed(error, successes, now),
        };
        match (verdict, &look.step) {
            (Verdict::Again(at), _) => self.recovery.later.push((at, look)),
            (Verdict::FileIsGone, _) => {
                self.tell_damage(look.name, 0, 0, 0, false);
                self.forget(look.name);
            }
            (Verdict::PartIsLost, Step::Trailer) => {
                look.step = Step::Header;
                look.attempts = Attempts::default();
                self.recovery.will_scan(look);
            }
            // Damaged. Without marks everything is replayed: twice rather than not at all.
            (Verdict::PartIsLost, Step::Marks(_)) => self.marks_are_read(look, &[]),
            (Verdict::PartIsLost, Step::Scan(..)) => self.look(look),
            (Verdict::PartIsLost, _) => {
                // What is behind a head that cannot be read may be whole: it is not given up.
                self.has_no_header(look.name, HeaderError::Damaged);
                self.recovery.later.push((now + LONGEST, look));
            }
        }
    }

    fn has_no_header(&mut self, name: SegmentName, error: HeaderError) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let bytes = segment.bytes;
        match error {
            // A segment that was being made: nothing of it was ever stored.
            HeaderError::Blank => {
                segment.kind = Kind::Unsealed { end: 0 };
                self.condemn(name);
            }
            HeaderError::Version(version) => {
                segment.kind = Kind::Foreign;
                self.events.push_back(Event::Foreign {
                    segment: name,
                    version,
                });
            }
            HeaderError::Damaged if segment.kind == Kind::Unreadable => {}
            HeaderError::Damaged => {
                segment.kind = Kind::Unreadable;
                self.tell_damage(name, 0, bytes, 0, false);
            }
        }
    }

    fn found_sealed(&mut self, trailer: &Trailer, marks: Option<Marks>) {
        let Some(segment) = self.segments.get_mut(&trailer.name) else {
            return;
        };
        let summary = trailer.summary;
        let marks = marks.filter(|it| it.settled.count() <= summary.records);
        segment.kind = Kind::Sealed {
            index: trailer.index_offset,
        };
        segment.salt = trailer.salt;
        segment.left = summary.records;
        segment.items = summary.items;
        (segment.oldest, segment.newest) = (summary.oldest, summary.newest);
        if let Some(marks) = marks {
            segment.left -= marks.settled.count();
            for (left, settled) in segment.items.iter_mut().zip(marks.items) {
                *left = left.saturating_sub(settled);
            }
            segment.marks = Some(Box::new(marks));
        }
        self.recovered(trailer.name, 0, [0; 4]);
    }

    fn scan_is_over(&mut self, look: Look) {
        let Step::Scan(salt, scanning, marks) = look.step else {
            return;
        };
        let Scanned { entries, damages } = scanning.scanner.finish(false);
        let Some(segment) = self.segments.get_mut(&look.name) else {
            return;
        };
        segment.kind = Kind::Unsealed { end: segment.bytes };
        segment.salt = salt;
        segment.marks = marks.map(Box::new);
        for entry in &entries {
            if !segment.is_settled(entry.ordinal) {
                segment.add(entry);
            }
        }
        let lost = |it: &&Damage| !it.is_torn;
        let lost_known = damages.iter().filter(lost).flat_map(|it| &it.known);
        let lost_known = lost_known.filter(|it| !segment.is_settled(it.ordinal));
        let mut items = [0_u64; 4];
        for entry in lost_known {
            if let Some(items) = items.get_mut(entry.signal.index()) {
                *items = items.saturating_add(entry.items);
            }
        }
        let records = damages.iter().filter(lost).map(|it| it.records).sum();
        self.recovered(look.name, records, items);
        self.tell_damages(look.name, &damages);
    }

    /// A segment of an earlier run is known, and so many records in it are lost.
    fn recovered(&mut self, name: SegmentName, lost: u64, lost_items: [u64; 4]) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let records = u64::from(segment.left) + lost;
        let mut items = segment.items;
        for (items, lost) in items.iter_mut().zip(lost_items) {
            *items = items.saturating_add(lost);
        }
        if records > 0 {
            self.events.push_back(Event::Recovered { records, items });
        }
        if lost > 0 {
            self.damaged += lost;
            self.events.push_back(Event::Dropped {
                records: lost,
                items: lost_items,
                why: Why::Damaged,
            });
        }
        self.condemn_if_settled(name);
    }

    /// Tells of what is damaged: what is torn, and what is not.
    fn tell_damages(&mut self, name: SegmentName, damages: &[Damage]) {
        for is_torn in [false, true] {
            let mut of_kind = damages.iter().filter(|it| it.is_torn == is_torn).peekable();
            if let Some(first) = of_kind.peek() {
                let offset = first.offset;
                let (bytes, records) = of_kind.fold((0, 0), |(bytes, records), it| {
                    (bytes + (it.end - it.offset), records + it.records)
                });
                self.tell_damage(name, offset, bytes, records, is_torn);
            }
        }
    }

    pub(super) fn tell_damage(
        &mut self,
        segment: SegmentName,
        offset: u64,
        bytes: u64,
        records: u64,
        is_torn: bool,
    ) {
        self.events.push_back(Event::Damaged {
            segment,
            offset,
            bytes,
            records,
            is_torn,
        });
    }

    /// The entries of a segment are known: what was counted and is not among them is lost.
    pub(super) fn reconcile(&mut self, name: SegmentName, entries: &[Entry]) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let (before, items_before) = (segment.left, segment.items);
        (segment.left, segment.items) = (0, [0; 4]);
        for entry in entries {
            if !segment.is_settled(entry.ordinal) {
                segment.add(entry);
            }
        }
        let difference = |from: [u64; 4], to: [u64; 4]| {
            let mut items = from;
            for (items, to) in items.iter_mut().zip(to) {
                *items = items.saturating_sub(to);
            }
            items
        };
        let lost = before.saturating_sub(segment.left);
        let extra = segment.left.saturating_sub(before);
        let lost_items = difference(items_before, segment.items);
        let extra_items = difference(segment.items, items_before);
        if extra > 0 || extra_items != [0; 4] {
            self.events.push_back(Event::Recovered {
                records: u64::from(extra),
                items: extra_items,
            });
        }
        if lost > 0 || lost_items != [0; 4] {
            self.damaged += u64::from(lost);
            self.events.push_back(Event::Dropped {
                records: u64::from(lost),
                items: lost_items,
                why: Why::Damaged,
            });
        }
    }
}
