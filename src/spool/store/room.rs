//! How much is on disk, and what is removed: settled, expired, or dropped for room.

use std::{collections::BTreeSet, time::Instant};

use super::{Spool, task::Task};
use crate::spool::{
    DiskError, Event, OnFull, Op, SegmentName, Why,
    backoff::Trouble,
    format::{BLOCK, Entry},
    segment::{Kind, Segment},
};

/// Bytes that a segment needs beside its records and their entries: header, trailer, marks, and the
/// last block of its index.
pub(super) const OVERHEAD: u64 = 4 * BLOCK;

/// A record that somebody works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub signal: usize,
    pub items: u64,
    /// Why its segment was given up meanwhile.
    pub gone: Option<Why>,
}

impl Held {
    pub fn of(entry: &Entry) -> Self {
        Self {
            signal: entry.signal.index(),
            items: entry.items,
            gone: None,
        }
    }
}

/// What is to be removed, and which marks are to be written.
#[derive(Debug, Default)]
pub(super) struct Removal {
    /// Segments that are to be removed and are not being removed.
    condemned: BTreeSet<SegmentName>,
    under_way: u32,
    trouble: Option<Trouble>,
    /// Segments whose marks are not written yet; those of a condemned one are where it stays.
    pub dirty: BTreeSet<SegmentName>,
    pub marks_are_due: bool,
}

impl Removal {
    /// Whether room will come of it.
    pub fn is_expected(&self) -> bool {
        !self.condemned.is_empty() || self.under_way > 0
    }

    /// Whether nothing is to be removed, but what could not be.
    pub fn has_tried_all(&self) -> bool {
        self.under_way == 0 && (self.condemned.is_empty() || self.trouble.is_some())
    }

    /// Whether a segment is to be removed, and waits because the disk has failed to remove one.
    pub fn is_put_off(&self, name: SegmentName) -> bool {
        self.trouble.is_some() && self.condemned.contains(&name)
    }

    /// At the end each is tried once, whatever failed before.
    pub fn try_once_more(&mut self) {
        self.trouble = None;
    }

    pub fn next_at(&self) -> Option<Instant> {
        let waits = !self.condemned.is_empty();
        self.trouble.as_ref().filter(|_| waits).map(|it| it.until)
    }
}

impl Spool {
    /// The length of a segment's file has changed.
    pub(super) fn set_bytes(&mut self, name: SegmentName, bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&name) {
            self.bytes = (self.bytes + bytes).saturating_sub(segment.bytes);
            segment.bytes = bytes;
        }
    }

    /// Bytes that the files will need when the active segment is sealed and every segment has marks.
    fn reserved(&self) -> u64 {
        let active = self.writer.active().and_then(|it| self.segments.get(&it));
        let index = active.map_or(0, |segment| {
            let records = segment.index.as_ref().map_or(0, Vec::len) as u64;
            Entry::index_bytes(records + self.writer.in_group())
        });
        index + BLOCK * self.segments.len() as u64
    }

    /// Bytes that a group may have on disk now, its part of the index included.
    pub(super) fn room_on_disk(&self) -> u64 {
        // A block for the index, which may begin another one.
        let taken = self.bytes + self.reserved() + BLOCK;
        self.settings.bytes_max.saturating_sub(taken)
    }

    /// Bytes that the spool will have when all that was taken, and a record that needs so many more,
    /// is written, and all that is condemned is removed.
    pub(super) fn committed_with(&self, more: u64) -> u64 {
        let condemned = self.segments.values().filter(|it| it.is_condemned);
        let condemned: u64 = condemned.map(|it| it.bytes + BLOCK).sum();
        let waiting = self.writer.waiting_bytes + more;
        // Of two segments that follow each other one at least is half full; and none is empty.
        let usable = self.settings.segment_bytes.saturating_sub(OVERHEAD).max(1);
        let segments = (2 * waiting / usable + 1).min(self.writer.waiting_records() + 1) + 1;
        (self.bytes + self.reserved() + waiting + segments * OVERHEAD).saturating_sub(condemned)
    }

    /// Whether there is room for so many bytes more, after the oldest was dropped where that is
    /// wanted.
    pub(super) fn make_room(&mut self, bytes: u64) -> bool {
        // Each turn condemns a segment.
        while self.committed_with(bytes) > self.settings.bytes_max {
            let unreadable = |it: &Segment| it.kind == Kind::Unreadable;
            let victim = match self.settings.on_full {
                OnFull::Refuse => self.oldest(unreadable),
                OnFull::DropOldest => self.oldest(|it| it.is_readable() || unreadable(it)),
            };
            let Some(victim) = victim else {
                return false;
            };
            if self.writer.active() == Some(victim) {
                if self.writer.resting() != Some(victim) {
                    return false;
                }
                self.give_up(victim, Why::Full);
                self.retire();
            } else {
                self.give_up(victim, Why::Full);
                self.condemn(victim);
            }
        }
        true
    }

    fn oldest(&self, is_wanted: impl Fn(&Segment) -> bool) -> Option<SegmentName> {
        let mut found = self.segments.iter();
        let found = found.find(|(_, it)| !it.is_condemned && is_wanted(it));
        found.map(|(name, _)| *name)
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        let expired: Vec<_> = self
            .segments
            .iter()
            .filter(|(_, it)| it.is_readable() && it.left > 0 && self.is_expired(it.newest, now))
            .map(|(name, _)| *name)
            .collect();
        for name in expired {
            if self.writer.active() == Some(name) {
                if self.writer.resting() == Some(name) {
                    self.give_up(name, Why::Expired);
                    self.retire();
                }
            } else {
                self.give_up(name, Why::Expired);
                self.condemn(name);
            }
        }
    }

    /// Gives up what is left in a segment. What somebody holds is theirs to account for.
    pub(super) fn give_up(&mut self, name: SegmentName, why: Why) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let records = u64::from(segment.left.saturating_sub(segment.held));
        let mut items = std::mem::take(&mut segment.items);
        segment.left = 0;
        segment.let_all_go();
        for (_, held) in self.held.range_mut(Segment::places(name)) {
            held.gone = Some(why);
            if let Some(items) = items.get_mut(held.signal) {
                *items = items.saturating_sub(held.items);
            }
        }
        if why == Why::Damaged {
            self.damaged += records;
        }
        if records > 0 {
            let dropped = Event::Dropped {
                records,
                items,
                why,
            };
            self.events.push_back(dropped);
        }
    }

    pub(super) fn condemn_if_settled(&mut self, name: SegmentName) {
        let segment = self.segments.get(&name);
        let is_over = segment
            .is_some_and(|it| it.left == 0 && it.is_readable() && !matches!(it.kind, Kind::Active));
        if is_over {
            self.condemn(name);
        }
    }

    /// The segment is to be removed, as soon as nothing of it is under way.
    pub(super) fn condemn(&mut self, name: SegmentName) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        if !segment.is_condemned {
            segment.is_condemned = true;
            segment.index = None;
            self.removal.condemned.insert(name);
        }
    }

    pub(super) fn work_removal(&mut self, now: Instant) {
        let trouble = self.removal.trouble.as_ref();
        if trouble.is_some_and(|it| now < it.until || self.is_closing) {
            return;
        }
        let at_rest = |name: &SegmentName| self.segments.get(name).is_none_or(|it| it.busy == 0);
        let condemned = self.removal.condemned.iter();
        let ready: Vec<_> = condemned.copied().filter(at_rest).collect();
        for segment in ready {
            self.removal.condemned.remove(&segment);
            self.removal.under_way += 1;
            self.give(Op::Remove { segment }, Task::Remove(segment));
        }
    }

    pub(super) fn removed(&mut self, name: SegmentName, error: Option<DiskError>, now: Instant) {
        self.removal.under_way -= 1;
        let Some(error) = error else {
            self.removal.trouble = None;
            let has_data = self.segments.get(&name).is_some_and(Segment::has_data);
            if has_data {
                self.writer.room_has_come(now);
            }
            self.forget(name);
            return;
        };
        // An empty one that cannot be removed is removed at the next start.
        if self.segments.get(&name).is_some_and(|it| it.bytes == 0) {
            self.forget(name);
        } else {
            self.removal.condemned.insert(name);
        }
        let before = self.removal.trouble.take();
        self.removal.trouble = Some(Trouble::after(before, error.clone(), now));
        self.break_down_for_room(error, now);
    }

    /// The segment is not there any more.
    pub(super) fn forget(&mut self, name: SegmentName) {
        self.set_bytes(name, 0);
        self.segments.remove(&name);
        self.removal.dirty.remove(&name);
        self.replayer.forget(name);
    }
}
