//! Counts what became of every request.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{
    answer::{Answer, Verdict},
    latency::{histogram, record},
    phase::{Counted, Phase},
    places::{Due, Given},
    source::Request,
};
use crate::{
    audit::Acknowledged,
    results::{Answers, Delays, SendPhase, SendPoint},
};

/// One interval of the measurement.
pub(super) struct Interval {
    pub(super) point: SendPoint,
    pub(super) times: Histogram<u64>,
}

impl Interval {
    fn new() -> Self {
        Self {
            point: SendPoint::default(),
            times: histogram(),
        }
    }
}

/// Everything that is counted; what belongs to the warm-up only as far as items are audited.
pub(super) struct Tally {
    items_per_request: u64,
    pub(super) requests: Answers,
    pub(super) items: Answers,
    pub(super) body_bytes: u64,
    pub(super) wire_bytes: u64,
    pub(super) statuses: BTreeMap<Cow<'static, str>, u64>,
    pub(super) delays: Option<Delays>,
    /// From when a request was due to its acknowledgement.
    pub(super) times: Histogram<u64>,
    /// From when it was handed over.
    pub(super) raw: Histogram<u64>,
    /// From when it was due to when it was handed over, when a place was free.
    pub(super) late: Histogram<u64>,
    pub(super) overflowed: u64,
    pub(super) left: u64,
    pub(super) in_flight: u64,
    pub(super) acknowledged: Acknowledged,
    /// Requests acknowledged in full, those of the warm-up too.
    pub(super) acknowledged_requests: u64,
    phases: Vec<Counted>,
    interval: Interval,
    closed_at: Duration,
}

impl Tally {
    pub(super) fn new(items_per_request: u32, phases: &[Phase], start: Instant) -> Self {
        Self {
            items_per_request: items_per_request.into(),
            requests: Answers::default(),
            items: Answers::default(),
            body_bytes: 0,
            wire_bytes: 0,
            statuses: BTreeMap::new(),
            delays: None,
            times: histogram(),
            raw: histogram(),
            late: histogram(),
            overflowed: 0,
            left: 0,
            in_flight: 0,
            acknowledged: Acknowledged::default(),
            acknowledged_requests: 0,
            phases: phases
                .iter()
                .map(|phase| Counted::new(phase, start))
                .collect(),
            interval: Interval::new(),
            closed_at: Duration::ZERO,
        }
    }

    /// A request is due.
    pub(super) fn due(&mut self, due: Due) {
        if due.measured {
            self.requests.due += 1;
            self.items.due += self.items_per_request;
            self.interval.point.due += 1;
            for phase in &mut self.phases {
                phase.due(due.at);
            }
        }
    }

    /// What was counted of each phase.
    pub(super) fn phases(&self) -> BTreeMap<String, SendPhase> {
        let reports = self.phases.iter();
        reports
            .map(|counted| (counted.phase.name.clone(), counted.report()))
            .collect()
    }

    /// A request that was due found the line full.
    pub(super) fn overflow(&mut self, due: Due) {
        if due.measured {
            self.overflowed += 1;
            self.unsent("not sent: line full");
        }
    }

    /// A request was still in line when the time was up.
    pub(super) fn leave(&mut self, due: Due) {
        if due.measured {
            self.left += 1;
            self.unsent("not sent: time is up");
        }
    }

    fn unsent(&mut self, status: &'static str) {
        self.requests.unanswered += 1;
        self.items.unanswered += self.items_per_request;
        self.interval.point.failed += 1;
        *self.statuses.entry(status.into()).or_default() += 1;
    }

    /// A request was handed to a connection for the first time.
    pub(super) fn hand_over(&mut self, given: Given, at: Instant) {
        if given.due.measured {
            self.requests.sent += 1;
            self.items.sent += self.items_per_request;
            if given.prompt {
                record(&mut self.late, at.saturating_duration_since(given.due.at));
            }
        }
    }

    /// An attempt ended.
    pub(super) fn attempt(&mut self, due: Due, answer: &Answer) {
        if !due.measured {
            return;
        }
        match self.statuses.get_mut(&answer.status) {
            Some(count) => *count += 1,
            None => _ = self.statuses.insert(answer.status.clone(), 1),
        }
        if let Verdict::Refused(delay) = answer.verdict {
            let delays = self.delays.get_or_insert_default();
            match delay.map(|delay| delay.as_secs_f64()) {
                None => delays.without += 1,
                Some(delay) => {
                    delays.min = if delays.with == 0 {
                        delay
                    } else {
                        delays.min.min(delay)
                    };
                    delays.max = delays.max.max(delay);
                    delays.with += 1;
                }
            }
        }
    }

    /// A request ended; `handed` is when its last attempt was handed over, if it was.
    pub(super) fn finish(
        &mut self,
        due: Due,
        request: &Request,
        verdict: &Verdict,
        handed: Option<Instant>,
        now: Instant,
    ) {
        let ids = request.ids.clone();
        match verdict {
            Verdict::Accepted => {
                self.acknowledged_requests += 1;
                self.acknowledged.accept(ids);
            }
            Verdict::Refused(_) | Verdict::Rejected => self.acknowledged.refuse(ids),
            // Which items a partial success rejects is not said: each may arrive or not.
            Verdict::Partial(_) | Verdict::Unanswered => self.acknowledged.unanswered(ids),
        }
        if !due.measured {
            return;
        }
        let items = u64::from(request.items);
        let (requests, all) = (&mut self.requests, &mut self.items);
        let point = &mut self.interval.point;
        let accepted = match verdict {
            Verdict::Accepted => {
                requests.accepted += 1;
                items
            }
            Verdict::Partial(rejected) => {
                requests.partial += 1;
                let rejected = (*rejected).min(items);
                all.partial += rejected;
                items - rejected
            }
            Verdict::Refused(_) => {
                requests.refused += 1;
                all.refused += items;
                point.failed += 1;
                return;
            }
            Verdict::Rejected => {
                requests.rejected += 1;
                all.rejected += items;
                point.failed += 1;
                return;
            }
            Verdict::Unanswered => {
                requests.unanswered += 1;
                all.unanswered += items;
                point.failed += 1;
                return;
            }
        };
        all.accepted += accepted;
        point.accepted += 1;
        point.items += accepted;
        self.body_bytes += request.plain as u64;
        self.wire_bytes += request.body.len() as u64;
        let waited = now.saturating_duration_since(due.at);
        record(&mut self.times, waited);
        for phase in &mut self.phases {
            phase.accept(due.at, accepted, waited);
        }
        record(&mut self.interval.times, waited);
        if let Some(handed) = handed {
            record(&mut self.raw, now.saturating_duration_since(handed));
        }
    }

    /// Ends an interval, at a time since the measurement began.
    pub(super) fn close_interval(&mut self, at: Duration) -> Interval {
        let Interval { mut point, times } = mem::replace(&mut self.interval, Interval::new());
        point.at = at.as_secs_f64();
        point.length = at.saturating_sub(self.closed_at).as_secs_f64();
        point.in_flight = self.in_flight;
        point.p50_us = times.value_at_quantile(0.5);
        point.p99_us = times.value_at_quantile(0.99);
        point.max_us = times.max();
        self.closed_at = at;
        Interval { point, times }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::telemetry::Signal;

    fn request(ids: std::ops::Range<u64>) -> Request {
        Request {
            signal: Signal::Logs,
            body: Bytes::from_static(b"body"),
            plain: 10,
            items: (ids.end - ids.start) as u32,
            ids,
        }
    }

    fn end(tally: &mut Tally, due: Due, verdict: Verdict) {
        let given = Given { due, prompt: true };
        let answer = Answer {
            status: "X".into(),
            verdict,
        };
        tally.due(due);
        tally.hand_over(given, due.at);
        tally.attempt(due, &answer);
        tally.finish(due, &request(0..5), &answer.verdict, Some(due.at), due.at);
    }

    fn sum(answers: &Answers) -> u64 {
        answers.accepted + answers.partial + answers.refused + answers.rejected + answers.unanswered
    }

    #[test]
    fn everything_that_was_due_ended_somehow() {
        let mut tally = Tally::new(5, &[], Instant::now());
        let due = Due {
            at: Instant::now(),
            measured: true,
        };
        let second = Duration::from_secs(1);
        for verdict in [
            Verdict::Accepted,
            Verdict::Partial(2),
            Verdict::Partial(99),
            Verdict::Refused(None),
            Verdict::Refused(Some(second)),
            Verdict::Refused(Some(2 * second)),
            Verdict::Rejected,
            Verdict::Unanswered,
        ] {
            end(&mut tally, due, verdict);
        }
        tally.due(due);
        tally.overflow(due);
        tally.due(due);
        tally.leave(due);
        assert_eq!((tally.requests.due, sum(&tally.requests)), (10, 10));
        assert_eq!((tally.items.due, sum(&tally.items)), (50, 50));
        assert_eq!(tally.requests.sent, 8);
        assert_eq!((tally.items.accepted, tally.items.partial), (8, 7));
        assert_eq!((tally.body_bytes, tally.wire_bytes), (30, 12));
        assert_eq!(
            (tally.times.len(), tally.raw.len(), tally.late.len()),
            (3, 3, 8)
        );
        assert_eq!(tally.statuses["X"], 8);
        let delays = Delays {
            with: 2,
            without: 1,
            min: 1.0,
            max: 2.0,
        };
        assert_eq!(tally.delays, Some(delays));
    }

    #[test]
    fn the_warm_up_counts_only_for_the_audit() {
        let mut tally = Tally::new(5, &[], Instant::now());
        let due = Due {
            at: Instant::now(),
            measured: false,
        };
        end(&mut tally, due, Verdict::Accepted);
        end(&mut tally, due, Verdict::Refused(None));
        assert_eq!(tally.requests, Answers::default());
        assert!(tally.statuses.is_empty() && tally.delays.is_none() && tally.times.is_empty());
    }

    #[test]
    fn intervals_hold_what_happened_in_them() {
        let mut tally = Tally::new(5, &[], Instant::now());
        let due = Due {
            at: Instant::now(),
            measured: true,
        };
        end(&mut tally, due, Verdict::Accepted);
        let first = tally.close_interval(Duration::from_secs(1));
        end(&mut tally, due, Verdict::Rejected);
        let second = tally.close_interval(Duration::from_millis(1500));
        assert_eq!(
            (first.point.accepted, first.point.items, first.times.len()),
            (1, 5, 1)
        );
        assert_eq!((second.point.accepted, second.point.failed), (0, 1));
        assert_eq!((second.point.at, second.point.length), (1.5, 0.5));
    }
}
