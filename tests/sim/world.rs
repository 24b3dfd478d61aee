//! The clock, and the driver of the deliveries: a twin of the shard's, event by event.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use otlp::{
    batch::{Budget, ExportRequest, Permit},
    degrade::Probe,
    delivery::{Action, Delivery, Lent},
    encoding::Encoding,
    headers::HeaderSets,
    jitter::Jitter,
    metrics::{CollectorName, Role, ShardMetrics, Transport},
    outcome::{Attempt, Outcome},
    signal::Signal,
    spool::{
        Op, OpId, Spool,
        sim::{Disk, Faults, Random},
    },
};

use crate::{
    body,
    books::Books,
    laws::{self, Watch, Watched},
    network::Mood,
    plan::{Plan, between},
};

const UNIX: u64 = 1_700_000_000_000_000_000;

/// Actions at one moment, and events: beyond them the deliveries turn in a circle.
const AT_ONCE_MAX: usize = 20_000;

/// How long the deliveries have to find back to calm after the faults, in virtual time.
const RECOVERY: Duration = Duration::from_secs(120);

/// How long what is left may take after that.
const REST: Duration = Duration::from_secs(900);

/// How long a process that is told to stop may take.
const DRAIN: Duration = Duration::from_secs(10);

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
            Event::Arrives => self.arrives(),
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

    /// A sender sends.
    fn arrives(&mut self) {
        let pause = match self.phase {
            Phase::Faults => between(&mut self.random, 0, self.plan.pause),
            Phase::Recovery => between(&mut self.random, 100, 900),
            Phase::Rest => return,
        };
        self.after(pause, Event::Arrives);
        let waiting_max = match self.phase {
            Phase::Faults => self.plan.waiting,
            _ => 10,
        };
        if self.stopping.is_some() || self.books.waiting().len() >= waiting_max {
            return;
        }
        let signal = Signal::ALL[self.random.below(4)];
        if let Err(refused) = self.delivery.admit(signal, self.now) {
            return laws::refusal(&refused);
        }
        let id = self.books.next_id();
        let items = 1 + self.random.number() % 20;
        let is_real = self.is_real(signal);
        let length = 16 + self.random.below(self.plan.body);
        let body = match is_real {
            true => body::real(signal, items, &mut self.random),
            false => body::opaque(id, length, &mut self.random),
        };
        let bytes = body.iter().map(bytes::Bytes::len).sum();
        let encoding = match self.random.chance(250) && !is_real {
            true => Encoding::Gzip,
            false => Encoding::Identity,
        };
        let headers = body::headers(id, self.plan.tenants);
        let headers = self.header_sets.get(&headers).expect("there is no bound");
        let mut permit = Permit::none(&self.budget);
        if permit.cover(bytes).is_err() {
            return;
        }
        let deadline = self
            .random
            .chance(self.plan.deadlines)
            .then(|| self.now + between(&mut self.random, 1, 5000));
        self.metrics.received(signal, Transport::Grpc, items);
        self.books.sent(signal, items, !is_real, self.now);
        let ack = self.delivery.submit(
            ExportRequest {
                signal,
                items,
                encoding,
                body,
                bytes,
                deadline,
                place: None,
                headers,
                permit,
            },
            self.now,
        );
        self.books.waits(id, deadline, ack);
        if self.random.chance(self.plan.gone) {
            let goes = between(&mut self.random, 0, 3000);
            self.after(goes, Event::Goes(id));
        }
    }

    /// Whether bodies of a signal are such as can be thinned, and do not say which they are.
    pub(crate) const fn is_real(&self, signal: Signal) -> bool {
        let degradation = &self.plan.config.degradation;
        degradation.enabled
            && degradation.reduce_quality
            && matches!(signal, Signal::Traces | Signal::Logs)
    }

    /// Whether requests of a signal and an encoding are sent each on its own.
    pub(crate) const fn is_alone(&self, signal: Signal, encoding: Encoding) -> bool {
        encoding.is_packed() && !self.plan.config.export.merge_compressed[signal.index()]
    }

    fn pump(&mut self) {
        let mut actions = 0;
        while let Some(action) = self.delivery.next_action(self.now) {
            actions += 1;
            assert!(actions < AT_ONCE_MAX, "actions without an end: {action:?}");
            self.perform(action);
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

    /// A collector answers, or does not.
    fn answers(&mut self, sent: Sent) {
        let mood = self.moods[sent.collector];
        let came = mood.answer(sent.items, sent.is_late, &mut self.random);
        self.watched[sent.collector].ends(&sent.watch, &came, self.now);
        // One that cannot answer may have it all the same.
        let arrives_unsaid = matches!(came, Attempt::Broken(..)) && self.random.chance(500);
        let is_taken = matches!(
            came,
            Attempt::Answered(Outcome::Accepted | Outcome::Partial { .. })
        );
        for id in &sent.ids {
            let request = self.books.get(*id);
            request.under_way -= 1;
            request.is_taken |= is_taken;
            request.is_settled |= is_taken;
            request.has_arrived |= is_taken || arrives_unsaid;
        }
        if let Attempt::Answered(Outcome::Refused(refusal)) = &came {
            self.books.refused(&sent.ids, refusal);
            let not_before = refusal.retry_after().map(|delay| self.now + delay);
            let ids = sent.ids.iter();
            ids.for_each(|id| self.books.get(*id).not_before = not_before);
        }
        self.tell(&(&sent, &came));
        self.delivery.attempted(sent.attempt, came, self.now);
    }

    fn probed(&mut self, collector: usize, probe: Probe) {
        if !matches!(probe, Probe::Unhealthy(_)) {
            self.watched[collector].probed_well(self.now);
        }
        self.delivery.probed(collector, probe, self.now);
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
        if self.delivery.next_deadline(self.now).is_some() {
            self.flush_soon();
        }
    }

    fn flush(&mut self) {
        self.flush_at = None;
        self.wake_at = None;
        self.delivery.tick(self.now);
        self.pump();
        self.wakes();
    }

    /// The flusher goes to sleep.
    fn wakes(&mut self) {
        let next_at = self.delivery.next_at(self.now);
        if self.flush_at.is_none()
            && let Some(at) = next_at
        {
            assert!(at > self.now, "it is due at once, again and again");
        }
        self.wake_at = next_at.map(|at| at.max(self.now));
    }

    fn changes_later(&mut self, collector: usize) {
        let calm = between(&mut self.random, 1, self.plan.calm);
        self.after(calm, Event::Changes(collector));
    }

    fn disk_changes(&mut self) {
        let was_bad = self.disk_is_bad;
        if self.plan.disk_fails() && self.has_marked() {
            self.law_of_marks();
        }
        let calm = between(&mut self.random, 1, 3000);
        self.after(calm, Event::DiskChanges);
        let faults = self.plan.disk_faults;
        let has_faults = faults > 0 && self.random.chance(400);
        self.disk.faults = match has_faults {
            true => Faults {
                create: faults,
                write: faults,
                sync: faults,
                read: faults,
                remove: faults,
                marks: faults,
                is_gone: self.random.chance(100),
                is_read_only: self.random.chance(100),
            },
            false => Faults::default(),
        };
        self.disk.capacity = match self.random.chance(500) {
            true => self.plan.disk_bytes,
            false => u64::MAX,
        };
        self.disk_is_bad = has_faults || self.disk.capacity < u64::MAX;
        if was_bad || self.disk_is_bad {
            self.disk_changed_at = self.now;
        }
    }

    /// The process is told to stop, or dies.
    fn stops(&mut self) {
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

    fn goes_on_stopping(&mut self) {
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

    fn ends(&mut self, holds_acknowledged: bool, remembers: bool) {
        for (_, event) in std::mem::take(&mut self.events) {
            match event {
                Event::Answers(sent) if self.random.chance(500) => {
                    let ids = sent.ids.iter();
                    ids.for_each(|id| self.books.get(*id).has_arrived = true);
                }
                Event::Disk(_, op) if self.random.chance(500) => drop(self.disk.perform(&op)),
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
    fn starts(&mut self, has_marked: bool) {
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

    fn faults_end(&mut self) {
        self.phase = Phase::Recovery;
        self.moods.fill(Mood::Well);
        self.disk.faults = Faults::default();
        self.disk.capacity = u64::MAX;
        self.disk_is_bad = false;
        self.disk_changed_at = self.now;
        self.events.retain(|_, event| {
            !matches!(event, Event::Changes(_) | Event::DiskChanges | Event::Stops)
        });
    }
}

fn counters(plan: &Plan) -> Arc<ShardMetrics> {
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

fn watched(plan: &Plan) -> Vec<Watched> {
    let collectors = plan.config.export.collectors().into_iter();
    collectors
        .map(|endpoint| Watched::new(&plan.config, endpoint))
        .collect()
}

fn process(
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
        (spool, settings.bytes_max)
    });
    let lent = Lent {
        metrics: Arc::clone(metrics),
        budget: Rc::clone(budget),
        jitter: Jitter::new(random.number()),
        spool,
        replay_rate: plan.config.spool.replay_rate,
    };
    Delivery::new(&plan.config, lent, now, unix)
}
