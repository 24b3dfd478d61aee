//! Replay: the next segment's index is loaded, and runs of its records are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bytes::Bytes;

use super::{
    Spool,
    attempt::{Attempts, Scanning, Verdict},
    room::Held,
    task::Task,
};
use crate::spool::{
    DiskError, Event, Op, Place, Record, ReplayOrder, SegmentName, Why,
    backoff::Trouble,
    format::{self, BLOCK, Entry, length},
    scan::Scanner,
    segment::{Kind, Segment},
};

/// Bytes between two records of a run that are read for nothing, at the most.
const GAP: u64 = 16 << 10;

/// What is being replayed.
#[derive(Debug, Default)]
pub(super) struct Replayer {
    /// Bytes that are asked for, while a replay is under way.
    wanted: Option<usize>,
    /// The signals that are asked for.
    signals: [bool; 4],
    /// Segments that have nothing more of what is asked for.
    passed: BTreeSet<SegmentName>,
    is_reading: bool,
    /// The segment whose index is loaded for it.
    loaded: Option<SegmentName>,
    /// Entries before this one, in the order of replay, are settled or held.
    next: usize,
    /// A scan that could not be read on.
    paused: Option<Read>,
    /// What could not be read, and when it is tried again.
    doubtful: BTreeMap<Place, Doubt>,
    /// Segments that could not be read at all.
    unread: BTreeMap<SegmentName, Doubt>,
    pub trouble: Option<Trouble>,
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    attempts: Attempts,
    /// Times that it was read and was not what had been written.
    mismatches: u32,
    until: Instant,
}

impl Doubt {
    fn new(now: Instant) -> Self {
        Self {
            attempts: Attempts::default(),
            mismatches: 0,
            until: now,
        }
    }
}

/// A read for a replay.
#[derive(Debug)]
pub(super) struct Read {
    pub name: SegmentName,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Index(u64),
    Scan(Scanning),
    Records(Vec<Entry>),
}

impl Replayer {
    /// Whether the index of this segment is needed.
    pub fn reads(&self, name: SegmentName) -> bool {
        self.loaded == Some(name)
    }

    pub fn look_again(&mut self, name: SegmentName) {
        if self.reads(name) {
            self.next = 0;
        }
    }

    pub fn forget(&mut self, name: SegmentName) {
        if self.reads(name) {
            self.loaded = None;
        }
        if self.paused.as_ref().is_some_and(|it| it.name == name) {
            self.paused = None;
        }
        self.unread.remove(&name);
        let places: Vec<_> = self
            .doubtful
            .range(Segment::places(name))
            .map(|(place, _)| *place)
            .collect();
        for place in places {
            self.doubtful.remove(&place);
        }
    }

    /// When reads that failed are tried again.
    pub fn times(&self) -> impl Iterator<Item = Instant> {
        let doubts = self.doubtful.values().chain(self.unread.values());
        let doubts = doubts.map(|it| it.until);
        doubts.chain(self.trouble.as_ref().map(|it| it.until))
    }
}

impl Spool {
    pub(super) fn begin_replay(
        &mut self,
        bytes_max: usize,
        signals: [bool; 4],
        now: Instant,
    ) -> bool {
        let trouble = self.replayer.trouble.as_ref();
        if self.is_closing
            || self.replayer.wanted.is_some()
            || trouble.is_some_and(|it| now < it.until)
        {
            return false;
        }
        self.replayer.signals = signals;
        self.replayer.passed.clear();
        if self.candidate(now).is_none() {
            return false;
        }
        self.replayer.wanted = Some(bytes_max);
        true
    }

    /// The segment that is replayed next.
    fn candidate(&self, now: Instant) -> Option<SegmentName> {
        let has_more = |(name, segment): &(&SegmentName, &Segment)| {
            // A record without items shows in no signal's count.
            let signals = self.replayer.signals;
            let is_wanted = signals == [true; 4] || segment.has_items_of(signals);
            if !segment.is_readable()
                || segment.left <= segment.held
                || !is_wanted
                || self.replayer.passed.contains(*name)
            {
                return false;
            }
            let unread = self.replayer.unread.get(name);
            if unread.is_some_and(|it| now < it.until) {
                return false;
            }
            let doubtful = self.replayer.doubtful.range(Segment::places(**name));
            let put_off = doubtful.filter(|(_, it)| now < it.until).count();
            (segment.left - segment.held) as usize > put_off
        };
        let mut segments = self.segments.iter();
        let found = match self.settings.order {
            ReplayOrder::OldestFirst => segments.find(has_more),
            ReplayOrder::NewestFirst => segments.rfind(has_more),
        };
        found.map(|(name, _)| *name)
    }

    pub(super) fn work_replay(&mut self, now: Instant) {
        // Each turn reads, ends the replay, or has dropped what was too old.
        while let Some(bytes_max) = self.replayer.wanted {
            if self.replayer.is_reading {
                return;
            }
            if self.is_closing {
                return self.end_replay(Vec::new());
            }
            let Some(name) = self.candidate(now) else {
                return self.end_replay(Vec::new());
            };
            if !self.load(name) {
                return;
            }
            let left = self.segments.get(&name).map_or(0, |it| it.left);
            let run = self.choose(name, bytes_max, now);
            if let (Some(first), Some(last)) = (run.first(), run.last()) {
                let from = first.offset.min(last.offset);
                let end = first.end().max(last.end());
                self.read(
                    Read {
                        name,
                        step: Step::Records(run),
                    },
                    from,
                    end,
                );
                return;
            }
            let left_now = self.segments.get(&name).map_or(0, |it| it.left);
            if left_now == left {
                debug_assert!(
                    self.replayer.signals != [true; 4],
                    "{name} has records left, and none is found"
                );
                self.replayer.passed.insert(name);
            }
        }
    }

    fn end_replay(&mut self, records: Vec<(Place, Record)>) {
        self.replayer.wanted = None;
        self.events.push_back(Event::Replayed(records));
    }

    fn read(&mut self, read: Read, from: u64, end: u64) {
        self.replayer.is_reading = true;
        let op = Op::Read {
            segment: read.name,
            offset: from,
            bytes: length(end - from),
        };
        self.give(op, Task::Replay(Box::new(read)));
    }

    /// Whether the segment's index is there; else it is being loaded.
    fn load(&mut self, name: SegmentName) -> bool {
        if !self.replayer.reads(name) {
            self.unload();
            self.replayer.loaded = Some(name);
            self.replayer.next = 0;
        }
        let paused = self.replayer.paused.take().filter(|it| it.name == name);
        let Some(segment) = self.segments.get(&name) else {
            return false;
        };
        if segment.index.is_some() {
            return true;
        }
        let step = match (paused.map(|it| it.step), segment.kind) {
            (Some(step), _) => step,
            (None, Kind::Sealed { index }) => {
                let end = segment.bytes.saturating_sub(BLOCK);
                let step = Step::Index(index);
                self.read(Read { name, step }, index, end);
                return false;
            }
            (None, _) => self.scan_of(name),
        };
        self.scan_on(Read { name, step });
        false
    }

    fn scan_of(&self, name: SegmentName) -> Step {
        let segment = self.segments.get(&name);
        let (salt, end) = segment.map_or((0, 0), |it| match it.kind {
            Kind::Sealed { index } => (it.salt, index),
            Kind::Unsealed { end } => (it.salt, end),
            _ => (it.salt, 0),
        });
        Step::Scan(Scanning::new(Scanner::new(salt, end)))
    }

    fn scan_on(&mut self, read: Read) {
        let Step::Scan(scanning) = read.step else {
            return;
        };
        let name = read.name;
        match scanning.wants() {
            Some((from, bytes)) => {
                let step = Step::Scan(scanning);
                self.read(Read { name, step }, from, from + bytes as u64);
            }
            None => self.has_index(name, scanning.scanner.finish(true).entries),
        }
    }

    fn has_index(&mut self, name: SegmentName, entries: Vec<Entry>) {
        self.reconcile(name, &entries);
        if let Some(segment) = self.segments.get_mut(&name) {
            segment.index = Some(entries);
        }
        self.condemn_if_settled(name);
    }

    /// Frees the index of the segment that was replayed last.
    fn unload(&mut self) {
        let Some(name) = self.replayer.loaded.take() else {
            return;
        };
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        if matches!(segment.kind, Kind::Sealed { .. } | Kind::Unsealed { .. })
            && !segment.is_condemned
        {
            segment.index = None;
            self.give(Op::Close { segment: name }, Task::Close(name));
        }
    }

    /// Records that lie close to each other and are next; what is too old is dropped.
    fn choose(&mut self, name: SegmentName, bytes_max: usize, now: Instant) -> Vec<Entry> {
        let Some(segment) = self.segments.get(&name) else {
            return Vec::new();
        };
        let entries = segment.index.as_deref().unwrap_or_default();
        let alone = self.replayer.unread.contains_key(&name);
        let mut run: Vec<Entry> = Vec::new();
        let mut expired = Vec::new();
        let mut bytes = 0;
        let mut is_first = true;
        for step in self.replayer.next..entries.len() {
            let at = match self.settings.order {
                ReplayOrder::OldestFirst => step,
                ReplayOrder::NewestFirst => entries.len() - 1 - step,
            };
            let Some(entry) = entries.get(at) else {
                break;
            };
            let place = Place {
                segment: name,
                ordinal: entry.ordinal,
            };
            if segment.is_settled(entry.ordinal) || self.held.contains_key(&place) {
                continue;
            }
            // All before the first that is open is passed over for good, unless it is released.
            if std::mem::take(&mut is_first) {
                self.replayer.next = step;
            }
            if !self.replayer.signals[entry.signal.index()] {
                continue;
            }
            let doubt = self.replayer.doubtful.get(&place);
            if doubt.is_some_and(|it| now < it.until) {
                continue;
            }
            if self.is_expired(entry.at, now) {
                expired.push(*entry);
                continue;
            }
            bytes += entry.content as usize;
            let is_far = run.last().is_some_and(|last| {
                let (low, high) = (last.offset.min(entry.offset), last.offset.max(entry.offset));
                let low_end = if low == last.offset {
                    last.end()
                } else {
                    entry.end()
                };
                high.saturating_sub(low_end) > GAP
            });
            if !run.is_empty() && (bytes > bytes_max || is_far || alone || doubt.is_some()) {
                break;
            }
            run.push(*entry);
            if doubt.is_some() {
                break;
            }
        }
        if matches!(segment.kind, Kind::Active) && self.settings.order == ReplayOrder::NewestFirst {
            // Its newest entries are still to come.
            self.replayer.next = 0;
        }
        self.drop_records(name, &expired, Why::Expired);
        run
    }

    /// Gives up single records.
    fn drop_records(&mut self, name: SegmentName, entries: &[Entry], why: Why) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let mut items = [0_u64; 4];
        let mut records = 0;
        for entry in entries {
            let signal = entry.signal.index();
            if segment.settle(entry.ordinal, signal, entry.items) {
                records += 1;
                if let Some(items) = items.get_mut(signal) {
                    *items = items.saturating_add(entry.items);
                }
            }
        }
        if records == 0 {
            return;
        }
        if why == Why::Damaged {
            self.damaged += records;
        }
        self.removal.dirty.insert(name);
        let dropped = Event::Dropped {
            records,
            items,
            why,
        };
        self.events.push_back(dropped);
        self.condemn_if_settled(name);
    }

    pub(super) fn replay_read(
        &mut self,
        read: Read,
        result: Result<Bytes, DiskError>,
        now: Instant,
    ) {
        self.replayer.is_reading = false;
        let Read { name, step } = read;
        if self.segments.get(&name).is_none_or(|it| it.is_condemned) {
            return;
        }
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) => return self.replay_failed(Read { name, step }, error, now),
        };
        self.replayer.trouble = None;
        // A part of the segment may be unreadable: its records are still read one by one.
        if let Some(whole) = self.replayer.unread.get_mut(&name) {
            whole.attempts = Attempts::default();
        }
        match step {
            Step::Index(offset) => {
                let salt = self.segments.get(&name).map_or(0, |it| it.salt);
                match Entry::decode_index(&bytes, salt, offset) {
                    Some(entries) => self.has_index(name, entries),
                    None => {
                        let step = self.scan_of(name);
                        self.scan_on(Read { name, step });
                    }
                }
            }
            Step::Scan(mut scanning) => {
                scanning.take(&bytes);
                let step = Step::Scan(scanning);
                self.scan_on(Read { name, step });
            }
            Step::Records(run) => self.run_is_read(name, &run, &bytes, now),
        }
    }

    fn run_is_read(&mut self, name: SegmentName, run: &[Entry], bytes: &Bytes, now: Instant) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let from = run.iter().map(|it| it.offset).min().unwrap_or(0);
        let mut records = Vec::new();
        let mut damaged = Vec::new();
        for entry in run {
            let place = Place {
                segment: name,
                ordinal: entry.ordinal,
            };
            match format::record(bytes, from, entry, segment.salt) {
                Some(record) => {
                    self.replayer.doubtful.remove(&place);
                    self.held.insert(place, Held::of(entry));
                    segment.hold(entry.signal.index(), entry.items);
                    records.push((place, record));
                }
                None => {
                    let doubt = self
                        .replayer
                        .doubtful
                        .entry(place)
                        .or_insert_with(|| Doubt::new(now));
                    doubt.mismatches += 1;
                    doubt.until = now + super::SECOND;
                    // It may have been read wrong, but not twice.
                    if doubt.mismatches > 1 {
                        self.replayer.doubtful.remove(&place);
                        damaged.push(*entry);
                    }
                }
            }
        }
        for entry in &damaged {
            self.tell_damage(name, entry.offset, entry.end() - entry.offset, 1, false);
        }
        self.drop_records(name, &damaged, Why::Damaged);
        if !records.is_empty() {
            self.end_replay(records);
        }
    }

    fn replay_failed(&mut self, read: Read, error: DiskError, now: Instant) {
        self.wants_probe = true;
        let successes = self.successes;
        let name = read.name;
        let whole = self
            .replayer
            .unread
            .entry(name)
            .or_insert_with(|| Doubt::new(now));
        let mut verdict = Verdict::Again(now);
        if error.kind == std::io::ErrorKind::NotFound {
            verdict = whole.attempts.failed(&error, successes, now);
        } else {
            match read.step {
                // What the index says is in the records as well.
                Step::Index(_) => {
                    let step = self.scan_of(name);
                    self.replayer.paused = Some(Read { name, step });
                }
                Step::Scan(mut scanning) => {
                    verdict = scanning.failed(&error, successes, now);
                    let step = Step::Scan(scanning);
                    self.replayer.paused = Some(Read { name, step });
                }
                // One of a run is tried alone before it is doubted.
                Step::Records(run) => {
                    if let [entry] = run.as_slice() {
                        self.doubt(name, entry, &error, now);
                    }
                }
            }
        }
        match verdict {
            Verdict::FileIsGone => {
                self.tell_damage(name, 0, 0, 0, false);
                self.give_up(name, Why::Damaged);
                self.condemn(name);
            }
            Verdict::Again(at) => {
                if let Some(whole) = self.replayer.unread.get_mut(&name) {
                    whole.until = at;
                }
            }
            Verdict::PartIsLost => {}
        }
        let before = self.replayer.trouble.take();
        self.replayer.trouble = Some(Trouble::after(before, error, now));
        self.end_replay(Vec::new());
    }

    fn doubt(&mut self, name: SegmentName, entry: &Entry, error: &DiskError, now: Instant) {
        let place = Place {
            segment: name,
            ordinal: entry.ordinal,
        };
        let doubt = self
            .replayer
            .doubtful
            .entry(place)
            .or_insert_with(|| Doubt::new(now));
        match doubt.attempts.failed(error, self.successes, now) {
            Verdict::Again(at) => doubt.until = at,
            Verdict::PartIsLost | Verdict::FileIsGone => {
                self.replayer.doubtful.remove(&place);
                self.tell_damage(name, entry.offset, entry.end() - entry.offset, 1, false);
                self.drop_records(name, &[*entry], Why::Damaged);
            }
        }
    }
}
