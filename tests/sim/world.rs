//! The clock, and the driver of the deliveries: a twin of the shard's, event by event.

mod lives;
mod moods;
mod traffic;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use otlp::{
    batch::Budget,
    delivery::{Action, Delivery},
    headers::HeaderSets,
    metrics::ShardMetrics,
    signal::Signal,
    spool::{
        Op, OpId,
        sim::{Disk, Random},
    },
};

pub(crate) use self::lives::Stopping;
use self::lives::{counters, process, watched};
use crate::{
    books::Books,
    laws::{Watch, Watched},
    network::Mood,
    plan::{Plan, between},
};

/// Actions at one moment, and events: beyond them the deliveries turn in a circle.
const AT_ONCE_MAX: usize = 20_000;

/// How long the deliveries have to find back to calm after the faults, in virtual time.
const RECOVERY: Duration = Duration::from_secs(120);

/// How long what is left may take after that.
const REST: Duration = Duration::from_secs(900);

#[derive(Debug)]
enum Event {
    Arrives,
    Goes(u64),
    Answers(Sent),
    Probed(usize),
    Disk(OpId, Op),
    Changes(usize),
    DiskChanges,
    Stops,
}

/// A message under way.
#[derive(Debug)]
struct Sent {
    attempt: usize,
    collector: usize,
    items: u64,
    ids: Vec<u64>,
    is_late: bool,
    watch: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Faults,
    Recovery,
    Rest,
}

#[derive(Debug)]
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) books: Books,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) budget: Rc<Budget>,
    pub(crate) header_sets: HeaderSets,
    pub(crate) disk: Disk,
    /// When the disk began to be as it is.
    pub(crate) disk_changed_at: Instant,
    pub(crate) disk_is_bad: bool,
    /// Items that earlier processes have dropped.
    pub(crate) dropped: [u64; 4],
    start: Instant,
    pub(crate) now: Instant,
    delivery: Delivery,
    moods: Vec<Mood>,
    watched: Vec<Watched>,
    events: BTreeMap<(Instant, u64), Event>,
    events_made: u64,
    /// The flusher runs then.
    flush_at: Option<Instant>,
    /// The time was told to the deliveries then.
    ticked_at: Instant,
    /// Times in a row that it was due at once.
    hurries: u32,
    /// The flusher sleeps until then.
    wake_at: Option<Instant>,
    /// When it is next looked whether deadlines are near, while anybody waits.
    sweep_at: Instant,
    phase: Phase,
    pub(crate) stopping: Option<Stopping>,
    at_once: usize,
    is_told: bool,
    pub(crate) steps: u64,
}

impl World {
    pub fn new(start: Instant, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(seed, &mut random);
        let collectors = plan.config.export.collectors().len();
        let disk = Disk::new(random.number());
        let now = start;
        let metrics = counters(&plan);
        let budget = Budget::new(plan.memory, |_| {});
        let delivery = process(&plan, &metrics, &budget, &disk, &mut random, now, start);
        let mut world = Self {
            watched: watched(&plan),
            moods: vec![Mood::Well; collectors],
            random,
            books: Books::default(),
            metrics,
            budget,
            header_sets: HeaderSets::new(usize::MAX),
            disk,
            disk_changed_at: now,
            disk_is_bad: false,
            dropped: [0; 4],
            start,
            now,
            delivery,
            events: BTreeMap::new(),
            events_made: 0,
            flush_at: None,
            ticked_at: start,
            hurries: 0,
            wake_at: None,
            sweep_at: start,
            phase: Phase::Faults,
            stopping: None,
            at_once: 0,
            is_told: std::env::var_os("SIM_TRACE").is_some(),
            steps: 0,
            plan,
        };
        if world.is_told {
            crate::print_line(&format!("{:#?}", world.plan));
        }
        world.after(Duration::ZERO, Event::Arrives);
        for collector in 0..collectors {
            world.changes_later(collector);
        }
        world.after(Duration::from_millis(1), Event::DiskChanges);
        for _ in 0..world.plan.stops {
            let at = between(&mut world.random, 1, world.plan.pause * 1000);
            world.after(at, Event::Stops);
        }
        world.pump();
        world.wakes();
        world
    }

    /// Lives through so many events with faults, then without any, to the end.
    pub fn run(&mut self, steps: u64) {
        while self.steps < steps {
            assert!(self.step(), "nothing happens any more");
        }
        self.faults_end();
        let recovered = self.now + RECOVERY;
        while self.now < recovered {
            assert!(self.step(), "nothing happens any more");
        }
        self.phase = Phase::Rest;
        let rested = self.now + REST;
        while !self.is_at_rest() {
            assert!(
                self.now < rested,
                "it does not come to rest: {:#?}",
                self.open()
            );
            assert!(self.step(), "it sleeps with work to do: {:#?}", self.open());
        }
        self.law_of_rest();
        self.law_of_recovery();
        self.delivery.drain(self.now);
        self.pump();
        assert!(self.delivery.is_empty(), "a drain finds something");
        self.delivery.close();
        self.pump();
        self.flush_soon();
        while !self.delivery.is_closed() {
            assert!(self.now < rested && self.step(), "it does not close");
        }
        self.law_of_the_end();
        self.law_of_a_clean_stop();
        self.ends(false, true);
        self.disk.restart();
        self.starts(true);
        let seen = self.now + Duration::from_secs(10);
        while self.now < seen && self.step() {}
        self.law_of_a_clean_start();
    }

    fn is_at_rest(&self) -> bool {
        let is_settled = |signal| {
            let account = self.metrics.account(signal);
            account.waiting == 0 && account.stored == 0
        };
        self.stopping.is_none()
            && self.delivery.is_empty()
            && Signal::ALL.into_iter().all(is_settled)
    }

    fn open(&self) -> impl std::fmt::Debug {
        let accounts = Signal::ALL.map(|signal| self.metrics.account(signal));
        (
            accounts,
            self.books.waiting().to_vec(),
            self.delivery.batches(),
            self.wake_at
                .map(|at| at.saturating_duration_since(self.now)),
            self.events.len(),
            format!("{:?}", self.plan),
        )
    }

    /// What happens next; false where nothing does.
    fn step(&mut self) -> bool {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let someone_waits = !self.books.waiting().is_empty();
        let sweep_at = someone_waits.then_some(self.sweep_at.max(self.now));
        let Some(at) = [event, self.flush_at, self.wake_at, sweep_at]
            .into_iter()
            .flatten()
            .min()
        else {
            return false;
        };
        self.steps += 1;
        if at > self.now {
            self.now = at;
            self.at_once = 0;
        }
        self.at_once += 1;
        assert!(
            self.at_once < AT_ONCE_MAX,
            "the deliveries turn in a circle"
        );
        if self.flush_at.is_some_and(|at| at <= self.now)
            || self.wake_at.is_some_and(|at| at <= self.now)
        {
            self.flush();
        } else if sweep_at.is_some_and(|at| at <= self.now) {
            self.sweeps();
        } else if let Some((_, event)) = self.events.pop_first() {
            self.happens(event);
        }
        self.goes_on_stopping();
        for (id, outcome) in self.books.answers() {
            self.tell(&(id, &outcome));
            self.law_of_deadlines(id);
            self.law_of_answers(id, &outcome);
        }
        self.law_of_the_ledger();
        true
    }

    fn after(&mut self, time: Duration, event: Event) {
        self.events_made += 1;
        self.events
            .insert((self.now + time, self.events_made), event);
    }

    /// Says what happens, where a person asks for it.
    fn tell(&self, what: &dyn std::fmt::Debug) {
        if self.is_told {
            let at = self.now.duration_since(self.start);
            let text: String = format!("{at:?} {what:?}").chars().take(300).collect();
            crate::print_line(&text);
        }
    }

    fn happens(&mut self, event: Event) {
        self.tell(&event);
        match event {
            Event::Arrives => {
                self.arrives();
                return self.law_of_sleep();
            }
            Event::Goes(id) => return self.books.goes(id),
            Event::Answers(sent) => self.answers(sent),
            Event::Probed(collector) => {
                let has_faults = self.phase == Phase::Faults;
                let probe = self.moods[collector].probe(has_faults, &mut self.random);
                self.probed(collector, probe);
            }
            Event::Disk(id, op) => {
                let came = self.disk.perform(&op);
                if let Err(error) = &came {
                    self.tell(error);
                    assert_ne!(
                        error.kind,
                        std::io::ErrorKind::InvalidInput,
                        "{op:?}: {error}"
                    );
                    if let Op::ReadMarks { segment } = op {
                        self.marks_are_not_read(segment);
                    }
                }
                self.delivery.disk_done(id, came, self.now);
            }
            Event::Changes(collector) => {
                self.moods[collector] = Mood::drawn(&mut self.random);
                return self.changes_later(collector);
            }
            Event::DiskChanges => return self.disk_changes(),
            Event::Stops => return self.stops(),
        }
        self.pump();
        self.flush_soon();
    }

    fn pump(&mut self) {
        let mut actions = 0;
        while let Some(action) = self.delivery.next_action(self.now) {
            actions += 1;
            assert!(actions < AT_ONCE_MAX, "actions without an end: {action:?}");
            self.perform(action);
            self.time_passes();
        }
    }

    /// Now and then the clock goes on between two calls: what is due by then must not be lost.
    fn time_passes(&mut self) {
        if self.random.chance(50) {
            let lateness = between(&mut self.random, 0, 5);
            self.now += lateness;
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Send {
                attempt,
                collector,
                message,
                timeout,
            } => {
                assert!(timeout > Duration::ZERO, "no time for an answer");
                let ids = self.law_of_sending(collector, &message);
                let is_small = self.is_alone(message.signal(), message.encoding());
                let watch = self.watched[collector].sends(is_small, self.now);
                let delay = self.moods[collector].delay(timeout, &mut self.random);
                let items = ids.iter().map(|id| self.books.get(*id).items).sum();
                let sent = Sent {
                    attempt,
                    collector,
                    items,
                    ids,
                    is_late: delay >= timeout,
                    watch,
                };
                match delay.is_zero() {
                    // What ends at once ends inside the call that began it.
                    true => {
                        self.answers(sent);
                        self.flush_soon();
                    }
                    false => self.after(delay, Event::Answers(sent)),
                }
            }
            Action::Probe { collector } => {
                let timeout = self.plan.config.health_check.timeout;
                let delay = self.moods[collector].delay(timeout, &mut self.random);
                self.after(delay, Event::Probed(collector));
            }
            Action::Disk(id, op) => {
                let delay = between(&mut self.random, 0, self.plan.disk_delay);
                self.after(delay, Event::Disk(id, op));
            }
        }
    }

    fn flush_soon(&mut self) {
        if self.flush_at.is_none() {
            // Now and then other tasks come before the flusher.
            let late = match self.random.chance(900) {
                true => Duration::ZERO,
                false => between(&mut self.random, 0, 5),
            };
            self.flush_at = Some(self.now + late);
        }
    }

    /// Looks after what no event would wake.
    fn sweeps(&mut self) {
        self.sweep_at = self.now + Duration::from_secs(1);
        self.delivery.sweep(self.now);
        for id in self.books.waiting().to_vec() {
            self.law_of_deadlines(id);
        }
        if self.delivery.has_sooner(self.now) {
            self.flush_soon();
        }
    }

    fn flush(&mut self) {
        self.flush_at = None;
        self.wake_at = None;
        self.ticked_at = self.now;
        self.delivery.tick(self.now);
        self.time_passes();
        self.pump();
        self.wakes();
    }

    /// The flusher goes to sleep.
    fn wakes(&mut self) {
        self.time_passes();
        let next_at = self.delivery.fall_asleep(self.now);
        if self.flush_at.is_none()
            && let Some(at) = next_at
        {
            // What the disk's first OK after a refusal asks for is due at once, and once.
            self.hurries = match at > self.ticked_at {
                true => 0,
                false => self.hurries + 1,
            };
            assert!(self.hurries < 2, "it is due at once, again and again");
        }
        self.wake_at = next_at.map(|at| at.max(self.now));
        self.law_of_sleep();
    }

    /// Who sleeps has nothing to do: being woken for nothing finds nothing. Deadlines aside, which
    /// are looked at a little late on purpose.
    fn law_of_sleep(&mut self) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        let is_awake = self.flush_at.is_some() || is_due(self.wake_at);
        if !is_awake && self.plan.deadlines == 0 && self.random.chance(100) {
            self.delivery.tick(self.now);
            let overslept = self.delivery.next_action(self.now);
            let is_idle = overslept.is_none();
            let overslept: String = format!("{overslept:?}").chars().take(200).collect();
            assert!(
                is_idle,
                "it sleeps with work to do: {overslept} {:#?}",
                self.open()
            );
        }
    }
}
