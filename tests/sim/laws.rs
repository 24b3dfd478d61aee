//! What must hold, whatever happens in whatever order.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use otlp::{
    config::Acknowledge,
    degrade::{Breaker, Call, Verdict, verdict},
    metrics::Registry,
    outcome::{Attempt, Outcome, Refusal},
    signal::Signal,
    spool::OnFull,
    wire::Message,
};

use crate::{
    body,
    found::everything,
    world::{Stopping, World},
};

/// Parts of a place that a small message takes, and a whole one.
const PARTS: usize = 16;

/// How long after its deadline a sender is told at the latest: what waits is looked through ten
/// times a second, and now and then other tasks come first.
const LATE_MAX: Duration = Duration::from_millis(110);

/// A collector as the laws see it: what may be sent to it.
#[derive(Debug)]
pub struct Watched {
    breaker: Breaker,
    places: usize,
    is_multiplexed: bool,
    under_way: usize,
}

/// A message under way.
#[derive(Debug)]
pub struct Watch {
    call: Call,
    parts: usize,
}

impl Watched {
    pub fn new(config: &otlp::config::Config, endpoint: &otlp::config::Endpoint) -> Self {
        use otlp::config::{HttpVersion, Protocol};
        let export = &config.export;
        let is_multiplexed =
            endpoint.protocol == Protocol::Grpc || endpoint.http_version == HttpVersion::Http2;
        Self {
            breaker: Breaker::new(&config.circuit_breaker),
            places: match (is_multiplexed, export.connection_pool_size) {
                (false, Some(connections)) => export.max_concurrent_requests.min(connections),
                _ => export.max_concurrent_requests,
            },
            is_multiplexed,
            under_way: 0,
        }
    }

    /// No call while the breaker is open, no more trials than it allows, no more than there are
    /// places.
    pub fn sends(&mut self, is_small: bool, now: Instant) -> Watch {
        let call = self.breaker.begin(now);
        let parts = if is_small && self.is_multiplexed {
            1
        } else {
            PARTS
        };
        self.under_way += parts;
        assert!(
            self.under_way <= self.places * PARTS,
            "more under way than there are places"
        );
        Watch {
            call: call.expect("a call while the breaker lets none through"),
            parts,
        }
    }

    pub fn ends(&mut self, watch: &Watch, came: &Attempt, now: Instant) {
        self.under_way -= watch.parts;
        let said = match came {
            Attempt::Answered(Outcome::Refused(refusal)) => {
                verdict(Err((refusal.reason(), refusal.is_retryable())))
            }
            Attempt::Answered(_) => Verdict::Success,
            Attempt::Stale(_) => Verdict::Neutral,
            Attempt::NotSent(_) | Attempt::Broken(..) => Verdict::Failure,
        };
        self.breaker.end(watch.call, said, now);
    }

    /// A good probe may turn the breaker half-open, where it was news.
    pub fn probed_well(&mut self, now: Instant) {
        self.breaker.probe_succeeded(now);
    }
}

/// A refusal says when to try again exactly where that can help.
pub fn refusal(refusal: &Refusal) {
    if refusal.is_retryable() {
        let delay = refusal.retry_after().expect("a delay");
        assert!(delay > Duration::ZERO, "a delay of nothing: {refusal}");
        assert!(delay < Duration::from_secs(3600), "{delay:?}: {refusal}");
    }
}

impl World {
    /// The requests in a message, each of which is nowhere else under way and was not taken before.
    pub(crate) fn law_of_sending(&mut self, collector: usize, message: &Message) -> Vec<u64> {
        if self.is_real(message.signal()) {
            return Vec::new();
        }
        let ids = body::ids(body::bytes_of(message));
        assert!(!ids.is_empty(), "a message without a request");
        let merges =
            message.signal().merges() && !self.is_alone(message.signal(), message.encoding());
        assert!(merges || ids.len() == 1, "merged what is not to be merged");
        let export = &self.plan.config.export;
        let fallback = export.fallback.as_ref();
        let is_fallback = fallback.is_some_and(|it| export.collectors()[collector] == it);
        // What is acknowledged in memory, and refused by the disk, has nowhere else to go.
        let is_queued = self.plan.config.acknowledge == Acknowledge::Queued;
        let has_nowhere = is_queued && self.plan.spool.is_some();
        let has_patience = self.stopping.is_none() && !is_fallback && !has_nowhere;
        // What the disk has failed to write may be found after a kill all the same.
        let may_double = self.plan.disk_fails();
        for id in &ids {
            let expected = body::headers(*id, self.plan.tenants);
            assert_eq!(message.headers(), &expected, "request {id}: whose it is");
            let now = self.now;
            let request = self.books.get(*id);
            assert!(
                !has_patience || request.not_before.is_none_or(|at| now >= at),
                "request {id} is sent to {collector} while a collector has asked for patience"
            );
            assert_eq!(request.signal, message.signal(), "request {id}");
            // Each record that was found of it is sent; see `doubles`.
            assert!(
                request.under_way < request.records.max(1),
                "request {id} is under way twice"
            );
            assert!(
                may_double || !request.is_settled,
                "request {id} is sent after it was settled"
            );
            request.under_way += 1;
        }
        ids
    }

    /// Nobody waits for long after its own deadline.
    pub(crate) fn law_of_deadlines(&mut self, id: u64) {
        let now = self.now;
        if let Some(deadline) = self.books.get(id).deadline {
            let late = now.saturating_duration_since(deadline);
            assert!(late <= LATE_MAX, "request {id} waits {late:?} too long");
        }
    }

    /// An answer is true.
    pub(crate) fn law_of_answers(&mut self, id: u64, outcome: &Outcome) {
        let spools = self.plan.spool.is_some();
        let is_queued = self.plan.config.acknowledge == Acknowledge::Queued;
        if let Outcome::Refused(it) = outcome {
            refusal(it);
        }
        let request = self.books.get(id);
        let is_told_by_collector = request.is_marked && !is_queued && !spools;
        match outcome {
            Outcome::Accepted | Outcome::Partial { .. } => {
                assert!(
                    !is_told_by_collector || request.is_taken,
                    "request {id} is acknowledged, and no collector has said so"
                );
                request.is_acknowledged = true;
            }
            Outcome::Refused(it) if !it.is_retryable() && request.is_marked => {
                assert!(request.is_rejected, "request {id}: nobody said {it}");
            }
            Outcome::Refused(_) => {}
        }
        if matches!(outcome, Outcome::Accepted) && spools && !is_queued {
            self.law_of_storing(id);
        }
    }

    /// What was acknowledged is with a collector or synced on the disk. Looked at now and then: it
    /// takes a copy of the disk.
    fn law_of_storing(&mut self, id: u64) {
        let request = self.books.get(id);
        let settings = self.plan.spool.expect("it spools");
        let may_be_gone = settings.on_full == OnFull::DropOldest || !settings.age_max.is_zero();
        if !request.is_marked || request.has_arrived || may_be_gone || !self.random.chance(50) {
            return;
        }
        let mut disk = self.disk.clone();
        disk.crash();
        let head = body::head(id);
        let is_there = disk.found().iter().any(|found| {
            let contents = disk.contents(found.name).unwrap_or_default();
            contents.windows(head.len()).any(|window| window == head)
        });
        assert!(
            is_there,
            "request {id} is acknowledged, and a power cut loses it"
        );
    }

    /// The ledger of a signal adds up, and agrees with what the senders know.
    ///
    /// A read of it takes longer than an event: each signal's turn comes every fourth time.
    pub(crate) fn law_of_the_ledger(&self) {
        let holds_alone =
            self.plan.config.acknowledge == Acknowledge::Delivered && self.plan.spool.is_none();
        let signal = Signal::ALL[usize::try_from(self.steps % 4).unwrap()];
        let it = self.metrics.account(signal);
        let settled = it.delivered + it.rejected + it.refused + it.dropped + it.sampled;
        assert_eq!(it.received, settled + it.waiting + it.stored, "{it:?}");
        if holds_alone && !self.is_real(signal) {
            let (waiting, gone) = self.books.open(signal);
            assert!(
                waiting <= it.waiting && it.waiting <= waiting + gone,
                "{waiting} items wait for an answer, of {gone} the senders are gone: {it:?}"
            );
            assert_eq!(it.dropped, 0, "{it:?}");
        }
        if self.plan.spool.is_none() {
            self.law_of_patience();
        }
    }

    /// Nobody waits for longer than a batch fills and is under way, give or take a late flusher.
    fn law_of_patience(&self) {
        let config = &self.plan.config;
        let operation = config.export.timeouts.operation;
        let longest = config.batch.flush_interval + operation + Duration::from_millis(50);
        if let Some(id) = self.books.waiting().first() {
            let waited = self.now - self.books.requests[usize::try_from(*id).unwrap()].sent_at;
            assert!(waited <= longest, "request {id} has waited for {waited:?}");
        }
    }

    /// Nobody waits where nothing is left to do.
    pub(crate) fn law_of_rest(&self) {
        assert!(
            self.books.waiting().is_empty(),
            "nothing is left to do, and these wait: {:?}",
            self.books.waiting()
        );
        if self.plan.spool.is_none() {
            for signal in Signal::ALL {
                let it = self.metrics.account(signal);
                assert_eq!(it.waiting, 0, "{it:?}");
            }
        }
    }

    /// After the faults everything is as it was before: breakers closed, nothing degraded.
    pub(crate) fn law_of_recovery(&self) {
        let summary = Registry::new(vec![std::sync::Arc::clone(&self.metrics)])
            .summary(SystemTime::UNIX_EPOCH);
        let fallback = self.plan.config.export.fallback.as_ref();
        for collector in &summary.collectors {
            let is_fallback = fallback.is_some_and(|it| it.authority() == collector.endpoint);
            assert!(
                is_fallback || (collector.breaker == "closed" && collector.healthy != Some(false)),
                "{collector:?}"
            );
        }
        assert!(summary.degradation.is_empty(), "{:?}", summary.degradation);
    }

    /// After a clean stop nothing that was settled is found again, and all else that was stored is.
    /// A disk that has had a bad time since then may lack the marks that say so.
    pub(crate) fn law_of_a_clean_stop(&self) {
        let Some(settings) = self.plan.spool.filter(|_| self.disk_is_well()) else {
            return;
        };
        let (found, counted) = everything(settings, &self.disk, self.now);
        for signal in Signal::ALL {
            let account = self.metrics.account(signal);
            let counted = counted[signal.index()];
            assert!(
                counted >= account.stored,
                "{counted} are found: {account:?}"
            );
        }
        for record in found {
            if !self.is_real(record.signal) {
                for id in body::ids(Bytes::from(record.body.concat())) {
                    let request = &self.books.requests[usize::try_from(id).unwrap()];
                    assert!(
                        !request.is_settled,
                        "request {id} is found after a clean stop"
                    );
                }
            }
        }
    }

    /// Whether the disk has been well since the process was told to stop.
    pub(crate) fn disk_is_well(&self) -> bool {
        let began = self.stopping.map(Stopping::began);
        !self.disk_is_bad && began.is_none_or(|began| self.disk_changed_at <= began)
    }

    /// After a clean stop with nothing left, the next process finds nothing to send.
    pub(crate) fn law_of_a_clean_start(&self) {
        for signal in Signal::ALL {
            let account = self.metrics.account(signal);
            assert_eq!(account.received, 0, "found again: {account:?}");
        }
    }

    /// What was acknowledged is with a collector, or was counted as lost.
    pub(crate) fn law_of_the_end(&self) {
        assert_eq!(self.budget.used(), 0, "memory that nobody gives back");
        assert_eq!(self.header_sets.count(), 0, "headers that nobody lets go");
        let may_drop = self.plan.may_drop();
        for signal in Signal::ALL {
            let account = self.metrics.account(signal);
            assert_eq!((account.waiting, account.stored), (0, 0), "{account:?}");
            let dropped = account.dropped + self.dropped[signal.index()];
            // What a bad disk cannot read, time and again, is given up.
            let may_drop = may_drop || self.plan.disk_fails();
            assert!(may_drop || dropped == 0, "dropped {dropped}: {account:?}");
            let (missing, ids) = self.books.missing(signal);
            assert!(
                missing <= dropped,
                "{missing} items are missing, {dropped} were counted as dropped: {ids:?}"
            );
        }
    }
}
