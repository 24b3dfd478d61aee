//! Stops and starts: a process on the disk of the one before.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use otlp::{
    batch::Budget,
    delivery::{Delivery, Lent, LentSpool, ReplayRate},
    jitter::Jitter,
    metrics::{CollectorName, Role, ShardMetrics},
    signal::Signal,
    spool::{
        Spool,
        sim::{Disk, Random},
    },
};

use super::{Event, Phase, World};
use crate::{
    laws::Watched,
    plan::{Plan, between},
};

const UNIX: u64 = 1_700_000_000_000_000_000;

/// How long a process that is told to stop may take.
const DRAIN: Duration = Duration::from_secs(10);

/// How far a process that was told to stop has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stopping {
    Draining(Instant),
    Closing(Instant),
}

impl Stopping {
    /// When it was told.
    pub(crate) fn began(self) -> Instant {
        let (Self::Draining(until) | Self::Closing(until)) = self;
        until - DRAIN
    }
}

impl World {
    /// The process is told to stop, or dies.
    pub(super) fn stops(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let how = self.random.below(3);
        self.tell(&["a stop", "a kill", "a power cut"][how]);
        match how {
            0 => {
                self.stopping = Some(Stopping::Draining(self.now + DRAIN));
                self.delivery.drain(self.now);
                self.pump();
                self.flush_soon();
            }
            1 => self.is_killed(),
            _ => {
                self.dies();
                self.disk.crash();
                // Marks are not synced.
                self.starts(!self.plan.disk_fails());
            }
        }
    }

    pub(super) fn goes_on_stopping(&mut self) {
        match self.stopping {
            Some(Stopping::Draining(until)) if self.delivery.is_empty() => {
                for (id, outcome) in self.books.answers() {
                    self.law_of_answers(id, &outcome);
                }
                self.law_of_rest();
                self.stopping = Some(Stopping::Closing(until));
                self.delivery.close();
                self.pump();
                self.flush_soon();
                self.goes_on_stopping();
            }
            Some(Stopping::Closing(_)) if self.delivery.is_closed() => {
                self.law_of_a_clean_stop();
                let has_marked = self.disk_is_well();
                // Marks may not have been written, or not be read.
                self.ends(false, !self.plan.disk_fails());
                self.disk.restart();
                self.starts(has_marked);
            }
            Some(Stopping::Draining(until) | Stopping::Closing(until)) if self.now >= until => {
                self.is_killed();
            }
            _ => {}
        }
    }

    fn is_killed(&mut self) {
        self.dies();
        self.disk.restart();
        self.starts(self.has_marked());
    }

    /// What the process had in memory is gone; what was under way may have come to its end.
    fn dies(&mut self) {
        for (id, outcome) in self.books.answers() {
            self.law_of_answers(id, &outcome);
        }
        // What the disk has given up for newer data, and memory has still, is lost without a count.
        self.ends(self.plan.may_drop(), false);
    }

    pub(super) fn ends(&mut self, holds_acknowledged: bool, remembers: bool) {
        for (_, event) in std::mem::take(&mut self.events) {
            match event {
                Event::Answers(sent) if self.random.chance(500) => {
                    let ids = sent.ids.iter();
                    ids.for_each(|id| self.books.get(*id).has_arrived = true);
                }
                Event::Disk(_, op) => match self.random.below(3) {
                    0 => drop(self.disk.perform(&op)),
                    1 => self.disk.perform_half(&op),
                    _ => {}
                },
                _ => {}
            }
        }
        self.books.process_ended(holds_acknowledged, remembers);
        for signal in Signal::ALL {
            self.dropped[signal.index()] += self.metrics.account(signal).dropped;
        }
        self.stopping = None;
    }

    /// Another process on the same disk, a moment later. Whether the one before `has_marked` all
    /// that had failed.
    pub(super) fn starts(&mut self, has_marked: bool) {
        if has_marked {
            self.law_of_marks();
        }
        self.counts_records();
        self.now += between(&mut self.random, 1, 3000);
        self.metrics = counters(&self.plan);
        let budget = Budget::new(self.plan.memory, |_| {});
        self.tell(&("starts", self.disk.found().len()));
        self.delivery = process(
            &self.plan,
            &self.metrics,
            &budget,
            &self.disk,
            &mut self.random,
            self.now,
            self.start,
        );
        assert_eq!(self.budget.used(), 0, "memory that nobody gives back");
        self.budget = budget;
        self.watched = watched(&self.plan);
        self.flush_at = None;
        self.ticked_at = self.now;
        self.after(Duration::ZERO, Event::Arrives);
        if self.phase == Phase::Faults {
            (0..self.moods.len()).for_each(|collector| self.changes_later(collector));
            self.after(Duration::from_millis(1), Event::DiskChanges);
            if self.random.chance(400) {
                let at = between(&mut self.random, 1, self.plan.pause * 1000);
                self.after(at, Event::Stops);
            }
        }
        self.pump();
        self.wakes();
    }
}

pub(super) fn counters(plan: &Plan) -> Arc<ShardMetrics> {
    let export = &plan.config.export;
    let names: Vec<_> = export
        .collectors()
        .iter()
        .map(|endpoint| CollectorName {
            name: endpoint.authority(),
            role: Role::Primary,
        })
        .collect();
    ShardMetrics::with_collectors(0, &names, SystemTime::UNIX_EPOCH)
}

pub(super) fn watched(plan: &Plan) -> Vec<Watched> {
    let collectors = plan.config.export.collectors().into_iter();
    collectors
        .map(|endpoint| Watched::new(&plan.config, endpoint))
        .collect()
}

pub(super) fn process(
    plan: &Plan,
    metrics: &Arc<ShardMetrics>,
    budget: &Rc<Budget>,
    disk: &Disk,
    random: &mut Random,
    now: Instant,
    start: Instant,
) -> Delivery {
    let unix = UNIX + u64::try_from(now.duration_since(start).as_nanos()).unwrap();
    let spool = plan.spool.map(|settings| {
        let spool = Spool::new(settings, 0, random.number(), &disk.found(), now, unix);
        LentSpool {
            spool,
            bytes_max: settings.bytes_max,
            replay_rate: Arc::new(ReplayRate::new(plan.config.spool.replay_rate, now)),
        }
    });
    let lent = Lent {
        metrics: Arc::clone(metrics),
        budget: Rc::clone(budget),
        jitter: Jitter::new(random.number()),
        spool,
    };
    Delivery::new(&plan.config, lent, now, unix)
}
