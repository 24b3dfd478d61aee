//! Random runs against a simple model: what was stored and not settled comes back, and every record
//! is accounted for.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        Event, OnFull, Place, ReplayOrder, Settings,
        sim::{Faults, Random},
    },
    rig::{Rig, settings},
};

/// Cases in a test run; `SPOOL_CASES` asks for more.
const CASES: u64 = 1_000;

/// Says which case it was where one fails.
struct Case(u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = format!("the case is SPOOL_SEED={} SPOOL_CASES=1\n", self.0);
            std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes())
                .unwrap_or_default();
        }
    }
}

/// What the model knows over all runs of a case.
struct Model {
    random: Random,
    next: u64,
    /// Stored and not settled, over all runs.
    owed: BTreeMap<u64, ()>,
    /// Records that were dropped, over all runs.
    dropped: u64,
    /// Held now, with their numbers.
    held: BTreeMap<Place, u64>,
    /// Of this run: stored, recovered, settled, dropped; records.
    account: [u64; 4],
    /// The same in items.
    items: [u64; 4],
    /// The disk was larger than it may be when this run began.
    bytes_at_start: u64,
}

impl Model {
    fn hear(&mut self, rig: &mut Rig) {
        rig.hear();
        for (number, place) in std::mem::take(&mut rig.stored) {
            self.account[0] += 1;
            self.items[0] += number % 7 + 1;
            self.owed.insert(number, ());
            assert_eq!(self.held.insert(place, number), None);
        }
        for (place, number) in std::mem::take(&mut rig.replayed) {
            assert!(number < self.next, "never appended");
            assert_eq!(self.held.insert(place, number), None, "it is held");
        }
        for event in rig.events.drain(..) {
            match event {
                Event::Recovered { records, items } => {
                    self.account[1] += records;
                    self.items[1] += items.iter().sum::<u64>();
                }
                Event::Dropped { records, items, .. } => {
                    self.account[3] += records;
                    self.items[3] += items.iter().sum::<u64>();
                    self.dropped += records;
                }
                _ => {}
            }
        }
        let bound = rig.settings.bytes_max.max(self.bytes_at_start);
        assert!(rig.disk.bytes() <= bound, "{} bytes", rig.disk.bytes());
        // What is held in a segment that was given up is nobody's until its holder says.
        let gone = |[stored, recovered, settled, dropped]: [u64; 4], left: u64| {
            (stored + recovered).checked_sub(settled + dropped + left)
        };
        let status = rig.spool.status();
        let records = gone(self.account, status.records);
        let items = gone(self.items, status.items.iter().sum());
        let held = self.held.len() as u64;
        assert!(
            records.is_some_and(|it| it <= held),
            "{:?} {status:?}",
            self.account
        );
        assert!(
            items.is_some_and(|it| it <= held * 7),
            "{:?} {status:?}",
            self.items
        );
        if held == 0 {
            assert_eq!((records, items), (Some(0), Some(0)));
        }
    }

    fn let_go(&mut self, rig: &mut Rig, which: usize, settles: bool) {
        let Some((place, number)) = self.held.iter().nth(which).map(|(a, b)| (*a, *b)) else {
            return;
        };
        self.held.remove(&place);
        if settles {
            rig.spool.settle(place);
            self.account[2] += 1;
            self.items[2] += number % 7 + 1;
            self.owed.remove(&number);
        } else {
            rig.spool.release(place);
        }
    }

    fn step(&mut self, rig: &mut Rig) {
        match self.random.below(20) {
            0..=5 => {
                let bytes = [40, 500, 3_000, 9_000, 40_000][self.random.below(5)];
                if rig.append(self.next, bytes).is_ok() {
                    self.next += 1;
                }
            }
            6..=12 => {
                rig.ask();
                if !rig.given.is_empty() {
                    rig.perform(self.random.below(rig.given.len()));
                }
            }
            13 => rig.run(),
            14 | 15 => {
                for _ in 0..self.random.below(4) {
                    let which = self.random.below(self.held.len());
                    let settles = self.random.chance(700);
                    self.let_go(rig, which, settles);
                }
            }
            16 | 17 => {
                let bytes_max = self.random.below(20_000);
                let signals = [(); 4].map(|()| self.random.chance(700));
                rig.spool.replay(bytes_max, signals, rig.now);
            }
            _ => {
                let millis = [1, 100, 1_000, 2_000, 31_000][self.random.below(5)];
                rig.pass(Duration::from_millis(millis));
            }
        }
        self.hear(rig);
    }

    fn restart(&mut self, rig: &mut Rig, kind: usize) {
        match kind {
            // Told to end, with time for it.
            0 => {
                rig.disk.faults = Faults::default();
                rig.disk.capacity = u64::MAX;
                rig.spool.close();
                rig.run();
                self.hear(rig);
                assert!(rig.spool.is_closed());
            }
            // Killed.
            1 => {}
            // The power is cut.
            _ => rig.disk.crash(),
        }
        // What was held in a segment that was dropped was in its holder's memory alone.
        let [stored, recovered, settled, dropped] = self.account;
        let left = rig.spool.status().records;
        self.dropped += stored + recovered - settled - dropped - left;
        let faults = rig.disk.faults;
        *rig = rig.restarted(rig.disk.clone());
        rig.disk.faults = faults;
        self.held.clear();
        self.account = [0; 4];
        self.items = [0; 4];
        self.bytes_at_start = rig.disk.bytes();
    }

    /// Everything works again: all that is owed comes.
    fn finish(&mut self, rig: &mut Rig) {
        rig.disk.faults = Faults::default();
        rig.disk.capacity = u64::MAX;
        let mut idle = 0;
        while idle < 40 {
            rig.run();
            self.hear(rig);
            idle = if self.held.is_empty() { idle + 1 } else { 0 };
            while !self.held.is_empty() {
                self.let_go(rig, 0, true);
            }
            if !rig.spool.replay(1 << 20, [true; 4], rig.now) {
                rig.pass(Duration::from_secs(1));
            }
        }
        assert_eq!(rig.spool.status().records, 0, "{:?}", rig.spool.status());
        assert!(
            self.owed.len() as u64 <= self.dropped,
            "lost {:?} and dropped {}",
            self.owed,
            self.dropped
        );
        rig.spool.close();
        rig.run();
        self.hear(rig);
        assert!(rig.spool.is_closed());
        // One that was made and could not be removed at once is left to the next start.
        let found = rig.disk.found();
        assert!(found.iter().all(|it| it.bytes == 0), "{found:?}");
    }
}

fn drawn_settings(random: &mut Random) -> Settings {
    let mut drawn = settings();
    drawn.segment_bytes = [20_000, 64 << 10, 300_000][random.below(3)];
    if random.chance(500) {
        drawn.bytes_max = [200_000, 500_000][random.below(2)];
    }
    if random.chance(500) {
        drawn.on_full = OnFull::DropOldest;
    }
    if random.chance(300) {
        drawn.age_max = Duration::from_secs(40);
    }
    if random.chance(500) {
        drawn.order = ReplayOrder::NewestFirst;
    }
    drawn
}

fn drawn_faults(random: &mut Random) -> Faults {
    let mut often = || [0, 0, 20, 200][random.below(4)];
    let (create, write, sync) = (often(), often(), often());
    let (read, remove, marks) = (often(), often(), often());
    Faults {
        create,
        write,
        sync,
        read,
        remove,
        marks,
        is_gone: random.chance(100),
        is_read_only: random.chance(100),
    }
}

fn case(seed: u64) {
    let _said_if_it_fails = Case(seed);
    let mut random = Random::new(seed);
    let mut rig = Rig::new(drawn_settings(&mut random), seed);
    let has_faults = random.chance(600);
    let mut model = Model {
        random,
        next: 0,
        owed: BTreeMap::new(),
        dropped: 0,
        held: BTreeMap::new(),
        account: [0; 4],
        items: [0; 4],
        bytes_at_start: 0,
    };
    for _ in 0..200 {
        model.step(&mut rig);
        if model.random.chance(20) {
            let kind = model.random.below(3);
            model.restart(&mut rig, kind);
        }
        if has_faults && model.random.chance(50) {
            rig.disk.faults = match model.random.chance(500) {
                true => drawn_faults(&mut model.random),
                false => Faults::default(),
            };
            rig.disk.capacity = match model.random.chance(200) {
                true => rig.disk.bytes() + 50_000,
                false => u64::MAX,
            };
        }
    }
    model.finish(&mut rig);
}

#[test]
fn what_was_stored_comes_back_and_every_record_is_accounted_for() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let first = number("SPOOL_SEED").unwrap_or(1);
    let cases = number("SPOOL_CASES").unwrap_or(CASES);
    for seed in first..first + cases {
        case(seed);
    }
}
