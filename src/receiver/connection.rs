//! One connection of a sender: told HTTP/2 from HTTP/1.1, driven, counted, drained.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    rc::Rc,
    task::{Poll, Waker, ready},
    time::{Duration, Instant},
};

use futures_util::future::poll_fn;
use slab::Slab;

use super::{Context, http1, http2};
use crate::{
    net::{Driver, Io},
    rt::{self, Notify, TcpStream},
};

/// The first bytes of an HTTP/2 connection: no HTTP/1.1 method of OTLP begins so.
///
/// - Source: RFC 9113, section 3.4.
const PREFACE_START: &[u8; 4] = b"PRI ";

/// Every open connection of the shard.
///
/// - Shard: one per shard.
#[derive(Debug, Default)]
pub struct Connections {
    open: RefCell<Slab<Rc<Connection>>>,
    draining: Cell<bool>,
    listeners: RefCell<Vec<Waker>>,
    opened: Notify,
    closed: Notify,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    driver: Driver,
    calls: Cell<usize>,
    /// Its calls are to be looked after once a second.
    wants_sweeps: Cell<bool>,
    was_swept: Cell<bool>,
}

impl Connections {
    /// Open connections.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Begins the drain: no connection is accepted, each ends after the calls that it has.
    pub fn drain(&self) {
        self.draining.set(true);
        for listener in self.listeners.borrow_mut().drain(..) {
            listener.wake();
        }
        for (_, connection) in &*self.open.borrow() {
            connection.driver.wake();
        }
    }

    /// Whether the drain has begun.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Waits for the drain to begin.
    pub(super) fn drained(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            if self.draining.get() {
                return Poll::Ready(());
            }
            let mut listeners = self.listeners.borrow_mut();
            if !listeners.iter().any(|known| known.will_wake(cx.waker())) {
                listeners.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    /// Waits until a connection was opened.
    pub async fn opened(&self) {
        self.opened.notified().await;
    }

    /// Waits until no connection is left.
    pub async fn closed(&self) {
        while self.count() > 0 {
            self.closed.notified().await;
        }
    }

    pub(super) fn sweep(&self, now: Instant, idle_max: Duration) {
        for (_, connection) in &*self.open.borrow() {
            let idle = connection.calls.get() == 0
                && now.saturating_duration_since(connection.driver.io().read_at()) > idle_max;
            let stuck = connection
                .driver
                .io()
                .stuck_since()
                .is_some_and(|since| now.saturating_duration_since(since) > idle_max);
            if idle || stuck {
                connection.driver.abandon();
            } else if connection.wants_sweeps.get() && connection.calls.get() > 0 {
                connection.was_swept.set(true);
                connection.driver.wake();
            }
        }
    }
}

impl Connection {
    pub(super) const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// From now on a sweep wakes the connection while it has calls.
    pub(super) fn want_sweeps(&self) {
        self.wants_sweeps.set(true);
    }

    /// Whether a sweep has come since this was last asked.
    pub(super) const fn take_sweep(&self) -> bool {
        self.was_swept.replace(false)
    }

    /// Counts a call for as long as the guard lives.
    pub(super) fn call(self: &Rc<Self>) -> OpenCall {
        self.calls.set(self.calls.get() + 1);
        OpenCall {
            connection: Rc::clone(self),
        }
    }
}

/// A call that the connection has.
#[derive(Debug)]
pub(super) struct OpenCall {
    connection: Rc<Connection>,
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.connection.calls.set(self.connection.calls.get() - 1);
    }
}

/// Leaves the shard's list when dropped.
struct Registered {
    context: Rc<Context>,
    key: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let connections = &self.context.connections;
        drop(connections.open.borrow_mut().try_remove(self.key));
        connections.closed.notify();
        self.context.metrics.sender_connections(-1);
    }
}

/// Serves one accepted connection to its end.
pub(super) async fn serve(context: Rc<Context>, stream: TcpStream) {
    // An error here is the connection's end, which the first read will tell.
    drop(stream.set_nodelay());
    let (_, handle) = Io::new(
        stream,
        Rc::clone(&context.buffers),
        Some(Rc::clone(&context.gate)),
    );
    let connection = Rc::new(Connection {
        driver: Driver::new(handle),
        calls: Cell::new(0),
        wants_sweeps: Cell::new(false),
        was_swept: Cell::new(false),
    });
    let key = context
        .connections
        .open
        .borrow_mut()
        .insert(Rc::clone(&connection));
    context.connections.opened.notify();
    context.metrics.sender_connections(1);
    let registered = Registered {
        context: Rc::clone(&context),
        key,
    };

    match sniff(&context, &connection).await {
        Ok(Protocol::Http2) => http2::serve(&context, &connection).await,
        Ok(Protocol::Http1) => http1::serve(&context, &connection).await,
        Ok(Protocol::Nothing) | Err(_) => {}
    }
    drop(registered);
}

enum Protocol {
    Http1,
    Http2,
    Nothing,
}

/// Tells the protocol by the first bytes; a drain ends a connection that has sent none.
async fn sniff(context: &Context, connection: &Connection) -> io::Result<Protocol> {
    poll_fn(|cx| {
        connection.driver.register(cx);
        if connection.driver.is_abandoned() || context.connections.is_draining() {
            return Poll::Ready(Ok(Protocol::Nothing));
        }
        let peeked = ready!(connection.driver.io().poll_peek::<4>(cx))?;
        Poll::Ready(Ok(match peeked.bytes() {
            start if start == PREFACE_START => Protocol::Http2,
            [] => Protocol::Nothing,
            _ => Protocol::Http1,
        }))
    })
    .await
}

/// The time since a call began.
pub(super) fn since(started: Instant) -> Duration {
    rt::now().saturating_duration_since(started)
}
