//! Senders: what they sent, what they were told, and what came of it.

use std::time::Instant;

use otlp::{
    batch::Ack,
    outcome::{Code, Outcome, Reason, Refusal},
    signal::Signal,
};

/// A request, from the sender's and the collectors' side.
#[derive(Debug)]
pub struct Request {
    pub signal: Signal,
    pub items: u64,
    /// Collectors can tell which request it is.
    pub is_marked: bool,
    ack: Option<Ack>,
    /// When its sender gives up, where it says so.
    pub deadline: Option<Instant>,
    /// Its sender was told OK.
    pub is_acknowledged: bool,
    /// A collector has it, whether it could say so or not.
    pub has_arrived: bool,
    /// A collector has said that it has it, to the process that runs now.
    pub is_taken: bool,
    /// Nothing of it is to be sent again by the process that runs now, or by one that begins after
    /// a clean stop: a collector has taken it, or refused it for good.
    pub is_settled: bool,
    /// A collector has refused it for good.
    pub is_rejected: bool,
    /// It was acknowledged in memory, and the process has died.
    pub may_be_lost: bool,
    /// When it was sent.
    pub sent_at: Instant,
    /// A collector has asked for patience until then.
    pub not_before: Option<Instant>,
    /// Messages with it that are under way.
    pub under_way: u32,
    /// Records of it that the process which runs now has found on the disk.
    pub records: u32,
}

/// Every request of a seed, by its number.
#[derive(Debug, Default)]
pub struct Books {
    pub requests: Vec<Request>,
    waiting: Vec<u64>,
    /// Items of each signal whose senders have gone without an answer.
    gone: [u64; 4],
}

impl Books {
    pub fn next_id(&self) -> u64 {
        self.requests.len() as u64
    }

    pub fn get(&mut self, id: u64) -> &mut Request {
        let at = usize::try_from(id).unwrap();
        &mut self.requests[at]
    }

    /// Enters a request whose number is [`Books::next_id`].
    pub fn sent(&mut self, signal: Signal, items: u64, is_marked: bool, sent_at: Instant) {
        self.requests.push(Request {
            signal,
            items,
            is_marked,
            ack: None,
            deadline: None,
            is_acknowledged: false,
            has_arrived: false,
            is_taken: false,
            is_settled: false,
            is_rejected: false,
            may_be_lost: false,
            sent_at,
            not_before: None,
            under_way: 0,
            records: 0,
        });
    }

    pub fn waits(&mut self, id: u64, deadline: Option<Instant>, ack: Ack) {
        let request = self.get(id);
        request.ack = Some(ack);
        request.deadline = deadline;
        self.waiting.push(id);
    }

    pub fn waiting(&self) -> &[u64] {
        &self.waiting
    }

    /// Answers that have come since the last time.
    pub fn answers(&mut self) -> Vec<(u64, Outcome)> {
        let mut came = Vec::new();
        let requests = &mut self.requests;
        self.waiting.retain(|id| {
            let request = &mut requests[usize::try_from(*id).unwrap()];
            let ack = request.ack.take().expect("it waits");
            match ack.known() {
                Ok(outcome) => {
                    // What is under way goes on without its sender.
                    if matches!(&outcome, Outcome::Refused(it) if it.reason() == Reason::Deadline) {
                        self.gone[request.signal.index()] += request.items;
                    }
                    came.push((*id, outcome));
                    false
                }
                Err(ack) => {
                    request.ack = Some(ack);
                    true
                }
            }
        });
        came
    }

    /// A sender goes without its answer, where it has none yet.
    pub fn goes(&mut self, id: u64) {
        if self.get(id).ack.take().is_some() {
            let (signal, items) = (self.get(id).signal, self.get(id).items);
            self.gone[signal.index()] += items;
            self.waiting.retain(|other| *other != id);
        }
    }

    /// The process has ended: what it knew is gone, and so is what it had in memory alone. Where it
    /// `remembers`, what needs no replay is written down.
    pub fn process_ended(&mut self, holds_acknowledged: bool, remembers: bool) {
        self.gone = [0; 4];
        self.waiting.clear();
        for request in &mut self.requests {
            request.ack = None;
            request.is_taken = false;
            request.is_settled &= remembers;
            request.not_before = None;
            request.under_way = 0;
            request.may_be_lost |= holds_acknowledged && request.is_acknowledged;
        }
    }

    /// Items of a signal whose senders wait, and those whose senders have gone.
    pub fn open(&self, signal: Signal) -> (u64, u64) {
        let requests = self
            .waiting
            .iter()
            .map(|id| &self.requests[usize::try_from(*id).unwrap()]);
        let of_signal = requests.filter(|request| request.signal == signal);
        let waiting = of_signal.map(|request| request.items).sum();
        (waiting, self.gone[signal.index()])
    }

    /// A collector has refused these for good.
    pub fn refused(&mut self, ids: &[u64], refusal: &Refusal) {
        let is_cut = matches!(
            refusal.reason(),
            Reason::Collector(Code::InvalidArgument | Code::ResourceExhausted)
        );
        if refusal.is_retryable() || (is_cut && ids.len() > 1) {
            return;
        }
        for id in ids {
            let request = self.get(*id);
            request.is_rejected = true;
            request.is_settled = true;
        }
    }

    /// Items of a signal that were acknowledged and are nowhere.
    pub fn missing(&self, signal: Signal) -> (u64, Vec<usize>) {
        let all = self.requests.iter().enumerate();
        let missing = all.filter(|(_, request)| {
            request.signal == signal
                && request.is_marked
                && request.is_acknowledged
                && !request.has_arrived
                && !request.is_rejected
                && !request.may_be_lost
        });
        let (items, ids): (Vec<_>, _) = missing.map(|(id, it)| (it.items, id)).unzip();
        (items.iter().sum(), ids)
    }
}
