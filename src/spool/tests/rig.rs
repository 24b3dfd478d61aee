//! A spool on a simulated disk, with its clock.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::super::{
    DiskError, Event, OnFull, Op, OpId, Place, Record, Refused, ReplayOrder, Settings, Spool,
    Ticket,
    sim::{Disk, Random},
};
use crate::{encoding::Encoding, signal::Signal};

pub const UNIX: u64 = 1_700_000_000_000_000_000;

/// What a record is known by in these tests: its number, which is in its body and its items.
pub fn record(number: u64, bytes: usize, at: u64) -> Record {
    let mut random = Random::new(number);
    let kind = usize::try_from(number).unwrap();
    let mut body = number.to_le_bytes().to_vec();
    while body.len() < bytes {
        body.extend_from_slice(&random.number().to_le_bytes());
    }
    body.truncate(bytes.max(8));
    let cut = body.len() / 3;
    let bytes = body.len();
    let body = Bytes::from(body);
    Record {
        signal: Signal::ALL[kind % 4],
        encoding: Encoding::ALL[kind % 3],
        items: number % 7 + 1,
        at,
        headers: Bytes::from(vec![b'h'; kind % 3 * 5]),
        body: vec![body.slice(..cut), body.slice(cut..)],
        bytes,
    }
}

/// The number of a replayed record, after a check that it is that record unchanged.
pub fn number(found: &Record) -> u64 {
    let body = found.body.concat();
    let number = u64::from_le_bytes(body[..8].try_into().unwrap());
    let expected = record(number, body.len(), found.at);
    assert_eq!(body, expected.body.concat(), "body of {number}");
    assert_eq!(found.headers, expected.headers);
    assert_eq!(
        (found.signal, found.encoding, found.items, found.bytes),
        (
            expected.signal,
            expected.encoding,
            expected.items,
            body.len()
        )
    );
    number
}

pub fn settings() -> Settings {
    Settings {
        bytes_max: 1 << 40,
        age_max: Duration::ZERO,
        on_full: OnFull::Refuse,
        segment_bytes: 64 << 10,
        order: ReplayOrder::OldestFirst,
        commit_delay: Duration::ZERO,
    }
}

/// A spool, its disk, and what it has said.
pub struct Rig {
    pub settings: Settings,
    pub spool: Spool,
    pub disk: Disk,
    pub now: Instant,
    start: Instant,
    salt: u64,
    pub given: VecDeque<(OpId, Op)>,
    pub tickets: BTreeMap<Ticket, u64>,
    /// Records that are stored, by number.
    pub stored: BTreeMap<u64, Place>,
    pub failed: Vec<(u64, DiskError)>,
    pub replayed: Vec<(Place, u64)>,
    /// Replays that ended.
    pub replays: u32,
    pub events: Vec<Event>,
}

impl Rig {
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self::over(settings, Disk::new(seed), crate::rt::now(), seed)
    }

    fn over(settings: Settings, disk: Disk, start: Instant, salt: u64) -> Self {
        Self {
            settings,
            spool: Spool::new(settings, 0, salt, &disk.found(), start, UNIX),
            disk,
            now: start,
            start,
            salt,
            given: VecDeque::new(),
            tickets: BTreeMap::new(),
            stored: BTreeMap::new(),
            failed: Vec::new(),
            replayed: Vec::new(),
            replays: 0,
            events: Vec::new(),
        }
    }

    pub fn unix(&self) -> u64 {
        UNIX + u64::try_from((self.now - self.start).as_nanos()).unwrap()
    }

    pub fn append(&mut self, number: u64, bytes: usize) -> Result<(), Refused> {
        let record = record(number, bytes, self.unix());
        let ticket = self.spool.append(record, self.now)?;
        self.tickets.insert(ticket, number);
        Ok(())
    }

    /// Takes the operations that the spool gives.
    pub fn ask(&mut self) {
        while let Some(op) = self.spool.next_op(self.now) {
            self.given.push_back(op);
        }
    }

    /// Performs one of the given operations.
    pub fn perform(&mut self, which: usize) {
        let (id, op) = self.given.remove(which).unwrap();
        let result = self.disk.perform(&op);
        if let Err(error) = &result {
            assert_ne!(
                error.kind,
                std::io::ErrorKind::InvalidInput,
                "{op:?}: {error}"
            );
        }
        self.spool.done(id, result, self.now);
        self.hear();
        self.ask();
    }

    /// One of the given operations fails, and the error is what this returns.
    pub fn fail(&mut self, which: usize) -> DiskError {
        let (id, _) = self.given.remove(which).unwrap();
        let error = DiskError {
            kind: std::io::ErrorKind::Other,
            text: "as the test wants it".to_owned(),
        };
        self.spool.done(id, Err(error.clone()), self.now);
        self.hear();
        self.ask();
        error
    }

    /// Performs what is given until nothing is.
    pub fn run(&mut self) {
        self.ask();
        let mut turns = 0;
        while !self.given.is_empty() {
            self.perform(0);
            turns += 1;
            assert!(turns < 100_000, "the spool never rests: {:?}", self.given);
        }
        self.hear();
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.spool.tick(self.now);
        self.ask();
        self.hear();
    }

    pub fn hear(&mut self) {
        while let Some(event) = self.spool.next_event() {
            match &event {
                Event::Stored(ticket, place) => {
                    let number = self.tickets.remove(ticket).expect("a ticket once");
                    assert!(self.stored.insert(number, *place).is_none());
                }
                Event::Failed(ticket, error) => {
                    let number = self.tickets.remove(ticket).expect("a ticket once");
                    self.failed.push((number, error.clone()));
                }
                Event::Replayed(records) => {
                    self.replays += 1;
                    let records = records.iter().map(|(place, it)| (*place, number(it)));
                    self.replayed.extend(records);
                }
                _ => {}
            }
            if !matches!(event, Event::Replayed(_)) {
                self.events.push(event);
            }
        }
    }

    /// Another process starts over the disk as it is.
    pub fn restarted(&self, mut disk: Disk) -> Self {
        disk.restart();
        // A second later, as a restart is.
        let start = self.now + Duration::from_secs(1);
        let mut new = Self::over(self.settings, disk, start, self.salt + 1);
        new.start = self.start;
        new.spool = Spool::new(
            new.settings,
            0,
            new.salt,
            &new.disk.found(),
            new.now,
            new.unix(),
        );
        new
    }

    /// Replays all that can be, and settles it; in order.
    pub fn replay_all(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        self.run();
        while self.spool.replay(16 << 10, [true; 4], self.now) {
            self.run();
            for (place, number) in std::mem::take(&mut self.replayed) {
                self.spool.settle(place);
                all.push(number);
            }
        }
        self.run();
        all
    }
}
