//! Appending: a segment is made, a group is written and synced, a full segment is sealed.

use std::{collections::VecDeque, io::ErrorKind, time::Instant};

use bytes::Bytes;

use super::{
    Spool,
    room::{Held, OVERHEAD},
    task::Task,
};
use crate::spool::{
    DiskError, Event, Op, Place, Record, Refused, SegmentName, Ticket,
    backoff::Trouble,
    format::{Entry, SegmentHeader, Summary, Trailer, length},
    group::{Group, Pending, RECORD_BYTES, Spot},
    segment::{Kind, Segment},
};

/// Bytes that wait beyond which a group begins at once.
///
/// - Source: chosen: from here on a sync is a small part of what the bytes cost.
const PROMPT_BYTES: u64 = 256 << 10;

/// What is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    active: Option<Active>,
    step: Step,
    /// What waits for the next group.
    waiting: VecDeque<Pending>,
    /// Bytes that this needs on disk at the most.
    pub waiting_bytes: u64,
    /// When the next group begins where little waits for it; none while there was no group.
    next_group_at: Option<Instant>,
    next_ticket: u64,
    pub trouble: Option<Trouble>,
}

/// The segment that is written to.
#[derive(Clone, Copy, Debug)]
struct Active {
    name: SegmentName,
    /// Where the next group begins; 0 before the header is written.
    end: u64,
    created: u64,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Idle,
    Creating,
    /// A group is written and synced, and the name of its segment where that is new.
    Writing {
        group: Group,
        syncs_left: u32,
    },
}

impl Writer {
    pub fn is_idle(&self) -> bool {
        self.active.is_none() && self.waiting.is_empty() && matches!(self.step, Step::Idle)
    }

    /// The segment that is written to, where nothing of it is under way.
    pub fn resting(&self) -> Option<SegmentName> {
        let rests = matches!(self.step, Step::Idle);
        self.active.filter(|_| rests).map(|it| it.name)
    }

    /// Records that are being written.
    pub fn in_group(&self) -> u64 {
        match &self.step {
            Step::Writing { group, .. } => group.records.len() as u64,
            Step::Idle | Step::Creating => 0,
        }
    }

    pub fn waiting_records(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// When what waits is written, where more may come before that.
    pub fn pauses_until(&self) -> Option<Instant> {
        let is_pausing = matches!(self.step, Step::Idle)
            && !self.waiting.is_empty()
            && self.waiting_bytes < PROMPT_BYTES;
        self.next_group_at.filter(|_| is_pausing)
    }

    /// Data was removed: a disk that was full is tried at once.
    pub fn room_has_come(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble
            && trouble.error.kind == ErrorKind::StorageFull
        {
            trouble.until = trouble.until.min(now);
        }
    }

    pub fn active(&self) -> Option<SegmentName> {
        self.active.map(|it| it.name)
    }
}

impl Spool {
    pub(super) fn take(&mut self, record: Record, now: Instant) -> Result<Ticket, Refused> {
        if self.is_closing {
            return Err(Refused::Closed);
        }
        if let Some(trouble) = self.writer.trouble.as_ref().filter(|it| now < it.until) {
            return Err(Refused::Broken {
                error: trouble.error.clone(),
                retry_in: trouble.until - now,
            });
        }
        let bytes = Pending::need(&record);
        if Pending::content(&record) > RECORD_BYTES || !self.make_room(bytes) {
            return Err(Refused::Full {
                bytes,
                held: self.committed_with(0),
                bytes_max: self.settings.bytes_max,
            });
        }
        let ticket = Ticket(self.writer.next_ticket);
        self.writer.next_ticket += 1;
        self.writer.waiting_bytes += bytes;
        self.writer.waiting.push_back(Pending::new(ticket, record));
        Ok(ticket)
    }

    /// Gives out what can be written now.
    pub(super) fn work_writer(&mut self, now: Instant) {
        if !matches!(self.writer.step, Step::Idle) {
            return;
        }
        let trouble = self.writer.trouble.as_ref();
        if trouble.is_some_and(|it| now < it.until) {
            return;
        }
        let tries_again = trouble.is_some() && !self.is_closing && self.room_on_disk() >= OVERHEAD;
        if self.writer.waiting.is_empty() && !tries_again {
            if self.is_closing {
                self.retire();
            }
            return;
        }
        let pause = self.writer.pauses_until();
        if !self.is_closing && pause.is_some_and(|until| now < until) {
            return;
        }
        match (self.spot(), self.writer.waiting.front()) {
            (None, _) => self.create(now),
            (Some(spot), Some(next)) if !spot.takes(next) => {
                self.retire();
                self.create(now);
            }
            // Room comes when what is condemned has been removed.
            (Some(spot), Some(next)) if !spot.has_room(next) && self.removal.is_expected() => {}
            (Some(spot), next) => {
                debug_assert!(next.is_none_or(|it| spot.has_room(it)), "it was taken");
                self.writer.next_group_at = Some(now + self.settings.commit_delay);
                self.write_group(spot, now);
            }
        }
    }

    fn spot(&self) -> Option<Spot> {
        let active = self.writer.active?;
        let segment = self.segments.get(&active.name)?;
        Some(Spot {
            salt: segment.salt,
            offset: active.end,
            records: segment.index.as_ref().map_or(0, Vec::len),
            segment_bytes: self.settings.segment_bytes,
            room: self.room_on_disk(),
        })
    }

    fn create(&mut self, now: Instant) {
        let created = self.clock.nanos(now);
        self.last_sequence = created.max(self.last_sequence.saturating_add(1));
        let name = SegmentName {
            sequence: self.last_sequence,
            shard: self.shard,
        };
        let mut segment = Segment::new(Kind::Active, self.draw_salt(name), 0);
        segment.index = Some(Vec::new());
        self.segments.insert(name, segment);
        self.writer.active = Some(Active {
            name,
            end: 0,
            created,
        });
        self.writer.step = Step::Creating;
        self.give(Op::Create { segment: name }, Task::Create(name));
    }

    /// A salt for a segment: 64 bits that do not tell the salt of the run.
    fn draw_salt(&self, name: SegmentName) -> u64 {
        let mut mixed = self.salt ^ name.sequence.rotate_left(32);
        // The finaliser of SplitMix64: every bit of the result hangs on every bit of both.
        for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(factor);
        }
        mixed ^ (mixed >> 31)
    }

    fn write_group(&mut self, spot: Spot, now: Instant) {
        let Some(active) = self.writer.active else {
            return;
        };
        let header = SegmentHeader {
            name: active.name,
            salt: spot.salt,
            created: active.created,
        };
        let header = (spot.offset == 0).then_some(&header);
        let (group, pieces) = Group::form(spot, header, &mut self.writer.waiting);
        let waiting = self.writer.waiting.iter();
        self.writer.waiting_bytes = waiting.map(Pending::needs).sum();
        self.set_bytes(active.name, group.end());
        self.give(
            Op::Write {
                segment: active.name,
                offset: group.offset,
                bytes: length(group.bytes),
                pieces,
            },
            Task::Write(active.name, now),
        );
        let is_new = group.offset == 0;
        if is_new {
            self.give(Op::SyncDirectory, Task::SyncNames(active.name));
        }
        self.writer.step = Step::Writing {
            group,
            syncs_left: 1 + u32::from(is_new),
        };
    }

    /// An operation of the writer has ended.
    pub(super) fn written(&mut self, task: &Task, error: Option<DiskError>, now: Instant) {
        match (task, error) {
            (Task::Seal(name), error) => self.sealed(*name, error.is_none()),
            // Of a segment that was given up, the rest of what was under way does not matter.
            (Task::Create(name) | Task::Write(name, _) | Task::SyncNames(name), _)
                if self.writer.active() != Some(*name) => {}
            (Task::Create(name), Some(error)) if error.kind == ErrorKind::AlreadyExists => {
                // It is not this process's: it is not removed.
                self.segments.remove(name);
                self.break_down(error, now);
            }
            (_, Some(error)) => self.break_down(error, now),
            (task, None) => self.go_on(task, now),
        }
    }

    fn go_on(&mut self, task: &Task, now: Instant) {
        // Where it is made, the first group can go.
        if let Step::Writing { group, syncs_left } = std::mem::take(&mut self.writer.step) {
            if let Task::Write(_, since) = task {
                self.events.push_back(Event::Synced {
                    took: now.saturating_duration_since(*since),
                    bytes: group.bytes,
                });
            }
            match syncs_left.checked_sub(1) {
                Some(left @ 1..) => {
                    self.writer.step = Step::Writing {
                        group,
                        syncs_left: left,
                    };
                }
                _ => self.stored(group),
            }
        }
    }

    /// A group is on disk.
    fn stored(&mut self, group: Group) {
        self.writer.trouble = None;
        let Some(active) = &mut self.writer.active else {
            return;
        };
        active.end = group.end();
        let name = active.name;
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        for (ticket, entry) in group.records {
            let place = Place {
                segment: name,
                ordinal: entry.ordinal,
            };
            segment.add(&entry);
            segment.hold(entry.signal.index(), entry.items);
            segment.index.get_or_insert_default().push(entry);
            self.held.insert(place, Held::of(&entry));
            self.events.push_back(Event::Stored(ticket, place));
        }
    }

    /// The disk does not take what was to be written: nothing of it is acknowledged, the segment is
    /// not written any more, and after a while another one is tried.
    fn break_down(&mut self, error: DiskError, now: Instant) {
        if let Step::Writing { group, .. } = std::mem::take(&mut self.writer.step) {
            if let Some(active) = self.writer.active {
                let ordinals = group.records.iter().map(|(_, entry)| entry.ordinal);
                self.mark_failed(active.name, ordinals);
            }
            let failed = group.records.into_iter();
            let failed = failed.map(|(ticket, _)| Event::Failed(ticket, error.clone()));
            self.events.extend(failed);
        }
        for pending in self.writer.waiting.drain(..) {
            let failed = Event::Failed(pending.ticket, error.clone());
            self.events.push_back(failed);
        }
        self.writer.waiting_bytes = 0;
        if let Some(active) = self.writer.active.take() {
            // A group that was not synced whole is not read, though it may lie there.
            self.abandon(active.name, active.end);
        }
        let before = self.writer.trouble.take();
        self.writer.trouble = Some(Trouble::after(before, error, now));
    }

    /// Room for what waits cannot be made: what was condemned cannot be removed.
    pub(super) fn break_down_for_room(&mut self, error: DiskError, now: Instant) {
        if !self.writer.waiting.is_empty() && matches!(self.writer.step, Step::Idle) {
            self.break_down(error, now);
        }
    }

    /// The segment stays without an index.
    fn abandon(&mut self, name: SegmentName, end: u64) {
        let is_replayed = self.replayer.reads(name);
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        segment.kind = Kind::Unsealed { end };
        if !is_replayed {
            segment.index = None;
        }
        if segment.left == 0 {
            self.condemn(name);
        } else {
            self.give(Op::Close { segment: name }, Task::Close(name));
        }
    }

    /// Writes no more to the active segment: seals it, or removes it where nothing is left in it.
    pub(super) fn retire(&mut self) {
        let Some(active) = self.writer.active.take() else {
            return;
        };
        let name = active.name;
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        if segment.left == 0 {
            segment.kind = Kind::Unsealed { end: active.end };
            self.condemn(name);
            return;
        }
        let entries = segment.index.as_deref().unwrap_or_default();
        let mut summary = Summary::default();
        entries.iter().for_each(|entry| summary.add(entry));
        let trailer = Trailer {
            name,
            salt: segment.salt,
            index_offset: active.end,
            summary,
        };
        let index = Entry::encode_index(entries, &trailer);
        segment.kind = Kind::Sealing { end: active.end };
        self.set_bytes(name, trailer.segment_bytes());
        self.give(
            Op::Write {
                segment: name,
                offset: active.end,
                bytes: index.len(),
                pieces: vec![Bytes::from(index)],
            },
            Task::Seal(name),
        );
    }

    fn sealed(&mut self, name: SegmentName, is_sealed: bool) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        if let Kind::Sealing { end } = segment.kind {
            segment.kind = match is_sealed {
                true => Kind::Sealed { index: end },
                // What was stored in it is safe: it is only slower to read.
                false => Kind::Unsealed { end },
            };
        }
        if !self.replayer.reads(name) {
            segment.index = None;
        }
        if !segment.is_condemned {
            self.give(Op::Close { segment: name }, Task::Close(name));
        }
    }
}
