//! A collector inside the process: a receiver on threads of its own that hands over what arrives.

use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};

use crate::{
    batch::{Ack, Budget, ExportRequest},
    config::{Config, Endpoint, HttpVersion, Protocol},
    encoding::Encoding,
    headers::HeaderSets,
    jitter::Jitter,
    logging::Limiter,
    metrics::ShardMetrics,
    net::{self, Buffers, Gate, Hold},
    outcome::Outcome,
    receiver::{self, Bodies, Connections, Context, Reads},
    rt::{self, Thread, ThreadOptions},
    shard::Stop,
    signal::Signal,
    wire::Unpacker,
};

/// Bytes of requests that one thread may hold.
///
/// - Source: chosen: the largest request that a forwarder takes by default fits in.
const MEMORY_BYTES: usize = 128 << 20;

/// Connections that one thread takes.
///
/// - Source: chosen: every shard of a large host, with the largest pool that can be set.
const CONNECTIONS_MAX: usize = 65_536;

/// How often [`Collect::tick`] is called.
const TICK: Duration = Duration::from_millis(500);

/// One request, as it arrived.
#[derive(Debug)]
pub(super) struct Arrival {
    pub signal: Signal,
    /// Spans, data points, log records or samples in it.
    pub items: u64,
    pub body: Bytes,
}

/// What is done with what arrives. One a thread.
pub(super) trait Collect: 'static {
    /// Takes a request or refuses it.
    fn collect(&mut self, arrival: Arrival) -> Outcome;

    /// Called twice a second, whether anything arrives or not.
    fn tick(&mut self) {}

    /// Called once, after the last request.
    fn finish(&mut self) {}
}

/// A running collector.
#[derive(Debug)]
pub(super) struct Embedded {
    /// Where it listens: a free port of the loopback address, OTLP/gRPC.
    pub endpoint: Endpoint,
    stops: Vec<Arc<Stop>>,
    threads: Vec<Thread>,
}

impl Embedded {
    /// Starts `count` threads, each with what `make` makes there.
    pub(super) fn start<C: Collect>(
        name: &str,
        count: usize,
        make: impl Fn() -> C + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (address, listeners) = net::bind((Ipv4Addr::LOCALHOST, 0).into(), count)?;
        let mut embedded = Self {
            endpoint: Endpoint {
                host: address.ip().to_string(),
                port: address.port(),
                protocol: Protocol::Grpc,
                http_version: HttpVersion::Http2,
                path: String::new(),
                path_as_is: false,
            },
            stops: Vec::new(),
            threads: Vec::new(),
        };
        for listener in listeners {
            let stop = Arc::new(Stop::default());
            embedded.stops.push(Arc::clone(&stop));
            let options = ThreadOptions {
                name: name.to_owned(),
                core: None,
                blocking_threads: 1,
            };
            let make = make.clone();
            let thread = rt::start(options, move || serve(make(), listener, stop))?;
            embedded.threads.push(thread);
        }
        Ok(embedded)
    }

    /// Ends it. Whoever sends to it should have ended before.
    pub(super) fn stop(self) {
        for stop in self.stops {
            stop.tell();
        }
        for thread in self.threads {
            if let Err(error) = thread.join() {
                tracing::warn!(%error, "an embedded collector ended badly");
            }
        }
    }
}

async fn serve<C: Collect>(collect: C, listener: TcpListener, stop: Arc<Stop>) {
    let collect = Rc::new(RefCell::new(collect));
    let context = Rc::new(context(Rc::clone(&collect)));
    rt::spawn(receiver::serve(
        Rc::clone(&context),
        rt::TcpListener::from_std(listener),
    ));
    rt::spawn({
        let (context, collect) = (Rc::clone(&context), Rc::clone(&collect));
        async move {
            loop {
                rt::sleep(TICK).await;
                context.sweep();
                collect.borrow_mut().tick();
            }
        }
    });
    stop.told().await;
    // A request is answered where it is taken, so none is left half done.
    collect.borrow_mut().finish();
}

fn context<C: Collect>(collect: Rc<RefCell<C>>) -> Context {
    let gate = Rc::new(Gate::default());
    let budget = Budget::new(MEMORY_BYTES, {
        let gate = Rc::clone(&gate);
        move |over_soft| gate.hold(Hold::Memory, over_soft)
    });
    let Config {
        limits, validate, ..
    } = Config::default();
    Context {
        budget,
        gate,
        buffers: Rc::new(Buffers::default()),
        metrics: ShardMetrics::new(0),
        forward_headers: Rc::default(),
        header_sets: HeaderSets::new(limits.header_sets),
        limits,
        validate,
        compression: Encoding::Identity,
        merge_compressed: [false; 4],
        unpacker: RefCell::new(Unpacker::new()),
        served: [true; 4],
        connections_max: CONNECTIONS_MAX,
        admit: Box::new(|_| Ok(())),
        submit: Box::new(move |request| {
            let arrival = Arrival {
                signal: request.signal,
                items: request.items,
                body: joined(&request),
            };
            Ack::ready(collect.borrow_mut().collect(arrival))
        }),
        connections: Connections::default(),
        bodies: Bodies::default(),
        reads: Reads::default(),
        jitter: Jitter::new(1),
        refusals_logged: Limiter::new(),
    }
}

/// The body in one piece.
fn joined(request: &ExportRequest) -> Bytes {
    match request.body.as_slice() {
        [whole] => whole.clone(),
        slices => {
            let mut joined = BytesMut::with_capacity(request.bytes);
            for slice in slices {
                joined.extend_from_slice(slice);
            }
            joined.freeze()
        }
    }
}
