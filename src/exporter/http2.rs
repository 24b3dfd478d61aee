//! HTTP/2 to a collector: gRPC and OTLP/HTTP, many requests at once.
//!
//! One task drives the connection: it reads what has come, wakes whose answers that were, and
//! writes what the windows allow. Requests wait for their answers in their own tasks.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io::IoSlice,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    answer::Answer,
    connection::{Broken, too_long},
};
use crate::{
    http2::client::{Client, Failure, Key, Options},
    net::Link,
    wire::Rope,
};

/// Bytes of an answer that a collector may have under way before it waits for more window.
///
/// - Source: chosen: answers are a few bytes; what is larger waits for what is read.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// Bytes of all answers that a collector may have under way on one connection.
///
/// - Source: chosen: sixteen answers of the window above, read in eight reads.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// Requests that may be started before the collector has said how many it takes.
///
/// - Cost: on a fresh connection the second request waits one round trip. A collector that takes
///   few at once would refuse the others.
const STREAMS_BEFORE_SETTINGS: usize = 1;

/// Bytes of an answer's header fields.
const FIELDS_BYTES_MAX: u32 = 16 << 10;

/// Pieces of one write.
///
/// - Source: chosen: some twenty frames of 16 KiB, more than a socket commonly takes at once.
const PIECES_MAX: usize = 64;

/// Reads in one poll of a connection, so that it does not keep the others waiting.
///
/// - Source: chosen: the second finds nothing and waits, without a system call.
const READS_PER_POLL_MAX: u32 = 2;

/// Waiting bytes below which sending is put off once.
///
/// - Source: chosen: acknowledgements and heads, far below what a batch is.
const PUT_OFF_BYTES: usize = 1024;

/// The connection.
#[derive(Debug)]
pub(super) struct Http2 {
    pub link: Link,
    client: RefCell<Client<Rope>>,
    /// By [`Key::index`]: who waits for the answer.
    waiting: RefCell<Vec<Option<Waker>>>,
    put_off: Cell<bool>,
    bytes_max: usize,
}

impl Http2 {
    /// A connection over a fresh socket, with answers of at most `bytes_max`.
    pub(super) fn new(link: Link, bytes_max: usize) -> Self {
        let client = Client::new(Options {
            fields_bytes_max: FIELDS_BYTES_MAX,
            body_bytes_max: bytes_max,
            stream_window: STREAM_WINDOW_BYTES,
            connection_window: CONNECTION_WINDOW_BYTES,
            streams_before_settings: STREAMS_BEFORE_SETTINGS,
        });
        Self {
            link,
            client: RefCell::new(client),
            waiting: RefCell::default(),
            put_off: Cell::new(false),
            bytes_max,
        }
    }

    /// Whether the collector takes requests on it.
    pub(super) fn is_open(&self) -> bool {
        self.client.borrow().is_open()
    }

    /// Sends one request and reads its answer.
    pub(super) async fn send(&self, block: &Bytes, body: Rope) -> Result<Answer, Broken> {
        let key = self.client.borrow_mut().request(block.clone(), body);
        let mut call = Call {
            http2: self,
            key: Some(key),
        };
        self.link.wake();
        let answer = poll_fn(|cx| call.poll(cx)).await;
        answer.map(Answer::from).map_err(|failure| match failure {
            Failure::BodyTooLong { .. } => too_long(self.bytes_max),
            failure => Broken {
                not_processed: failure.is_not_processed(),
                reset: matches!(failure, Failure::Reset(_)),
                error: failure.to_string(),
            },
        })
    }

    /// Drives the connection; ready at its end. `is_over` says that nothing is wanted of it.
    pub(super) fn poll(&self, cx: &mut Context<'_>, is_over: bool) -> Poll<()> {
        self.link.register(cx);
        if self.link.is_abandoned() {
            self.end("the connection was given up");
            return Poll::Ready(());
        }
        self.read(cx);
        if is_over {
            self.end("the connection is not needed any more");
        }
        if self.client.borrow().has_ended() {
            // A last word, as far as the socket takes it now.
            drop(self.write(cx));
            return Poll::Ready(());
        }
        if !self.put_off.get() && self.is_worth_putting_off() {
            self.put_off.set(true);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.put_off.set(false);
        if let Err(error) = self.write(cx) {
            self.end(&error.to_string());
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn read(&self, cx: &mut Context<'_>) {
        for _ in 0..READS_PER_POLL_MAX {
            let read = self
                .link
                .poll_read(cx, |bytes| self.client.borrow_mut().receive(bytes));
            match read {
                Poll::Pending => return,
                Poll::Ready(Ok(1..)) => self.wake_finished(),
                Poll::Ready(Ok(0)) => return self.end("the collector closed the connection"),
                Poll::Ready(Err(error)) => return self.end(&error.to_string()),
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Sends what may be sent, until the socket takes no more.
    fn write(&self, cx: &mut Context<'_>) -> std::io::Result<()> {
        let mut client = self.client.borrow_mut();
        loop {
            let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
            let count = client.pieces(&mut pieces);
            if count == 0 {
                return Ok(());
            }
            match self.link.poll_write(cx, &pieces[..count]) {
                Poll::Ready(sent) => client.sent(sent?),
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Whether so little is to be sent that more should come along.
    fn is_worth_putting_off(&self) -> bool {
        let mut client = self.client.borrow_mut();
        client.pieces(&mut []);
        (1..PUT_OFF_BYTES).contains(&client.waiting_bytes())
    }

    fn end(&self, why: &str) {
        self.client.borrow_mut().end(why);
        self.wake_finished();
    }

    fn wake_finished(&self) {
        loop {
            let Some(key) = self.client.borrow_mut().next_finished() else {
                return;
            };
            let waker = self.waker_of(key, None);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Exchanges who waits for an answer.
    fn waker_of(&self, key: Key, waker: Option<Waker>) -> Option<Waker> {
        let mut waiting = self.waiting.borrow_mut();
        if waker.is_some() && waiting.len() <= key.index() {
            waiting.resize(key.index() + 1, None);
        }
        let slot = waiting.get_mut(key.index())?;
        std::mem::replace(slot, waker)
    }
}

/// A request in flight; it is cancelled when nobody waits for it any more.
struct Call<'a> {
    http2: &'a Http2,
    key: Option<Key>,
}

impl Call<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<crate::http2::client::Answer, Failure>> {
        let Some(key) = self.key else {
            return Poll::Pending;
        };
        let taken = self.http2.client.borrow_mut().take(key);
        if let Some(answer) = taken {
            self.key = None;
            return Poll::Ready(answer);
        }
        drop(self.http2.waker_of(key, Some(cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.http2.client.borrow_mut().cancel(key);
            drop(self.http2.waker_of(key, None));
            self.http2.link.wake();
        }
    }
}
