//! One core's whole world: built, run, drained. The only room where receiver and exporter meet.

mod disk;
mod pipeline;
mod stop;

use std::{
    cell::RefCell,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use futures_util::future::{Either, select};

pub use disk::Disk;
pub use stop::Stop;

pub use crate::delivery::ReplayRate;
use crate::{
    batch::Budget,
    config::{Acknowledge, Config},
    delivery::{Delivery, Lent, LentSpool},
    exporter::{Exporter, Shared},
    headers::HeaderSets,
    jitter::Jitter,
    metrics::ShardMetrics,
    net::{Buffers, Gate, Hold},
    receiver::{self, Bodies, Connections, Context, Reads},
    rt,
    signal::Signal,
    spool::{Directory, FoundSegment, Settings, Spool},
    wire::Unpacker,
};
use pipeline::Pipeline;

/// How often a shard with connections looks after what no socket event would wake.
///
/// - Cost: one timer while connections are open, 0.02 % of a core; none without.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What a shard is built from.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// The shard's number, from 0.
    pub index: usize,
    /// Bytes of requests that it may hold.
    pub memory_bytes: usize,
    /// Connections of senders that it may hold.
    pub connections_max: usize,
    /// Its listening sockets.
    pub listeners: Vec<TcpListener>,
    /// Its counters.
    pub metrics: Arc<ShardMetrics>,
    /// Tells it to drain.
    pub stop: Arc<Stop>,
    /// Its part of the disk; `None` where the configuration asks for none.
    pub spool: Option<SpoolSetup>,
}

/// A shard's part of the disk.
#[derive(Debug)]
pub struct SpoolSetup {
    /// The directory, which the process owns.
    pub directory: Arc<Directory>,
    /// Segments of earlier runs that this shard takes over.
    pub found: Vec<FoundSegment>,
    /// What the shard may use, and how.
    pub settings: Settings,
    /// How fast all shards together read back.
    pub replay_rate: Arc<ReplayRate>,
}

/// Runs a shard until it is told to stop and has drained, or the drain timeout is up.
///
/// `on_listening` is called once the listening sockets are served; never where the shard cannot
/// start, which is logged.
pub async fn run(setup: Setup, on_listening: impl FnOnce()) {
    let Setup {
        config,
        index,
        memory_bytes,
        connections_max,
        listeners,
        metrics,
        stop,
        spool,
    } = setup;
    let buffers = Rc::new(Buffers::default());
    let gate = Rc::new(Gate::default());
    let budget = Budget::new(memory_bytes, {
        let gate = Rc::clone(&gate);
        move |over_soft| gate.hold(Hold::Memory, over_soft)
    });
    let exporter = Exporter::new(
        &config.export,
        Shared {
            buffers: Rc::clone(&buffers),
            metrics: Arc::clone(&metrics),
            response_bytes_max: config.limits.response_bytes,
        },
    );
    let (now, unix_nanos) = (rt::now(), unix_nanos());
    let (spool, disk) = match spool {
        Some(setup) => {
            let disk = match Disk::open(Arc::clone(&setup.directory), index).await {
                Ok(disk) => disk,
                Err(error) => {
                    tracing::error!(%error, "the thread of the spool does not start");
                    return;
                }
            };
            let spool = open_spool(&setup, index, now, unix_nanos);
            let lent = LentSpool {
                spool,
                bytes_max: setup.settings.bytes_max,
                replay_rate: setup.replay_rate,
            };
            (Some(lent), Some(disk))
        }
        None => (None, None),
    };
    let lent = Lent {
        metrics: Arc::clone(&metrics),
        budget: Rc::clone(&budget),
        jitter: Jitter::new(seed(index)),
        spool,
    };
    let delivery = Delivery::new(&config, lent, now, unix_nanos);
    let pipeline = Pipeline::new(
        delivery,
        exporter,
        disk,
        &config.health_check,
        Rc::clone(&gate),
    );
    let context = Rc::new(Context {
        budget,
        gate,
        buffers,
        metrics,
        forward_headers: Rc::from(config.forward_headers.as_slice()),
        header_sets: HeaderSets::new(config.limits.header_sets),
        limits: config.limits,
        validate: config.validate,
        compression: config.export.compression,
        merge_compressed: config.export.merge_compressed,
        unpacker: RefCell::new(Unpacker::new()),
        served: Signal::ALL.map(|signal| !config.export.endpoints_of(signal).is_empty()),
        connections_max,
        admit: Box::new({
            let pipeline = Rc::clone(&pipeline);
            move |signal| pipeline.admit(signal)
        }),
        submit: Box::new({
            let pipeline = Rc::clone(&pipeline);
            move |request| pipeline.submit(request)
        }),
        connections: Connections::default(),
        bodies: Bodies::default(),
        reads: Reads::default(),
        jitter: Jitter::new(seed(index + 1)),
        refusals_logged: crate::logging::Limiter::new(),
    });
    context.report_memory();
    rt::spawn(Rc::clone(&pipeline).flush());
    rt::spawn(look_after(Rc::clone(&context), Rc::clone(&pipeline)));
    for listener in listeners {
        let listener = rt::TcpListener::from_std(listener);
        rt::spawn(receiver::serve(Rc::clone(&context), listener));
    }
    on_listening();

    stop.told().await;
    drain(&config, &context, &pipeline).await;
}

/// Finishes what was taken: connections end after their calls, batches are sealed and answered.
async fn drain(config: &Config, context: &Context, pipeline: &Rc<Pipeline>) {
    context.connections.drain();
    pipeline.drain();
    let finished = async {
        context.connections.closed().await;
        pipeline.empty().await;
        pipeline.close().await;
    };
    if rt::timeout(config.drain_timeout, finished).await.is_err() {
        tracing::warn!(
            connections = context.connections.count(),
            batches = pipeline.batches(),
            acknowledged = config.acknowledge == Acknowledge::Queued,
            "drain_timeout is up: leaving what is unfinished; senders that were not answered will \
             send again"
        );
    }
}

/// Sweeps while there is anything to look after; parks otherwise.
async fn look_after(context: Rc<Context>, pipeline: Rc<Pipeline>) {
    loop {
        context.sweep();
        pipeline.sweep();
        let busy = context.connections.count() > 0 || pipeline.batches() > 0;
        if busy {
            rt::sleep(SWEEP_INTERVAL).await;
        } else {
            context.connections.opened().await;
        }
    }
}

/// Ends at whichever comes first.
async fn first_of(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (one, other) = (std::pin::pin!(one), std::pin::pin!(other));
    match select(one, other).await {
        Either::Left(((), _)) | Either::Right(((), _)) => {}
    }
}

fn open_spool(setup: &SpoolSetup, index: usize, now: Instant, unix_nanos: u64) -> Spool {
    let shard = u32::try_from(index).unwrap_or(u32::MAX);
    let SpoolSetup {
        settings, found, ..
    } = setup;
    Spool::new(*settings, shard, seed(index + 2), found, now, unix_nanos)
}

fn unix_nanos() -> u64 {
    let since = rt::unix_time().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// A different seed for each shard of each process.
fn seed(index: usize) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_usize(index);
    hasher.finish()
}
