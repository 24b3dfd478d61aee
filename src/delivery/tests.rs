//! What becomes of requests, event by event.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};

use super::{Action, Delivery, Lent, LentSpool, ReplayRate};
use crate::{
    batch::{Ack, Budget, ExportRequest, Permit},
    config::{Acknowledge, Config, Endpoint, HttpVersion, Protocol},
    degrade::Probe,
    encoding::Encoding,
    jitter::Jitter,
    metrics::{ShardMetrics, Transport},
    outcome::{Attempt, Code, Outcome, Reason, Refusal},
    signal::Signal,
    spool::{OnFull, ReplayOrder, Settings, Spool, sim::Disk},
};

const SECOND: Duration = Duration::from_secs(1);
const MS: fn(u64) -> Duration = Duration::from_millis;

/// Deliveries to one collector, with their clock and their disk.
struct Rig {
    delivery: Delivery,
    metrics: Arc<ShardMetrics>,
    budget: Rc<Budget>,
    disk: Disk,
    now: Instant,
    start: Instant,
    /// Messages under way: which attempt, and how long each is.
    sent: Vec<(usize, usize)>,
    /// Writes that the disk has failed.
    failed: u32,
}

/// One place, every request a batch of its own, second for second the same.
fn config() -> Config {
    let mut config = Config::default();
    config.export.endpoints = vec![Endpoint {
        host: "collector".to_owned(),
        port: 4317,
        protocol: Protocol::Grpc,
        http_version: HttpVersion::Http2,
        path: String::new(),
        path_as_is: false,
    }];
    config.export.max_concurrent_requests = 1;
    config.export.timeouts.operation = 3 * SECOND;
    config.batch.items_max = 1;
    config.retry.base_delay = SECOND;
    config.retry.multiplier = 1.0;
    config.retry.jitter = false;
    config.circuit_breaker.minimum_calls = u32::MAX;
    config.circuit_breaker.failure_threshold = u32::MAX;
    config
}

impl Rig {
    fn new(config: &Config, has_spool: bool) -> Self {
        let now = crate::rt::now();
        let (metrics, budget) = (ShardMetrics::new(0), Budget::new(1 << 20, |_| {}));
        let disk = Disk::new(1);
        let settings = Settings {
            bytes_max: 1 << 20,
            age_max: Duration::ZERO,
            on_full: OnFull::Refuse,
            segment_bytes: 64 << 10,
            order: ReplayOrder::OldestFirst,
            commit_delay: Duration::ZERO,
        };
        let spool = Spool::new(settings, 0, 1, &disk.found(), now, 0);
        let lent_spool = LentSpool {
            spool,
            bytes_max: settings.bytes_max,
            replay_rate: Arc::new(ReplayRate::new(0, now)),
        };
        let lent = Lent {
            metrics: Arc::clone(&metrics),
            budget: Rc::clone(&budget),
            jitter: Jitter::new(1),
            spool: has_spool.then_some(lent_spool),
        };
        Self {
            delivery: Delivery::new(config, lent, now, 0),
            metrics,
            budget,
            disk,
            now,
            start: now,
            sent: Vec::new(),
            failed: 0,
        }
    }

    fn submit(&mut self) -> Ack {
        self.submit_until(None)
    }

    fn submit_until(&mut self, deadline: Option<Instant>) -> Ack {
        let body = vec![Bytes::from_static(b"0123456789")];
        let mut permit = Permit::none(&self.budget);
        permit.cover(10).unwrap();
        self.metrics.received(Signal::Metrics, Transport::Grpc, 1);
        let request = ExportRequest {
            signal: Signal::Metrics,
            items: 1,
            encoding: Encoding::Identity,
            headers: None,
            body,
            bytes: 10,
            deadline,
            place: None,
            permit,
        };
        let ack = self.delivery.submit(request, self.now);
        self.act();
        ack
    }

    /// Does what is to be done, but for the collector's answers.
    fn act(&mut self) {
        while let Some(action) = self.delivery.next_action(self.now) {
            match action {
                Action::Send {
                    attempt, message, ..
                } => self.sent.push((attempt, message.http_body().remaining())),
                Action::Probe { collector } => {
                    self.delivery.probed(collector, Probe::Alive, self.now);
                }
                Action::Disk(id, op) => {
                    let came = self.disk.perform(&op);
                    self.failed += u32::from(came.is_err());
                    self.delivery.disk_done(id, came, self.now);
                }
            }
        }
    }

    /// The collector answers the message that is under way.
    fn answers(&mut self, came: Attempt) {
        let (attempt, _) = self.sent.remove(0);
        self.delivery.attempted(attempt, came, self.now);
        self.act();
    }

    /// Time passes until so long after the start; whatever is sent is refused for now.
    fn passes(&mut self, until: Duration, refuses: bool) {
        let until = self.start + until;
        loop {
            while refuses && !self.sent.is_empty() {
                let reason = Reason::Collector(Code::Unavailable);
                let refusal = Refusal::retryable(reason, Duration::ZERO, "not now");
                self.answers(Attempt::Answered(Outcome::Refused(refusal)));
            }
            let next_at = self.delivery.next_at(self.now);
            self.now = next_at.map_or(until, |at| at.clamp(self.now, until));
            self.delivery.tick(self.now);
            self.act();
            if self.now >= until && (!refuses || self.sent.is_empty()) {
                return;
            }
        }
    }
}

/// A is older than B, and B comes back to the queue after it, while C has the only place.
#[test]
fn who_has_waited_longest_is_answered_at_its_time_behind_whatever_waits() {
    let mut rig = Rig::new(&config(), false);
    let broken = || Attempt::Broken(Reason::Connection, "reset".to_owned());
    let a = rig.submit();
    rig.answers(broken());
    rig.passes(MS(500), false);
    let b = rig.submit();
    let c = rig.submit();
    rig.passes(MS(600), false);
    rig.answers(broken());
    assert_eq!(rig.sent.len(), 1, "the third is under way");
    rig.passes(MS(2_999), false);
    let a = a.known().expect_err("its time is not up");
    rig.passes(3 * SECOND, false);
    let told = a.known().expect("its time is up");
    assert!(matches!(told, Outcome::Refused(it) if it.reason() == Reason::Timeout));
    let b = b.known().expect_err("half a second is left");
    rig.answers(Attempt::Answered(Outcome::Accepted));
    assert!(matches!(c.known(), Ok(Outcome::Accepted)));
    rig.answers(Attempt::Answered(Outcome::Accepted));
    assert!(matches!(b.known(), Ok(Outcome::Accepted)));
}

fn queued() -> Config {
    let mut config = config();
    config.acknowledge = Acknowledge::Queued;
    config.degradation.enabled = true;
    config.degradation.use_cache = true;
    config.batch.items_max = 100;
    config.retry.elapsed_max = 10 * SECOND;
    config
}

#[test]
fn a_disk_that_fails_gives_nothing_more_time_than_max_elapsed() {
    for breaks in [false, true] {
        let mut config = queued();
        if breaks {
            config.circuit_breaker.minimum_calls = 1;
            config.circuit_breaker.failure_threshold = 1;
        }
        let mut rig = Rig::new(&config, true);
        rig.disk.faults.sync = 1000;
        drop(rig.submit());
        rig.passes(9 * SECOND, true);
        let account = rig.metrics.account(Signal::Metrics);
        assert_eq!((account.waiting, account.dropped), (1, 0));
        rig.passes(13 * SECOND, true);
        assert!(rig.failed > 0, "the disk was asked");
        let account = rig.metrics.account(Signal::Metrics);
        assert_eq!((account.waiting, account.dropped), (0, 1));
        assert!(rig.delivery.is_empty());
        assert_eq!(rig.budget.used(), 0);
    }
}

#[test]
fn what_a_failing_disk_gives_back_stays_together_and_keeps_its_attempts() {
    let mut config = queued();
    config.retry.errors.temporary = false;
    config.retry.elapsed_max = Duration::ZERO;
    let mut rig = Rig::new(&config, true);
    rig.disk.faults.sync = 1000;
    drop([rig.submit(), rig.submit(), rig.submit()]);
    rig.passes(SECOND, false);
    assert_eq!(rig.sent[0].1, 30, "three requests as one");
    // It is not tried again, and goes to the disk, which fails.
    let reason = Reason::Collector(Code::Unavailable);
    let refusal = Refusal::retryable(reason, Duration::ZERO, "not now");
    rig.answers(Attempt::Answered(Outcome::Refused(refusal)));
    assert!(rig.failed > 0, "the disk was asked");
    assert_eq!(rig.sent.len(), 1);
    assert_eq!(rig.sent[0].1, 30, "three requests as one");
    let (_, sent) = rig.delivery.in_flight.iter().next().unwrap();
    assert_eq!(sent.parcel.attempts, 2);
    assert_eq!(sent.parcel.batch.requests(), 3);
}

#[test]
fn what_was_read_back_and_is_cut_stays_apart_from_what_is_live() {
    let mut config = queued();
    config.retry.errors.temporary = false;
    config.retry.elapsed_max = Duration::ZERO;
    let mut rig = Rig::new(&config, true);
    drop([rig.submit(), rig.submit(), rig.submit()]);
    rig.passes(SECOND, false);
    let reason = Reason::Collector(Code::Unavailable);
    let refusal = Refusal::retryable(reason, Duration::ZERO, "not now");
    rig.answers(Attempt::Answered(Outcome::Refused(refusal)));
    let signal = Signal::Metrics.index();
    rig.passes(9 * SECOND, false);
    assert_eq!(rig.sent[0].1, 30, "all of it is read back");

    let reason = Reason::Collector(Code::InvalidArgument);
    let refusal = Refusal::permanent(reason, "one of them is bad");
    rig.answers(Attempt::Answered(Outcome::Refused(refusal)));
    assert!(rig.delivery.queues[signal].is_empty());
    assert_eq!(rig.delivery.spooling.replayed[signal].len(), 1);
    rig.answers(Attempt::Stale("closed".to_owned()));
    assert!(rig.delivery.queues[signal].is_empty());
    while !rig.sent.is_empty() {
        rig.answers(Attempt::Answered(Outcome::Accepted));
    }
    let account = rig.metrics.account(Signal::Metrics);
    assert_eq!((account.stored, account.delivered), (0, 3));
    assert!(rig.delivery.is_empty());
}

#[test]
fn what_becomes_due_after_a_look_at_it_is_told() {
    let mut config = queued();
    config.retry.errors.temporary = false;
    let mut rig = Rig::new(&config, true);
    drop(rig.submit());
    rig.passes(SECOND, false);
    let reason = Reason::Collector(Code::ResourceExhausted);
    let refusal = Refusal::retryable(reason, 20 * SECOND, "not now");
    rig.answers(Attempt::Answered(Outcome::Refused(refusal)));
    let account = rig.metrics.account(Signal::Metrics);
    assert_eq!((account.waiting, account.stored), (0, 1));
    rig.passes(20 * SECOND, false);
    let due = rig
        .delivery
        .next_at(rig.now)
        .expect("it is read back later");
    assert!(due > rig.now);
    // Whoever looked just before it was due asks just after it.
    rig.now = due + MS(1);
    assert_eq!(rig.delivery.next_at(rig.now), Some(due));
    rig.delivery.tick(rig.now);
    rig.act();
    assert_eq!(rig.sent.len(), 1, "it is read back");
    assert!(rig.delivery.next_at(rig.now).is_none_or(|at| at > rig.now));
}

#[test]
fn who_sleeps_is_woken_for_what_is_sooner_and_for_nothing_else() {
    let mut rig = Rig::new(&config(), false);
    let held = [rig.submit(), rig.submit()];
    rig.passes(MS(10), false);
    let until = rig.delivery.fall_asleep(rig.now);
    assert!(!rig.delivery.has_sooner(rig.now), "nothing has come");
    let held = (held, rig.submit());
    assert!(
        !rig.delivery.has_sooner(rig.now),
        "it waits like the second"
    );
    let sooner = rig.now + MS(5);
    assert!(until.is_some_and(|until| sooner < until));
    let ack = rig.submit_until(Some(sooner));
    assert!(rig.delivery.has_sooner(rig.now), "its sender is to be told");
    assert_eq!(rig.delivery.fall_asleep(rig.now), Some(sooner));
    let held = (held, rig.submit_until(Some(sooner + SECOND)));
    assert!(!rig.delivery.has_sooner(rig.now), "there is time for that");
    rig.passes(MS(15), false);
    let told = ack.known().expect("its time is up");
    assert!(matches!(told, Outcome::Refused(it) if it.reason() == Reason::Deadline));
    drop(held);
}
