//! The machine: appends in, operations out, events back.

use std::time::Instant;

use super::{
    DiskError, Done, Event, FoundSegment, Op, OpId, Place, Record, Refused, Settings, State,
    Status, Ticket,
};

/// The spool of one shard.
#[derive(Debug)]
pub struct Spool {
    settings: Settings,
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
        let _ = (shard, salt, found, now, unix_nanos);
        Self { settings }
    }

    /// Takes a record. [`Event::Stored`] or [`Event::Failed`] follows with the ticket.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. The record is dropped.
    pub fn append(&mut self, record: Record, now: Instant) -> Result<Ticket, Refused> {
        drop((record, now));
        Err(Refused::Closed)
    }

    /// The next operation to perform; `None` where nothing is to be done until something else
    /// happens. To be asked after every other call.
    pub fn next_op(&mut self, now: Instant) -> Option<(OpId, Op)> {
        let _ = (now, self.settings);
        None
    }

    /// An operation has ended.
    pub fn done(&mut self, op: OpId, result: Result<Done, DiskError>, now: Instant) {
        drop((op, result, now));
    }

    /// What has happened, in order.
    pub fn next_event(&mut self) -> Option<Event> {
        None
    }

    /// When [`tick`](Self::tick) is to be called next; `None` where no time matters.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        None
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        let _ = now;
    }

    /// The record needs no replay any more. Harmless for a place that is not held.
    pub fn settle(&mut self, place: Place) {
        let _ = place;
    }

    /// The record was not delivered, and whoever held its place forgets it: it is replayed later.
    pub fn release(&mut self, place: Place) {
        let _ = place;
    }

    /// Begins to read what is next in the configured order: records of at most `bytes_max` bytes of
    /// body, or one that is larger. [`Event::Replayed`] ends it.
    ///
    /// False when nothing is to be replayed, when a replay is under way, or when reading has failed
    /// just now.
    pub fn replay(&mut self, bytes_max: usize, now: Instant) -> bool {
        let _ = (bytes_max, now);
        false
    }

    /// Whether [`replay`](Self::replay) would find something to read, as far as is known.
    #[must_use]
    pub fn has_replay(&self) -> bool {
        false
    }

    /// Takes nothing more; what was taken is still stored, then marks are written and the last
    /// segment is sealed.
    pub fn close(&mut self) {}

    /// Whether everything is done after [`close`](Self::close).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        true
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            bytes: 0,
            records: 0,
            items: [0; 4],
            oldest_unix_nanos: None,
            damaged: 0,
            segments: 0,
            state: State::Working,
            recovering: false,
        }
    }
}
