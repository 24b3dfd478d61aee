//! One collector of a shard: its addresses, its connections, whether it can be reached.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    connection::{Broken, Connection},
    head::{Head, head},
};
use crate::{
    config::{Endpoint, Export, Protocol, Timeouts},
    encoding::Encoding,
    metrics::ShardMetrics,
    net::Buffers,
    outcome::{Attempt, Reason},
    rt::{self, TcpStream},
    signal::Signal,
    wire::Message,
};

/// How long an answer of the resolver is used.
///
/// - Source: chosen: the time to live that cluster resolvers commonly give.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

/// What a shard lends its collectors.
#[derive(Debug)]
pub struct Shared {
    /// Spare buffers.
    pub buffers: Rc<Buffers>,
    /// The shard's counters.
    pub metrics: Arc<ShardMetrics>,
    /// The longest answer that is read, in bytes.
    pub response_bytes_max: usize,
}

/// What all collectors of a shard have in common.
#[derive(Debug)]
pub(super) struct Resources {
    pub shared: Shared,
    pub timeouts: Timeouts,
    in_flight_max: usize,
    pub headers: HeaderMap,
}

impl Resources {
    pub(super) fn new(export: &Export, shared: Shared) -> Self {
        let headers = export.headers.iter().filter_map(|(name, value)| {
            Some((
                HeaderName::try_from(name).ok()?,
                HeaderValue::try_from(value).ok()?,
            ))
        });
        Self {
            shared,
            timeouts: export.timeouts,
            in_flight_max: export.max_concurrent_requests,
            headers: headers.collect(),
        }
    }
}

/// One collector.
///
/// - Shard: one per endpoint and shard; its connections are the shard's own.
#[derive(Debug)]
pub struct Collector {
    endpoint: Endpoint,
    heads: [[Option<Head>; Encoding::ALL.len()]; 4],
    resources: Rc<Resources>,
    connections_max: usize,
    connections: RefCell<Vec<Rc<Connection>>>,
    connecting: Cell<usize>,
    awaiting_connection: RefCell<Vec<Waker>>,
    addresses: RefCell<Addresses>,
}

#[derive(Debug, Default)]
struct Addresses {
    known: Vec<SocketAddr>,
    resolved_at: Option<Instant>,
    resolving: bool,
    turn: usize,
}

impl Collector {
    pub(super) fn new(
        endpoint: Endpoint,
        connections_max: usize,
        resources: Rc<Resources>,
    ) -> Self {
        let heads = Signal::ALL.map(|signal| {
            Encoding::ALL.map(|encoding| head(&endpoint, signal, encoding, &resources))
        });
        Self {
            endpoint,
            heads,
            resources,
            connections_max,
            connections: RefCell::default(),
            connecting: Cell::new(0),
            awaiting_connection: RefCell::default(),
            addresses: RefCell::default(),
        }
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// A connection that carries many requests at once and takes another now.
    pub(super) fn open_multiplexed(&self) -> Option<Rc<Connection>> {
        let connections = self.connections.borrow();
        let mut usable = connections.iter().filter(|it| it.is_usable());
        usable.find(|_| self.is_multiplexed()).cloned()
    }

    /// Sends one message and reads the answer.
    pub(super) async fn send(self: &Rc<Self>, message: &Message) -> Attempt {
        let head = &self.heads[message.signal().index()][message.encoding().index()];
        let Some(head) = head else {
            return Attempt::NotSent(format!("{} is no valid address", self.endpoint.authority()));
        };
        let own;
        let head = match message.headers() {
            none if none.is_empty() => head,
            forwarded => {
                own = head.with(forwarded, &self.resources.headers);
                &own
            }
        };
        let body = match self.endpoint.protocol {
            Protocol::Grpc => message.grpc_body(),
            Protocol::HttpProtobuf => Some(message.http_body()),
        };
        let Some(body) = body else {
            return Attempt::NotSent("the message is over 4 GiB, which gRPC cannot say".to_owned());
        };
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return self.unreachable(error),
        };
        let was_proven = connection.has_answered();
        match connection.send(head, body).await {
            Ok(answer) => Attempt::Answered(match self.endpoint.protocol {
                Protocol::Grpc => answer.read_grpc(),
                Protocol::HttpProtobuf => answer.read_http(),
            }),
            Err(broken) => {
                connection.retire();
                self.broken(&connection, broken, was_proven)
            }
        }
    }

    fn broken(&self, connection: &Connection, broken: Broken, was_proven: bool) -> Attempt {
        let Broken {
            not_processed,
            error,
            ..
        } = broken;
        let error = format!("{}: {error}", self.endpoint.authority());
        if connection.is_abandoned() {
            return Attempt::Broken(
                Reason::Timeout,
                format!("{error} (the collector is silent)"),
            );
        }
        if not_processed && was_proven {
            // It had lain idle and the collector had closed it: a fresh one may well do.
            return Attempt::Stale(error);
        }
        if not_processed {
            return self.unreachable(error);
        }
        Attempt::Broken(Reason::Connection, error)
    }

    /// No connection could be made, or none that works.
    fn unreachable(&self, error: String) -> Attempt {
        // The name may have moved.
        self.addresses.borrow_mut().resolved_at = None;
        Attempt::NotSent(error)
    }

    /// An idle connection; else a fresh one while the pool has room; else the least busy.
    ///
    /// A connection that carries many requests at once is idle enough for one more until it has
    /// its even share of them: what one connection carries needs no second.
    async fn connection(self: &Rc<Self>) -> Result<Rc<Connection>, String> {
        self.turn_to_connect().await;
        let least_busy = {
            let mut connections = self.connections.borrow_mut();
            connections.retain(|connection| connection.is_usable());
            connections
                .iter()
                .min_by_key(|connection| connection.in_flight())
                .cloned()
        };
        let Some(connection) = least_busy else {
            return self.connect().await;
        };
        if connection.is_idle() {
            return Ok(connection);
        }
        if !self.is_multiplexed() {
            return self.connect().await;
        }
        let share = self.resources.in_flight_max.div_ceil(self.connections_max);
        let open = self.connections.borrow().len() + self.connecting.get();
        if connection.in_flight() >= share && open < self.connections_max {
            let collector = Rc::clone(self);
            rt::spawn(async move {
                // The next request that finds no connection tells an error here.
                drop(collector.connect().await);
            });
        }
        Ok(connection)
    }

    /// Waits while no connection is usable and as many are being opened as the pool may hold.
    fn turn_to_connect(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            let usable = |connection: &Rc<Connection>| {
                connection.is_usable() && (self.is_multiplexed() || connection.is_idle())
            };
            if self.connecting.get() < self.connections_max
                || self.connections.borrow().iter().any(usable)
            {
                return Poll::Ready(());
            }
            self.awaiting_connection
                .borrow_mut()
                .push(cx.waker().clone());
            Poll::Pending
        })
    }

    const fn is_multiplexed(&self) -> bool {
        self.endpoint.is_multiplexed()
    }

    async fn connect(self: &Rc<Self>) -> Result<Rc<Connection>, String> {
        let _connecting = Connecting::begin(self);
        let connect = self.resources.timeouts.connect;
        let named =
            |error: String| format!("cannot connect to {}: {error}", self.endpoint.authority());
        match rt::timeout(connect, self.open()).await {
            Ok(Ok(connection)) => {
                self.connections.borrow_mut().push(Rc::clone(&connection));
                Ok(connection)
            }
            Ok(Err(error)) => Err(named(error)),
            Err(rt::Elapsed) => Err(named(format!(
                "no connection within timeout.connect_timeout ({connect:?})"
            ))),
        }
    }

    /// Opens a connection to the first address that takes one.
    pub(super) async fn open(&self) -> Result<Rc<Connection>, String> {
        let mut last = "the name has no address".to_owned();
        for address in self.addresses().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // An error here is the connection's end, which its first use will tell.
                    drop(stream.set_nodelay());
                    let Resources { shared, .. } = &*self.resources;
                    return Ok(if self.is_multiplexed() {
                        Connection::http2(stream, address, shared)
                    } else {
                        Connection::http1(stream, address, shared)
                    });
                }
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    /// The collector's addresses, a different one first each time.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        let fresh = {
            let addresses = self.addresses.borrow();
            addresses
                .resolved_at
                .is_some_and(|at| rt::now().saturating_duration_since(at) < RESOLVE_INTERVAL)
        };
        if !fresh {
            self.resolve().await?;
        }
        let mut addresses = self.addresses.borrow_mut();
        addresses.turn = addresses.turn.wrapping_add(1);
        let mut known = addresses.known.clone();
        if !known.is_empty() {
            let turn = addresses.turn % known.len();
            known.rotate_left(turn);
        }
        Ok(known)
    }

    async fn resolve(&self) -> Result<(), String> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let known = match host.parse() {
            Ok(address) => vec![SocketAddr::new(address, *port)],
            Err(_name) => rt::resolve(host.clone(), *port)
                .await
                .map_err(|error| format!("cannot resolve {host}: {error}"))?,
        };
        let mut addresses = self.addresses.borrow_mut();
        addresses.known = known;
        addresses.resolved_at = Some(rt::now());
        Ok(())
    }

    pub(super) fn sweep(self: &Rc<Self>, now: Instant) {
        for connection in &*self.connections.borrow() {
            connection.sweep(now, self.resources.timeouts);
        }
        let stale = {
            let addresses = self.addresses.borrow();
            let old = addresses
                .resolved_at
                .is_some_and(|at| now.saturating_duration_since(at) >= RESOLVE_INTERVAL);
            old && !addresses.resolving && !self.connections.borrow().is_empty()
        };
        if stale {
            self.addresses.borrow_mut().resolving = true;
            let collector = Rc::clone(self);
            rt::spawn(async move { collector.follow_name().await });
        }
    }

    /// Resolves the name again and retires connections to addresses that it no longer has.
    async fn follow_name(&self) {
        let resolved = self.resolve().await;
        let mut addresses = self.addresses.borrow_mut();
        addresses.resolving = false;
        if resolved.is_err() {
            // The resolver has trouble; the connections have not.
            addresses.resolved_at = Some(rt::now());
            return;
        }
        for connection in &*self.connections.borrow() {
            if !addresses.known.contains(&connection.peer()) {
                connection.retire();
            }
        }
    }
}

/// Counts a connection that is being opened; at its end those that wait for it look again.
struct Connecting<'a> {
    collector: &'a Collector,
}

impl<'a> Connecting<'a> {
    fn begin(collector: &'a Collector) -> Self {
        collector.connecting.set(collector.connecting.get() + 1);
        Self { collector }
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        let Collector {
            connecting,
            awaiting_connection,
            ..
        } = self.collector;
        connecting.set(connecting.get() - 1);
        for waker in awaiting_connection.borrow_mut().drain(..) {
            waker.wake();
        }
    }
}
