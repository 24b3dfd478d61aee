//! One connection to a collector, whichever HTTP it speaks: what it is used for and when it ends.

use std::{cell::Cell, future::poll_fn, net::SocketAddr, rc::Rc, sync::Arc, time::Instant};

use super::{answer::Answer, collector::Shared, head::Head, http1::Http1, http2::Http2};
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
    in_flight: Cell<usize>,
    busy_since: Cell<Instant>,
    answered: Cell<bool>,
    retired: Cell<bool>,
    ended: Cell<bool>,
}

#[derive(Debug)]
enum Http {
    One(Box<Http1>),
    Two(Box<Http2>),
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Broken {
    /// Whether the collector cannot have begun to work on the request.
    pub not_processed: bool,
    /// Whether the collector ended this request alone.
    pub reset: bool,
    pub error: String,
}

impl Broken {
    pub(super) fn new(error: impl ToString) -> Self {
        Self {
            not_processed: false,
            reset: false,
            error: error.to_string(),
        }
    }

    /// The collector cannot have begun to work on the request.
    pub(super) fn not_processed(error: impl ToString) -> Self {
        Self {
            not_processed: true,
            ..Self::new(error)
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
        let http2 = Http2::new(link, shared.response_bytes_max);
        Self::run(peer, Http::Two(Box::new(http2)), shared)
    }

    /// Opens an HTTP/1.1 connection over a fresh socket.
    pub(super) fn http1(stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Rc<Self> {
        let link = Link::new(stream, Rc::clone(&shared.buffers));
        let http1 = Http1::new(link, shared.response_bytes_max);
        Self::run(peer, Http::One(Box::new(http1)), shared)
    }

    /// Runs a connection in a task of its own, to its end.
    fn run(peer: SocketAddr, http: Http, shared: &Shared) -> Rc<Self> {
        let running = Rc::new(Self {
            peer,
            http,
            in_flight: Cell::new(0),
            busy_since: Cell::new(rt::now()),
            answered: Cell::new(false),
            retired: Cell::new(false),
            ended: Cell::new(false),
        });
        let connection = Rc::clone(&running);
        let metrics = Arc::clone(&shared.metrics);
        metrics.collector_connections(1);
        rt::spawn(async move {
            poll_fn(|cx| match &connection.http {
                Http::One(http1) => http1.poll(cx, connection.is_over()),
                Http::Two(http2) => http2.poll(cx, connection.is_over()),
            })
            .await;
            connection.ended.set(true);
            // The pool forgets it when it looks for one; the collector is not to wait for that.
            connection.link().close();
            metrics.collector_connections(-1);
        });
        running
    }

    const fn link(&self) -> &Link {
        match &self.http {
            Http::One(http1) => &http1.link,
            Http::Two(http2) => &http2.link,
        }
    }

    /// Whether it has no more to do.
    fn is_over(&self) -> bool {
        self.in_flight.get() == 0 && (self.retired.get() || !self.takes_requests())
    }

    /// Whether the collector has not said that it closes the connection.
    fn takes_requests(&self) -> bool {
        match &self.http {
            Http::One(http1) => http1.is_open(),
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
        self.link().is_abandoned()
    }

    /// The address it goes to.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Takes no more requests; ends after the last answer.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.link().wake();
    }

    /// Gives it up when an answer is owed and nothing has moved for too long.
    pub(super) fn sweep(&self, now: Instant, timeouts: crate::config::Timeouts) {
        let link = self.link();
        let silent_since = link.read_at().max(self.busy_since.get());
        let silent =
            self.in_flight.get() > 0 && now.saturating_duration_since(silent_since) > timeouts.read;
        let stuck = link
            .stuck_since()
            .is_some_and(|since| now.saturating_duration_since(since) > timeouts.write);
        if silent || stuck {
            link.abandon();
        }
    }

    /// Sends one request and reads its answer.
    pub(super) async fn send(&self, head: &Head, body: Rope) -> Result<Answer, Broken> {
        let _in_flight = InFlight::begin(self);
        let answer = match (&self.http, head) {
            (Http::Two(http2), Head::Http2(block)) => http2.send(block, body).await,
            (Http::One(http1), Head::Http1 { lines, has_body }) => {
                http1.send(lines, body, *has_body).await
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
            connection.link().wake();
        }
    }
}
