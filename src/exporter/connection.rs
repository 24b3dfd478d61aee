//! One connection to a collector, whichever HTTP it speaks: what it is used for and when it ends.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use super::{
    answer::Answer,
    collector::Shared,
    head::Head,
    http1::{Http1, Poller},
    http2::Http2,
};
use crate::{
    net::Link,
    rt::{self, TcpStream},
    wire::Rope,
};

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    peer: SocketAddr,
    http: Http,
    bytes_max: usize,
    in_flight: Cell<usize>,
    busy_since: Cell<Instant>,
    answered: Cell<bool>,
    retired: Cell<bool>,
    ended: Cell<bool>,
}

#[derive(Debug)]
enum Http {
    One(Http1),
    Two(Box<Http2>),
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Broken {
    /// Whether the collector cannot have begun to work on the request.
    pub not_processed: bool,
    pub error: String,
}

impl Broken {
    pub(super) fn new(error: impl ToString) -> Self {
        Self {
            not_processed: false,
            error: error.to_string(),
        }
    }

    /// The collector cannot have begun to work on the request.
    pub(super) fn not_processed(error: impl ToString) -> Self {
        Self {
            not_processed: true,
            error: error.to_string(),
        }
    }
}

/// The answer is over what is read.
pub(super) fn too_long(bytes_max: usize) -> Broken {
    Broken::new(format!(
        "the collector's answer is over limits.response_bytes ({bytes_max})"
    ))
}

impl Connection {
    /// Opens an HTTP/2 connection with prior knowledge over a fresh socket. Requests need not wait
    /// for the collector's settings: what is wrong with it, the first of them tells.
    pub(super) fn http2(stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Rc<Self> {
        let link = Link::new(stream, Rc::clone(&shared.buffers));
        let http = Http::Two(Box::new(Http2::new(link, shared.response_bytes_max)));
        let connection = Rc::new(Self::new(peer, http, shared));
        connection.run(shared, None);
        connection
    }

    /// Opens an HTTP/1.1 connection over a fresh socket.
    pub(super) async fn http1(
        stream: TcpStream,
        peer: SocketAddr,
        shared: &Shared,
    ) -> Result<Rc<Self>, Broken> {
        let (http1, poll) = Http1::open(stream, &shared.buffers).await?;
        let connection = Rc::new(Self::new(peer, Http::One(http1), shared));
        connection.run(shared, Some(poll));
        Ok(connection)
    }

    fn new(peer: SocketAddr, http: Http, shared: &Shared) -> Self {
        Self {
            peer,
            http,
            bytes_max: shared.response_bytes_max,
            in_flight: Cell::new(0),
            busy_since: Cell::new(rt::now()),
            answered: Cell::new(false),
            retired: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Runs the connection in a task of its own, to its end.
    fn run(self: &Rc<Self>, shared: &Shared, poller: Option<Poller>) {
        let connection = Rc::clone(self);
        let metrics = Arc::clone(&shared.metrics);
        metrics.collector_connections(1);
        rt::spawn(async move {
            connection.drive(poller).await;
            connection.ended.set(true);
            metrics.collector_connections(-1);
        });
    }

    async fn drive(&self, poller: Option<Poller>) {
        match (&self.http, poller) {
            (Http::Two(http2), _) => {
                std::future::poll_fn(|cx| http2.poll(cx, self.is_over())).await;
            }
            (Http::One(http1), Some(mut poll)) => {
                let poll = |cx: &mut Context<'_>| match self.is_over() {
                    true => Poll::Ready(()),
                    false => poll(cx),
                };
                http1.driver.drive(poll).await;
            }
            (Http::One(_), None) => {}
        }
    }

    /// Whether it has no more to do.
    fn is_over(&self) -> bool {
        self.in_flight.get() == 0 && (self.retired.get() || !self.takes_requests())
    }

    /// Whether the collector has not said that it closes the connection.
    fn takes_requests(&self) -> bool {
        match &self.http {
            Http::One(_) => true,
            Http::Two(http2) => http2.is_open(),
        }
    }

    /// Whether a request may be sent on it.
    pub(super) fn is_usable(&self) -> bool {
        let is_given_up = self.ended.get() || self.retired.get() || self.is_abandoned();
        !is_given_up && self.takes_requests()
    }

    /// Whether it has no request in flight.
    pub(super) const fn is_idle(&self) -> bool {
        self.in_flight.get() == 0
    }

    /// Requests in flight.
    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Whether it has carried an answer: a fresh connection that breaks tells more of the
    /// collector than one that had lain idle.
    pub(super) const fn has_answered(&self) -> bool {
        self.answered.get()
    }

    /// Whether it was given up because the collector had gone silent.
    pub(super) const fn is_abandoned(&self) -> bool {
        match &self.http {
            Http::One(http1) => http1.driver.is_abandoned(),
            Http::Two(http2) => http2.link.is_abandoned(),
        }
    }

    /// The address it goes to.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Takes no more requests; ends after the last answer.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.wake();
    }

    fn wake(&self) {
        match &self.http {
            Http::One(http1) => http1.driver.wake(),
            Http::Two(http2) => http2.link.wake(),
        }
    }

    /// Gives it up when an answer is owed and nothing has moved for too long.
    pub(super) fn sweep(&self, now: Instant, timeouts: crate::config::Timeouts) {
        let (read_at, stuck_since) = match &self.http {
            Http::One(http1) => {
                let io = http1.driver.io();
                (io.read_at(), io.stuck_since())
            }
            Http::Two(http2) => (http2.link.read_at(), http2.link.stuck_since()),
        };
        let silent_since = read_at.max(self.busy_since.get());
        let silent =
            self.in_flight.get() > 0 && now.saturating_duration_since(silent_since) > timeouts.read;
        let stuck =
            stuck_since.is_some_and(|since| now.saturating_duration_since(since) > timeouts.write);
        if silent || stuck {
            match &self.http {
                Http::One(http1) => http1.driver.abandon(),
                Http::Two(http2) => http2.link.abandon(),
            }
        }
    }

    /// Sends one request and reads its answer.
    pub(super) async fn send(&self, head: &Head, body: Rope) -> Result<Answer, Broken> {
        let _in_flight = InFlight::begin(self);
        let answer = match (&self.http, head) {
            (Http::Two(http2), Head::Http2(block)) => http2.send(block, body).await,
            (Http::One(http1), Head::Http1(request)) => {
                http1.send(request.clone(), body, self.bytes_max).await
            }
            _ => Err(Broken::not_processed("the head is of the other HTTP")),
        };
        self.answered.set(self.answered.get() || answer.is_ok());
        answer
    }
}

/// Counts a request in flight for as long as it lives, however it ends.
struct InFlight<'a> {
    connection: &'a Connection,
}

impl<'a> InFlight<'a> {
    fn begin(connection: &'a Connection) -> Self {
        if connection.in_flight.get() == 0 {
            connection.busy_since.set(rt::now());
        }
        connection.in_flight.set(connection.in_flight.get() + 1);
        Self { connection }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let connection = self.connection;
        connection.in_flight.set(connection.in_flight.get() - 1);
        if connection.is_over() {
            connection.wake();
        }
    }
}
