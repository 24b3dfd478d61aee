//! Bytes in: accept, sniff, read, prove, count, hand over, answer.
//!
//! Knows no collector: what becomes of a request comes back through the [`Ack`] that
//! [`Context::submit`] gives.

mod bodies;
mod body;
mod call;
mod connection;
mod date;
mod export;
mod http1;
mod http2;
mod in_call;
mod prove;
mod reads;
mod reply;
mod watch;

use std::{cell::RefCell, io, rc::Rc, sync::Arc, time::Duration};

pub use bodies::Bodies;
pub use connection::Connections;
use http::HeaderName;
pub use reads::Reads;

use crate::{
    batch::{Ack, Budget, ExportRequest},
    config::{Limits, Validate},
    encoding::Encoding,
    headers::{Forwarded, Full, HeaderSet, HeaderSets},
    jitter::Jitter,
    logging::Limiter,
    metrics::ShardMetrics,
    net::{Buffers, Gate},
    outcome::{Reason, Refusal},
    rt,
    signal::Signal,
    wire::Unpacker,
};

/// What the receiver of one shard works with.
///
/// - Shard: one per shard, shared by its connections through `Rc`.
pub struct Context {
    /// The shard's memory.
    pub budget: Rc<Budget>,
    /// Closed while the budget is over its soft mark.
    pub gate: Rc<Gate>,
    /// Spare buffers.
    pub buffers: Rc<Buffers>,
    /// The shard's counters.
    pub metrics: Arc<ShardMetrics>,
    /// Headers of a request that go on with it.
    pub forward_headers: Rc<[HeaderName]>,
    /// Those that are in use.
    pub header_sets: HeaderSets,
    /// Bounds on what a sender can make grow.
    pub limits: Limits,
    /// How much of a request is proven.
    pub validate: Validate,
    /// How requests are sent: one that comes in this encoding goes on as it came.
    pub compression: Encoding,
    /// Whether every collector of a signal reads all gzip members or zstd frames of a body.
    pub merge_compressed: [bool; 4],
    /// Unpacks bodies, one at a time.
    pub unpacker: RefCell<Unpacker>,
    /// Whether there is a collector for each signal, by [`Signal::index`].
    pub served: [bool; 4],
    /// Connections that this shard may hold.
    pub connections_max: usize,
    /// Whether a request of a signal is worth its reading.
    pub admit: Box<dyn Fn(Signal) -> Result<(), Refusal>>,
    /// Where a request goes.
    pub submit: Box<dyn Fn(ExportRequest) -> Ack>,
    /// Open connections.
    pub connections: Connections,
    /// Memory for bodies.
    pub bodies: Bodies,
    /// Bodies that are being read.
    pub reads: Reads,
    /// Makes delays differ, so that senders that were refused together do not return together.
    pub jitter: Jitter,
    /// Keeps lines about refused connections few.
    pub refusals_logged: Limiter,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The largest body that is taken: the configured limit, or what the budget can hold at all.
    fn body_bytes_max(&self) -> usize {
        self.limits.request_bytes.min(self.budget.body_bytes_max())
    }

    fn too_large(&self, bytes: Option<usize>) -> Refusal {
        let bound = self.body_bytes_max();
        let size = bytes.map_or_else(
            || "more than".to_owned(),
            |bytes| format!("{bytes} bytes, over"),
        );
        let key = if bound == self.limits.request_bytes {
            "limits.request_bytes"
        } else {
            "a shard's share of memory_limit"
        };
        Refusal::permanent(
            Reason::TooLarge,
            format!(
                "the request is {size} the {bound} bytes that {key} allows; send smaller batches"
            ),
        )
    }

    /// Refuses a signal for which there is no collector, or none that may be called.
    ///
    /// - Source: the first is final, so that no sender tries for ever what no configuration serves.
    fn serves(&self, signal: Signal) -> Result<(), Refusal> {
        if self.served[signal.index()] {
            return (self.admit)(signal);
        }
        Err(Refusal::permanent(
            Reason::UnknownPath,
            format!("no collector is configured for {signal}: set endpoint or {signal}_endpoint"),
        ))
    }

    fn memory_full(&self) -> Refusal {
        Refusal::retryable(
            Reason::MemoryFull,
            self.jitter.between(MEMORY_DELAY, MEMORY_DELAY * 2),
            "the memory budget is spent; try again after the delay",
        )
    }

    /// The set of a request's headers that go on with it; `None` where there are none.
    fn header_set(&self, headers: &Forwarded) -> Result<Option<HeaderSet>, Refusal> {
        self.header_sets.get(headers).map_err(|Full { max }| {
            let text = format!(
                "as many different sets of forward_headers are in use as limits.header_sets \
                 allows ({max} in each shard); try again after the delay, or raise it"
            );
            let delay = self.jitter.between(MEMORY_DELAY, MEMORY_DELAY * 2);
            Refusal::retryable(Reason::HeaderSetsFull, delay, text)
        })
    }

    /// Looks after what no socket event would wake: idle connections, senders that do not read
    /// their answers, bodies that never end.
    pub fn sweep(&self) {
        let now = rt::now();
        self.connections.sweep(now, self.limits.idle_timeout);
        self.reads.sweep(now, self.limits.request_timeout);
        self.report_memory();
    }

    /// Tells the counters how full the budget is.
    pub fn report_memory(&self) {
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        self.metrics
            .set_memory(count(self.budget.used()), count(self.budget.limit()));
    }
}

/// The shortest delay that a sender is told when the budget is spent, or no further set of headers
/// may be in use; up to twice as long.
///
/// - Source: chosen: long enough for a batch to come back, short enough that no SDK's queue
///   overflows.
const MEMORY_DELAY: Duration = Duration::from_secs(1);

/// How long accepting pauses when the kernel has no file descriptor left.
///
/// - Source: chosen: connections wait in the backlog meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the drain.
pub async fn serve(context: Rc<Context>, listener: rt::TcpListener) {
    let mut draining = std::pin::pin!(context.connections.drained());
    loop {
        let accept = std::pin::pin!(listener.accept());
        let accepted = match futures_util::future::select(accept, draining.as_mut()).await {
            futures_util::future::Either::Left((accepted, _)) => accepted,
            futures_util::future::Either::Right(_) => return,
        };
        match accepted {
            Ok(stream) if context.connections.count() < context.connections_max => {
                rt::spawn(connection::serve(Rc::clone(&context), stream));
            }
            Ok(over_the_limit) => {
                drop(over_the_limit);
                if let Some(suppressed) = context.refusals_logged.allow(rt::now()) {
                    tracing::warn!(
                        connections = context.connections.count(),
                        suppressed,
                        "a connection was closed at once: raise limits.connections or the \
                         open-file limit"
                    );
                }
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections; trying again");
                rt::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
