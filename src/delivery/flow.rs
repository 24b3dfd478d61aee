//! A parcel from its queue to a collector, and from the answer to what comes next.

use std::time::{Duration, Instant};

use super::{
    Action, DEFAULT_DELAY, Delivery, Sent, count,
    ladder::{Asked, Way},
    parcel::Parcel,
    settle,
};
use crate::{
    degrade::{self, Verdict},
    encoding::Encoding,
    outcome::{Attempt, Outcome, Reason, Refusal},
    signal::Signal,
};

/// Connections that a message may meet which had lain idle and were closed.
///
/// - Source: chosen: more than a pool has by default; beyond that something else is wrong.
const STALE_MAX: u32 = 8;

/// How far one step came.
pub(super) enum Step {
    /// Something was done, and there may be more.
    Did,
    /// Something is to be done by the driver.
    Do(Action),
    /// Nothing can be done now.
    Nothing,
}

impl Delivery {
    /// Sends what may go now, signal by signal, each in its turn: where places are few, no signal
    /// keeps them from another.
    pub(super) fn dispatch(&mut self, now: Instant) -> Option<Action> {
        let (before, after) = Signal::ALL.split_at(self.signals_turn);
        for &signal in after.iter().chain(before) {
            self.blocked_until[signal.index()] = None;
            loop {
                match self.step(signal, now) {
                    Step::Did => {}
                    Step::Do(action) => {
                        self.signals_turn = (signal.index() + 1) % Signal::ALL.len();
                        return Some(action);
                    }
                    Step::Nothing => break,
                }
            }
        }
        None
    }

    /// Takes the next parcel of a signal one step further. What was read back from the disk goes
    /// behind all that is live, but for one batch at a time, so that it gets on in any case.
    fn step(&mut self, signal: Signal, now: Instant) -> Step {
        let queue = &self.queues[signal.index()];
        if self.spooling.in_flight == 0 || queue.is_empty() {
            match self.step_replayed(signal, now) {
                Step::Nothing => {}
                step => return step,
            }
        }
        let Some(parcel) = self.queues[signal.index()].pop() else {
            return Step::Nothing;
        };
        match self.way(signal, Asked::of(&parcel), now) {
            Way::To(collector) => self.start(parcel, collector, now),
            Way::Full => self.wait(parcel, now),
            Way::Disk => {
                self.store_all(parcel, now);
                Step::Did
            }
            Way::Paused(left) => {
                let refusal = self.unreachable(signal);
                self.again(parcel, refusal, Some(left), now);
                Step::Did
            }
            Way::Out(left) if parcel.is_only_here() => self.hold(parcel, left, now),
            Way::Out(left) => {
                let refusal = self.circuit_open(signal, left);
                self.settle(parcel.batch, Outcome::Refused(refusal));
                Step::Did
            }
        }
    }

    /// Keeps what has no place yet, for as long as senders wait.
    fn wait(&mut self, parcel: Parcel, now: Instant) -> Step {
        let signal = parcel.signal();
        let queue = &mut self.queues[signal.index()];
        queue.put_back(parcel);
        let Some(since) = queue.awaited_since() else {
            return Step::Nothing;
        };
        let until = since + self.operation;
        if now < until {
            self.blocked_until[signal.index()] = Some(until);
            return Step::Nothing;
        }
        if let Some(late) = queue.pop_awaited() {
            self.out_of_time(late);
        }
        Step::Did
    }

    fn out_of_time(&mut self, parcel: Parcel) {
        let refusal = Refusal::retryable(
            Reason::Timeout,
            self.default_delay(),
            "no collector has answered within timeout.operation_timeout",
        );
        self.give_up(parcel, refusal);
    }

    /// Keeps what is only here until its collector may be called again, or it is too old.
    fn hold(&mut self, parcel: Parcel, left: Duration, now: Instant) -> Step {
        let signal = parcel.signal();
        let since = parcel.batch.sealed_at();
        if self.retry.gives_up(parcel.attempts, since, now, false) {
            let refusal = self.circuit_open(signal, left);
            self.settle(parcel.batch, Outcome::Refused(refusal));
            return Step::Did;
        }
        let queue = &mut self.queues[signal.index()];
        queue.put_back(parcel);
        // What calls wait for has this way as well, and its senders can do something else.
        if let Some(awaited) = queue.pop_awaited() {
            let refusal = self.circuit_open(signal, left);
            self.settle(awaited.batch, Outcome::Refused(refusal));
            return Step::Did;
        }
        self.blocked_until[signal.index()] = Some(now + left);
        Step::Nothing
    }

    /// Sends a parcel, but for the requests in it whose senders have gone.
    pub(super) fn start(&mut self, parcel: Parcel, collector: usize, now: Instant) -> Step {
        let signal = parcel.signal();
        let Some(mut parcel) = self.part_abandoned(parcel, now) else {
            return Step::Did;
        };
        if parcel.batch.requests() > 1
            && self.destinations[collector].is_too_large(parcel.batch.bytes(), now)
        {
            self.split(parcel);
            return Step::Did;
        }
        let timeout = match parcel.batch.is_awaited() {
            true => (parcel.batch.sealed_at() + self.operation).saturating_duration_since(now),
            false => self.operation,
        };
        if timeout.is_zero() {
            self.out_of_time(parcel);
            return Step::Did;
        }
        let Some(place) = self.destinations[collector].begin(parcel.is_small, now) else {
            self.wait_again(parcel);
            return Step::Nothing;
        };
        self.turn = self.turn.wrapping_add(1);
        parcel.attempts += 1;
        parcel.first_at.get_or_insert(now);
        let packer = &mut self.packer;
        let message = parcel.message(|batch| match batch.encoding() {
            Encoding::Identity => packer.pack(batch.slices()),
            packed => (packed, batch.slices()),
        });
        self.metrics.export_started(signal);
        if parcel.is_replayed {
            self.spooling.went(parcel.batch.bytes(), now);
        } else {
            self.under_way[signal.index()] += 1;
        }
        let attempt = self.in_flight.insert(Sent {
            parcel,
            collector,
            place,
            at: now,
        });
        self.report_queue(signal);
        Step::Do(Action::Send {
            attempt,
            collector,
            message,
            timeout,
        })
    }

    /// Lets go of the requests of a parcel whose senders have gone, or have given up by now; what
    /// is left of it.
    pub(super) fn part_abandoned(&mut self, parcel: Parcel, now: Instant) -> Option<Parcel> {
        if !parcel.batch.has_abandoned(now) {
            return Some(parcel);
        }
        let template = Parcel::template(&parcel);
        let (kept, gone) = parcel.batch.part_abandoned(now);
        if let Some(gone) = gone {
            self.let_go(gone, now);
        }
        kept.map(|kept| template.of(kept))
    }

    /// Cuts a parcel into two that go next.
    fn split(&mut self, parcel: Parcel) {
        let template = Parcel::template(&parcel);
        match parcel.batch.split() {
            Ok((one, two)) => {
                self.wait_again(template.of(two));
                self.wait_again(template.of(one));
            }
            Err(whole) => self.wait_again(template.of(whole)),
        }
    }

    /// Puts a parcel back to where it waited. What was read back from the disk never comes among
    /// what is live: from there it would be stored a second time.
    fn wait_again(&mut self, parcel: Parcel) {
        let signal = parcel.signal().index();
        match (parcel.is_replayed, self.is_draining) {
            (false, _) => self.queues[signal].put_back(parcel),
            (true, false) => self.spooling.replayed[signal].push_front(parcel),
            (true, true) => self.spooling.let_go(parcel.batch),
        }
    }

    pub(super) fn probe(&mut self, now: Instant) -> Option<Action> {
        let mut destinations = self.destinations.iter_mut();
        let collector = destinations.position(|destination| destination.begin_probe(now))?;
        Some(Action::Probe { collector })
    }

    /// What came of an [`Action::Send`].
    pub fn attempted(&mut self, attempt: usize, came: Attempt, now: Instant) {
        let Some(sent) = self.in_flight.try_remove(attempt) else {
            return;
        };
        let Sent {
            parcel,
            collector,
            place,
            at,
        } = sent;
        let (signal, taken) = (parcel.signal(), now.saturating_duration_since(at));
        self.is_stirred = true;
        self.has_news = true;
        self.answered_at = now;
        if parcel.is_replayed {
            self.spooling.in_flight -= 1;
        } else {
            self.under_way[signal.index()] -= 1;
        }
        let is_sent =
            matches!(&came, Attempt::Answered(outcome) if !matches!(outcome, Outcome::Refused(_)));
        self.metrics.export_finished(
            signal,
            parcel.batch.items(),
            count(parcel.batch.bytes()),
            is_sent,
            taken,
        );
        let verdict = verdict_of(&came);
        let destination = &mut self.destinations[collector];
        destination.end(place, verdict, now);
        if verdict != Verdict::Neutral && self.routes[signal.index()].contains(&collector) {
            self.triggers[signal.index()].observe(verdict == Verdict::Success, taken, now);
        }
        match came {
            Attempt::Answered(Outcome::Refused(refusal)) => {
                destination.failed(refusal.message());
                self.log(&parcel, &refusal, now);
                self.refused(parcel, collector, refusal, now);
            }
            Attempt::Answered(outcome) => {
                if parcel.is_replayed {
                    self.spooling.failures = 0;
                    let bytes = count(parcel.batch.bytes());
                    self.metrics.spool_replayed(parcel.batch.items(), bytes);
                }
                self.settle(parcel.batch, outcome);
            }
            Attempt::Stale(_) if parcel.stale < STALE_MAX => {
                let mut parcel = parcel;
                parcel.stale += 1;
                parcel.attempts -= 1;
                self.wait_again(parcel);
            }
            Attempt::NotSent(error) | Attempt::Stale(error) => {
                destination.unreachable(&error, &self.jitter, now);
                let refusal = self.unreachable(signal);
                self.log(&parcel, &refusal, now);
                self.elsewhere(parcel, refusal, now);
            }
            Attempt::Broken(reason, error) => {
                destination.failed(&error);
                let refusal = Refusal::retryable(reason, Duration::ZERO, error).shared();
                self.log(&parcel, &refusal, now);
                self.again(parcel, refusal, None, now);
            }
        }
        self.report_queue(signal);
        self.look_at_triggers(now);
    }

    /// What a collector's refusal means for what it refused.
    fn refused(&mut self, parcel: Parcel, collector: usize, refusal: Refusal, now: Instant) {
        if refusal.is_retryable() {
            let least = refusal.named_delay();
            return self.again(parcel, refusal, least, now);
        }
        if parcel.batch.requests() > 1 && settle::is_about_content(&refusal) {
            if settle::is_about_size(&refusal) {
                self.destinations[collector].too_large(parcel.batch.bytes(), now);
            }
            return self.split(parcel);
        }
        self.settle(parcel.batch, Outcome::Refused(refusal));
    }

    /// A collector could not be reached: another may be tried at once, as if nothing had been.
    fn elsewhere(&mut self, mut parcel: Parcel, refusal: Refusal, now: Instant) {
        let signal = parcel.signal();
        match self.way(signal, Asked::of(&parcel), now) {
            Way::To(_) if !parcel.is_replayed => {
                parcel.attempts -= 1;
                self.queues[signal.index()].put_back(parcel);
            }
            _ => self.again(parcel, refusal, None, now),
        }
    }

    /// Tries a parcel again later, after `least` at the soonest, or gives the collectors up for it.
    fn again(
        &mut self,
        mut parcel: Parcel,
        refusal: Refusal,
        least: Option<Duration>,
        now: Instant,
    ) {
        let signal = parcel.signal();
        if parcel.is_replayed {
            self.spooling.failures = self.spooling.failures.saturating_add(1);
            let pause = self
                .retry
                .delay(self.spooling.failures, least, self.jitter.fraction());
            return self.put_back(parcel.batch, pause, now);
        }
        let is_awaited = parcel.batch.is_awaited();
        let first_at = *parcel.first_at.get_or_insert(now);
        let made = parcel.attempts.max(1);
        let delay = self.retry.delay(made, least, self.jitter.fraction());
        let is_too_late = is_awaited && now + delay >= parcel.batch.sealed_at() + self.operation;
        let is_safer_on_disk = self.is_draining && !is_awaited && self.can_store(now);
        if is_too_late
            || is_safer_on_disk
            || !self.retry.class(refusal.reason(), true)
            || self.retry.gives_up(made, first_at, now, is_awaited)
        {
            if let Some(least) = least {
                // What lies on the disk of it is not read back before either.
                self.spooling.pause(now + least);
            }
            return self.exhausted(parcel, refusal, now);
        }
        self.metrics.attempt_retried(signal, refusal.reason());
        parcel.attempts = made;
        self.retries_made += 1;
        self.retries
            .insert((now + delay, self.retries_made), parcel);
    }

    /// Takes a parcel down the ladder: to the fallback, to the disk, back to its senders.
    fn exhausted(&mut self, mut parcel: Parcel, refusal: Refusal, now: Instant) {
        let signal = parcel.signal();
        let falls_back = Asked {
            falls_back: true,
            ..Asked::of(&parcel)
        };
        match self.way(signal, falls_back, now) {
            Way::To(_) | Way::Full if !parcel.falls_back => {
                parcel.falls_back = true;
                parcel.attempts = 0;
                self.queues[signal.index()].put_back(parcel);
            }
            _ if self.can_store(now) => self.store_all(parcel, now),
            _ => self.give_up(parcel, refusal),
        }
    }

    /// Answers with a refusal that carries a delay.
    fn give_up(&mut self, parcel: Parcel, refusal: Refusal) {
        let delay = refusal.named_delay();
        let delay = delay.unwrap_or_else(|| self.default_delay());
        let refusal = refusal.with_delay(delay);
        self.settle(parcel.batch, Outcome::Refused(refusal));
    }

    fn default_delay(&self) -> Duration {
        self.jitter.between(DEFAULT_DELAY, DEFAULT_DELAY * 2)
    }

    pub(super) fn circuit_open(&self, signal: Signal, left: Duration) -> Refusal {
        let why = self.error_of(signal);
        let left = left.max(DEFAULT_DELAY);
        let delay = self.jitter.between(left, left + left / 4);
        let text = format!("no collector for {signal} may be called now: {why}");
        Refusal::retryable(Reason::CircuitOpen, delay, text).shared()
    }

    fn unreachable(&self, signal: Signal) -> Refusal {
        Refusal::retryable(Reason::Connection, Duration::ZERO, self.error_of(signal)).shared()
    }

    fn error_of(&self, signal: Signal) -> String {
        let mut route = self.routes[signal.index()].iter();
        let error = route.find_map(|collector| self.destinations[*collector].error());
        error.unwrap_or("no collector can be reached").to_owned()
    }
}

/// What an attempt says of the collector itself.
fn verdict_of(came: &Attempt) -> Verdict {
    match came {
        Attempt::Answered(Outcome::Refused(refusal)) => {
            degrade::verdict(Err((refusal.reason(), refusal.is_retryable())))
        }
        Attempt::Answered(_) => Verdict::Success,
        Attempt::Stale(_) => Verdict::Neutral,
        Attempt::NotSent(_) | Attempt::Broken(..) => Verdict::Failure,
    }
}
