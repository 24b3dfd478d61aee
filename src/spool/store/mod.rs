//! The machine: appends in, operations out, events back.

mod attempt;
mod marks;
mod recover;
mod replay;
mod room;
mod task;
mod write;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use self::{
    recover::Recovery,
    replay::Replayer,
    room::{Held, Removal},
    task::Task,
    write::Writer,
};
use super::{
    DiskError, Done, Event, FoundSegment, Op, OpId, Place, Record, Refused, SegmentName, Settings,
    State, Status, Ticket, UnixClock,
    backoff::Trouble,
    segment::{Kind, Segment},
};

/// How often marks are written, and ages are looked at.
const SECOND: Duration = Duration::from_secs(1);

/// The spool of one shard.
#[derive(Debug)]
pub struct Spool {
    settings: Settings,
    shard: u32,
    /// Salts are drawn from this.
    salt: u64,
    /// The same moment on both clocks.
    clock: UnixClock,
    segments: BTreeMap<SegmentName, Segment>,
    last_sequence: u64,
    /// The length of all files.
    bytes: u64,
    held: BTreeMap<Place, Held>,
    writer: Writer,
    recovery: Recovery,
    replayer: Replayer,
    removal: Removal,
    /// When marks are written and ages looked at next.
    next_second: Instant,
    ticked_at: Instant,
    ready: VecDeque<(OpId, Op)>,
    under_way: BTreeMap<OpId, Task>,
    next_id: u64,
    events: VecDeque<Event>,
    damaged: u64,
    /// Operations that ended well: whether the disk lives at all.
    successes: u64,
    wants_probe: bool,
    has_told_broken: bool,
    is_closing: bool,
}

impl Spool {
    /// A spool over what was found in the directory, of which it looks at the trailers first.
    ///
    /// `salt` is a random number of this run: checksums are seeded with it, so that nobody can make
    /// a body that is taken for a record. `now` and `unix_nanos` are the same moment.
    #[must_use]
    pub fn new(
        settings: Settings,
        shard: u32,
        salt: u64,
        found: &[FoundSegment],
        now: Instant,
        unix_nanos: u64,
    ) -> Self {
        let segments: BTreeMap<_, _> = found
            .iter()
            .map(|it| (it.name, Segment::new(Kind::Unknown, 0, it.bytes)))
            .collect();
        Self {
            settings: Settings {
                // Room is made segment by segment, so there have to be some.
                segment_bytes: settings.segment_bytes.min(settings.bytes_max / 4),
                ..settings
            },
            shard,
            salt,
            clock: UnixClock::new(now, unix_nanos),
            last_sequence: found.iter().map(|it| it.name.sequence).max().unwrap_or(0),
            bytes: found.iter().map(|it| it.bytes).sum(),
            recovery: Recovery::new(found, settings.order),
            segments,
            held: BTreeMap::new(),
            writer: Writer::default(),
            replayer: Replayer::default(),
            removal: Removal::default(),
            next_second: now + SECOND,
            ticked_at: now,
            ready: VecDeque::new(),
            under_way: BTreeMap::new(),
            next_id: 0,
            events: VecDeque::new(),
            damaged: 0,
            successes: 0,
            wants_probe: false,
            has_told_broken: false,
            is_closing: false,
        }
    }

    /// Takes a record. [`Event::Stored`] or [`Event::Failed`] follows with the ticket.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. The record is dropped.
    pub fn append(&mut self, record: Record, now: Instant) -> Result<Ticket, Refused> {
        self.take(record, now)
    }

    /// The next operation to perform; `None` where nothing is to be done until something else
    /// happens. To be asked after every other call.
    pub fn next_op(&mut self, now: Instant) -> Option<(OpId, Op)> {
        if self.ready.is_empty() {
            self.work_writer(now);
            self.work_recovery(now);
            self.work_replay(now);
            self.work_marks();
            self.work_removal(now);
            self.work_probe();
        }
        self.ready.pop_front()
    }

    /// An operation has ended.
    pub fn done(&mut self, op: OpId, result: Result<Done, DiskError>, now: Instant) {
        let Some(task) = self.under_way.remove(&op) else {
            return;
        };
        if let Some(segment) = task.segment().and_then(|it| self.segments.get_mut(&it)) {
            segment.busy = segment.busy.saturating_sub(1);
        }
        if result.is_ok() {
            self.successes += 1;
        }
        let bytes = result.map(|done| match done {
            Done::Nothing => bytes::Bytes::new(),
            Done::Bytes(bytes) => bytes,
        });
        self.ended(task, bytes, now);
        self.tell_state();
    }

    fn ended(&mut self, task: Task, result: Result<bytes::Bytes, DiskError>, now: Instant) {
        match task {
            Task::Create(_) | Task::Write(..) | Task::SyncNames(_) | Task::Seal(_) => {
                self.written(&task, result.err(), now);
            }
            Task::Look(look) => self.looked(look, result, now),
            Task::Replay(read) => self.replay_read(*read, result, now),
            Task::Marks(name) => self.marked(name, result.is_ok()),
            Task::Remove(name) => self.removed(name, result.err(), now),
            // What a probe shows is whether it ended well; a file that was not closed well is
            // opened anew where it is needed.
            Task::Probe | Task::Close(_) => {}
        }
    }

    /// What has happened, in order.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`tick`](Self::tick) is to be called next; `None` where no time matters.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        let second = (self.has_marks_to_write() || !self.settings.age_max.is_zero())
            .then_some(self.next_second);
        let mended = self.writer.trouble.as_ref().map(|it| it.until);
        let times = [
            second.filter(|_| !self.segments.is_empty()),
            mended.filter(|_| !self.is_closing),
            self.writer.pauses_until(),
            self.removal.next_at(),
        ];
        // One that has passed must not hide one that is to come.
        let times = times.into_iter().flatten().chain(self.recovery.times());
        let times = times.chain(self.replayer.times());
        times.filter(|at| *at > self.ticked_at).min()
    }

    /// Time has passed: what was put off until now follows from [`next_op`](Self::next_op).
    pub fn tick(&mut self, now: Instant) {
        self.ticked_at = now;
        if now >= self.next_second {
            self.next_second = now + SECOND;
            self.removal.marks_are_due = true;
            self.expire(now);
        }
    }

    /// The record needs no replay any more. Harmless for a place that is not held.
    pub fn settle(&mut self, place: Place) {
        let Some(held) = self.held.remove(&place) else {
            return;
        };
        let Some(segment) = self.segments.get_mut(&place.segment) else {
            return;
        };
        if held.gone.is_none() {
            segment.let_go(held.signal, held.items);
            segment.settle(place.ordinal, held.signal, held.items);
            self.removal.dirty.insert(place.segment);
            self.condemn_if_settled(place.segment);
        }
    }

    /// The record was not delivered, and whoever held its place forgets it: it is replayed later.
    pub fn release(&mut self, place: Place) {
        let Some(held) = self.held.remove(&place) else {
            return;
        };
        if let Some(why) = held.gone {
            let mut items = [0; 4];
            if let Some(slot) = items.get_mut(held.signal) {
                *slot = held.items;
            }
            self.events.push_back(Event::Dropped {
                records: 1,
                items,
                why,
            });
        } else if let Some(segment) = self.segments.get_mut(&place.segment) {
            segment.let_go(held.signal, held.items);
            self.replayer.look_again(place.segment);
        }
    }

    /// Begins to read what is next in the configured order: records of at most `bytes_max` bytes of
    /// body, or one that is larger, of the signals whose place in `signals` says so (by
    /// [`Signal::index`](crate::signal::Signal::index)). [`Event::Replayed`] ends it.
    ///
    /// False when nothing is to be replayed, when a replay is under way, or when reading has failed
    /// just now.
    pub fn replay(&mut self, bytes_max: usize, signals: [bool; 4], now: Instant) -> bool {
        self.begin_replay(bytes_max, signals, now)
    }

    /// Takes nothing more; what was taken is still stored, then marks are written and the last
    /// segment is sealed.
    pub fn close(&mut self) {
        if !self.is_closing {
            self.is_closing = true;
            self.removal.try_once_more();
        }
    }

    /// Whether everything is done after [`close`](Self::close).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closing
            && self.writer.is_idle()
            && self.ready.is_empty()
            && self.under_way.is_empty()
            && !self.has_marks_to_write()
            && self.removal.has_tried_all()
    }

    /// Bytes on disk.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How it is.
    ///
    /// - Cost: a look at each segment.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut items = [0_u64; 4];
        let mut records = 0;
        for segment in self.segments.values() {
            records += u64::from(segment.left);
            for (sum, more) in items.iter_mut().zip(segment.items) {
                *sum = sum.saturating_add(more);
            }
        }
        let waiting = self.segments.values().filter(|it| it.left > 0);
        Status {
            bytes: self.bytes,
            records,
            items,
            oldest_unix_nanos: waiting.map(|it| it.oldest).min(),
            damaged: self.damaged,
            segments: self.segments.len(),
            state: match self.trouble() {
                None => State::Working,
                Some(trouble) => State::Broken {
                    error: trouble.error.clone(),
                    since: trouble.since,
                },
            },
            recovering: self.recovery.is_under_way(),
        }
    }

    fn trouble(&self) -> Option<&Trouble> {
        let of_reading = self.replayer.trouble.as_ref();
        self.writer.trouble.as_ref().or(of_reading)
    }

    /// Tells once that the disk fails, and once that it works again.
    fn tell_state(&mut self) {
        let error = self.trouble().map(|it| it.error.clone());
        if error.is_some() == self.has_told_broken {
            return;
        }
        self.has_told_broken = error.is_some();
        self.events.push_back(match error {
            Some(error) => Event::BecameBroken(error),
            None => Event::Mended,
        });
    }

    /// Gives an operation out.
    fn give(&mut self, op: Op, task: Task) {
        if let Some(segment) = op.segment().and_then(|it| self.segments.get_mut(&it)) {
            segment.busy += 1;
        }
        let id = OpId(self.next_id);
        self.next_id += 1;
        self.under_way.insert(id, task);
        self.ready.push_back((id, op));
    }

    /// Asks the disk for a sign of life, where a part of it cannot be read.
    fn work_probe(&mut self) {
        if self.wants_probe && self.ready.is_empty() {
            self.wants_probe = false;
            self.give(Op::SyncDirectory, Task::Probe);
        }
    }

    /// Whether what was taken at this time is too old now.
    fn is_expired(&self, at: u64, now: Instant) -> bool {
        let age_max = u64::try_from(self.settings.age_max.as_nanos()).unwrap_or(u64::MAX);
        age_max > 0 && at.saturating_add(age_max) < self.clock.nanos(now)
    }
}
