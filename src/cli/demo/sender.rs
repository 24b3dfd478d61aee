//! The senders of one thread: each has one request on its way.

use std::{
    cell::{Cell, RefCell},
    mem,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::Sender,
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use bytes::Bytes;
use hdrhistogram::Histogram;

use super::{
    counts::Counts,
    generator::{Note, Plan, REQUESTS_PER_CONNECTION, histogram},
    ids::Ids,
    payload::Payload,
    shop,
};
use crate::{
    config::{Config, Export},
    encoding::Encoding,
    exporter::{Exporter, Shared},
    metrics::ShardMetrics,
    net::Buffers,
    outcome::Outcome,
    rt::{self, Notify},
    signal::Signal,
    wire::Message,
};

/// How often latencies are handed over, and the longest wait without a look at the stop signal.
const TICK: Duration = Duration::from_millis(200);

/// The longest that an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The pause before another try where nobody names one.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the senders of one thread share.
struct Senders {
    plan: Plan,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    /// One a connection.
    exporters: Vec<Exporter>,
    payloads: Vec<Payload>,
    /// Time from one request to the next, and when the next is due.
    pace: Option<(Duration, Cell<Instant>)>,
    latency: RefCell<Histogram<u64>>,
    acknowledged: RefCell<[Ids; 4]>,
    last_answer: Cell<Instant>,
    left: Cell<usize>,
    ended: Notify,
}

/// Sends until all is sent or the generator is stopped, and hears every answer.
pub(super) async fn send_all(
    plan: Plan,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    notes: Sender<Note>,
) {
    let connections = plan.connections.div_ceil(plan.threads);
    let senders = Rc::new(Senders::new(plan, counts, stop, connections));
    for connection in 0..connections {
        Rc::clone(&senders).start(connection, 0);
    }
    rt::spawn({
        let (senders, notes) = (Rc::clone(&senders), notes.clone());
        async move {
            while senders.left.get() > 0 {
                rt::sleep(TICK).await;
                senders.exporters.iter().for_each(Exporter::sweep);
                senders.hand_over(&notes);
            }
        }
    });
    while senders.left.get() > 0 {
        senders.ended.notified().await;
    }
    senders.hand_over(&notes);
    let acknowledged = mem::take(&mut *senders.acknowledged.borrow_mut());
    // Nobody waits for it where the demo was broken off.
    drop(notes.send(Note::Done {
        acknowledged,
        last_answer: senders.last_answer.get(),
    }));
}

impl Senders {
    fn new(plan: Plan, counts: Arc<Counts>, stop: Arc<AtomicBool>, connections: usize) -> Self {
        let export = Export {
            endpoints: vec![plan.endpoint.clone()],
            connection_pool_size: Some(1),
            ..Config::default().export
        };
        let (buffers, metrics) = (Rc::new(Buffers::default()), ShardMetrics::new(0));
        let exporter = || {
            let shared = Shared {
                buffers: Rc::clone(&buffers),
                metrics: Arc::clone(&metrics),
                response_bytes_max: 64 << 10,
            };
            Exporter::new(&export, shared)
        };
        let since_epoch = rt::unix_time()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        let payloads = Signal::ALL
            .into_iter()
            .filter(|signal| plan.turns.contains(signal))
            .flat_map(|signal| (0..shop::VARIANTS).map(move |variant| (signal, variant)))
            .map(|(signal, variant)| Payload::new(signal, plan.items, variant, now))
            .collect();
        let pace = plan.rate.map(|rate| {
            let nanoseconds = u64::from(plan.items) * 1_000_000_000 / rate.max(1);
            let threads = u32::try_from(plan.threads).unwrap_or(1);
            let every = Duration::from_nanos(nanoseconds) * threads;
            (every, Cell::new(rt::now()))
        });
        Self {
            exporters: std::iter::repeat_with(exporter).take(connections).collect(),
            plan,
            counts,
            stop,
            payloads,
            pace,
            latency: RefCell::new(histogram()),
            acknowledged: RefCell::default(),
            last_answer: Cell::new(rt::now()),
            left: Cell::new(0),
            ended: Notify::default(),
        }
    }

    /// Starts a sender. The first of a connection starts the others once it has an answer, so
    /// that they find the connection open.
    fn start(self: Rc<Self>, connection: usize, place: usize) {
        self.left.set(self.left.get() + 1);
        rt::spawn(async move {
            let mut is_first = place == 0;
            while self.send_one(connection).await {
                if mem::take(&mut is_first) {
                    for place in 1..REQUESTS_PER_CONNECTION {
                        Rc::clone(&self).start(connection, place);
                    }
                }
            }
            self.left.set(self.left.get() - 1);
            self.ended.notify();
        });
    }

    /// Sends one request; `false` where there is none left to send.
    async fn send_one(&self, connection: usize) -> bool {
        let Some(planned) = self.next_start().await else {
            return false;
        };
        let turn = self.counts.turns.fetch_add(1, Relaxed);
        if turn >= self.plan.requests_max {
            return false;
        }
        let Some(payload) = self.payload(turn) else {
            return false;
        };
        let first = self.counts.issue(payload.signal, self.plan.items.into());
        let body: Arc<[Bytes]> = Arc::new([payload.numbered(first)]);
        let message = Message::new(payload.signal, Encoding::Identity, body);
        if self.deliver(&self.exporters[connection], &message).await {
            self.acknowledged(payload.signal, first, planned);
        }
        true
    }

    /// The payload of this turn: signals as planned, services one after the other.
    fn payload(&self, turn: u64) -> Option<&Payload> {
        let turn = usize::try_from(turn).unwrap_or(0);
        let count = self.plan.turns.len();
        let signal = self.plan.turns[turn % count];
        let mut of_signal = self.payloads.iter().filter(|it| it.signal == signal);
        of_signal.nth(turn / count % shop::VARIANTS)
    }

    /// Waits until the next request is due; `None` when there is to be no more. With a rate, the
    /// time is the planned one, so that what falls behind shows as latency.
    async fn next_start(&self) -> Option<Instant> {
        let Some((every, next)) = &self.pace else {
            return (!self.stop.load(Relaxed)).then(rt::now);
        };
        let due = next.get();
        next.set(due + *every);
        self.wait_until(due).await.then_some(due)
    }

    /// Waits until then; `false` where the generator was stopped before.
    async fn wait_until(&self, then: Instant) -> bool {
        while !self.stop.load(Relaxed) {
            let left = then.saturating_duration_since(rt::now());
            if left.is_zero() {
                return true;
            }
            rt::sleep(left.min(TICK)).await;
        }
        false
    }

    /// Sends a request until it is acknowledged: again after the delay where the forwarder asks
    /// for that, as every SDK does.
    async fn deliver(&self, exporter: &Exporter, message: &Message) -> bool {
        loop {
            self.counts.in_flight.fetch_add(1, Relaxed);
            let attempt = exporter.attempt(0, message, ANSWER_TIMEOUT).await;
            self.counts.in_flight.fetch_sub(1, Relaxed);
            self.last_answer.set(rt::now());
            let refusal = match attempt.into_outcome(RETRY_DELAY) {
                Outcome::Accepted | Outcome::Partial { rejected: 0, .. } => return true,
                Outcome::Partial { .. } => None,
                Outcome::Refused(refusal) => refusal.retry_after(),
            };
            self.counts.refused.fetch_add(1, Relaxed);
            let Some(delay) = refusal else { return false };
            if !self.wait_until(rt::now() + delay).await {
                return false;
            }
        }
    }

    fn acknowledged(&self, signal: Signal, first: u64, planned: Instant) {
        let took = rt::now().saturating_duration_since(planned);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency.borrow_mut().saturating_record(microseconds);
        let items = u64::from(self.plan.items);
        let ids = &mut self.acknowledged.borrow_mut()[signal.index()];
        (first..first + items).for_each(|id| ids.mark(id));
        self.counts.acknowledge(signal, items);
    }

    fn hand_over(&self, notes: &Sender<Note>) {
        let latency = self.latency.replace(histogram());
        // Nobody listens where the demo was broken off.
        drop(notes.send(Note::Latency(latency)));
    }
}
