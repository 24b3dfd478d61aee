//! What senders send, and what collectors answer.

use otlp::{
    batch::{Ack, ExportRequest, Permit},
    degrade::Probe,
    encoding::Encoding,
    metrics::Transport,
    outcome::{Attempt, Outcome},
    signal::Signal,
};

use super::{Event, Phase, Sent, World};
use crate::{body, laws, plan::between};

impl World {
    /// A sender sends.
    pub(super) fn arrives(&mut self) {
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
        let request = ExportRequest {
            signal,
            items,
            encoding,
            body,
            bytes,
            deadline,
            place: None,
            headers,
            permit,
        };
        let ack = self.submit(request);
        self.books.waits(id, deadline, ack);
        if self.random.chance(self.plan.gone) {
            let goes = between(&mut self.random, 0, 3000);
            self.after(goes, Event::Goes(id));
        }
    }

    /// Hands a request over as a driver does: the flusher hears of it only where it has to.
    fn submit(&mut self, request: ExportRequest) -> Ack {
        let key = request.key();
        let now = self.now;
        let was_open = self.delivery.is_open(&key);
        let ack = self.delivery.submit(request, now);
        if self.delivery.has_work() {
            self.pump();
        }
        let is_fresh = !was_open && self.delivery.is_open(&key);
        if is_fresh || self.delivery.has_sooner(now) {
            self.flush_soon();
        }
        ack
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

    /// A collector answers, or does not.
    pub(super) fn answers(&mut self, sent: Sent) {
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

    pub(super) fn probed(&mut self, collector: usize, probe: Probe) {
        if !matches!(probe, Probe::Unhealthy(_)) {
            self.watched[collector].probed_well(self.now);
        }
        self.delivery.probed(collector, probe, self.now);
    }
}
