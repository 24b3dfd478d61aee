//! The generator: threads of senders, started and ended.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::Sender,
    },
    time::Instant,
};

use hdrhistogram::Histogram;

use super::{counts::Counts, ids::Ids, sender::send_all};
use crate::{
    config::Endpoint,
    rt::{self, Thread, ThreadOptions},
    shard::Stop,
    signal::Signal,
};

/// Requests on their way on each connection at the most.
///
/// - Source: chosen: enough that a connection is never without work while an answer travels.
pub(super) const REQUESTS_PER_CONNECTION: usize = 4;

/// What is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The forwarder's gRPC port.
    pub endpoint: Endpoint,
    pub threads: usize,
    /// Connections of all threads together.
    pub connections: usize,
    /// Items of each request.
    pub items: u32,
    /// The signal of each request, in turn.
    pub turns: Vec<Signal>,
    /// Items a second of all threads together; `None`: as fast as answers come.
    pub rate: Option<u64>,
    /// Requests after which to stop.
    pub requests_max: u64,
}

/// What a thread of the generator tells.
#[derive(Debug)]
pub(super) enum Note {
    /// How long the requests took that were acknowledged since the last note, in microseconds.
    Latency(Histogram<u64>),
    /// The thread has sent all and heard all.
    Done {
        /// The numbers of the items that were acknowledged.
        acknowledged: [Ids; 4],
        /// When it heard the last answer.
        last_answer: Instant,
    },
}

/// A running generator.
#[derive(Debug)]
pub(super) struct Generator {
    stop: Arc<AtomicBool>,
    hang_ups: Vec<Arc<Stop>>,
    threads: Vec<Thread>,
}

impl Generator {
    pub(super) fn start(
        plan: &Plan,
        counts: &Arc<Counts>,
        notes: &Sender<Note>,
    ) -> io::Result<Self> {
        let mut generator = Self {
            stop: Arc::default(),
            hang_ups: Vec::new(),
            threads: Vec::new(),
        };
        for _ in 0..plan.threads {
            let options = ThreadOptions {
                name: "otlp-generator".to_owned(),
                core: None,
                blocking_threads: 1,
            };
            let (plan, notes) = (plan.clone(), notes.clone());
            let (counts, stop) = (Arc::clone(counts), Arc::clone(&generator.stop));
            let hang_up = Arc::new(Stop::default());
            generator.hang_ups.push(Arc::clone(&hang_up));
            let thread = rt::start(options, move || async move {
                send_all(plan, counts, stop, notes).await;
                hang_up.told().await;
            })?;
            generator.threads.push(thread);
        }
        Ok(generator)
    }

    /// Begins no more requests; those on their way are waited for.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Ends the threads. Until then the connections are kept, idle, as senders keep theirs: the
    /// forwarder's drain is what closes them.
    pub(super) fn end(self) {
        for hang_up in self.hang_ups {
            hang_up.tell();
        }
        for thread in self.threads {
            if let Err(error) = thread.join() {
                tracing::warn!(%error, "the generator ended badly");
            }
        }
    }
}

/// An empty histogram of microseconds, up to an hour, exact to a hundredth.
pub(super) fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that hold")]
    Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("the bounds are in order")
}
