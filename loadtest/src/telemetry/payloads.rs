//! The requests of a sender, one after another.

use std::ops::Range;

use bytes::Bytes;

use super::id::ItemId;
use super::request::Request;
use super::rng::Rng;
use super::shop::Shop;
use super::signal::{Encoding, Mix, Signal, Turns};
use super::template::Template;

/// What a sender sends.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The signals, by their share of the requests.
    pub signals: Mix,
    /// Items a request: from 1 to [`Workload::MOST_ITEMS`]; what is beyond is brought to the nearer bound.
    pub items: u32,
    /// How bodies are encoded.
    pub encoding: Encoding,
    /// The sender's number, in every id.
    pub sender: u16,
    /// What the content is drawn from; the same seed gives the same bytes.
    pub seed: u64,
}

impl Workload {
    /// Most items a request.
    pub const MOST_ITEMS: u32 = 10_000;
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Its signal.
    pub signal: Signal,
    /// Its body, not compressed.
    pub body: Bytes,
    /// Items in it.
    pub items: u32,
    /// Their ids, as in [`ItemId`].
    pub ids: Range<u64>,
}

/// Makes one request after another, without end.
#[derive(Debug)]
pub struct Payloads {
    turns: Turns,
    pools: [Vec<Template>; 3],
    items: u32,
    sender: u16,
    /// Items so far.
    sequence: u64,
    /// Requests so far, by signal.
    requests: [usize; 3],
}

/// Different requests of a signal, at most.
const POOL: usize = 64;

/// Different items of a signal, about: a pool of large requests is a smaller one.
const POOL_ITEMS: usize = 4096;

impl Payloads {
    /// Draws the pool of requests and encodes it.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let items = workload.items.clamp(1, Workload::MOST_ITEMS);
        let mut rng = Rng::new(workload.seed);
        let shop = Shop::new(&mut rng);
        let pools = Signal::ALL.map(|signal| {
            // Each signal has a sequence of its own, so that its content does not depend on the mix.
            let mut rng = Rng::new(rng.next());
            let size = match workload.signals.weight(signal) {
                0 => 0,
                _ => (POOL_ITEMS / items as usize).clamp(2, POOL),
            };
            (0..size)
                .map(|_| Request::generate(signal, &shop, items as usize, &mut rng))
                .map(|request| Template::new(signal, workload.encoding, &request))
                .collect()
        });
        Self {
            turns: Turns::new(workload.signals.clone()),
            pools,
            items,
            sender: workload.sender,
            sequence: 0,
            requests: [0; 3],
        }
    }

    /// The next request. Copies it from the pool and stamps its items: a few microseconds for a
    /// hundred of them.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, so there is no Option"
    )]
    pub fn next(&mut self) -> Payload {
        let signal = self.turns.next();
        let pool = &self.pools[signal as usize];
        let template = &pool[self.requests[signal as usize] % pool.len()];
        self.requests[signal as usize] += 1;
        let first = ItemId::new(self.sender, self.sequence).0;
        self.sequence += u64::from(self.items);
        Payload {
            signal,
            body: template.stamped(first).into(),
            items: self.items,
            ids: first..first + u64::from(self.items),
        }
    }
}
