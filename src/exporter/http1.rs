//! HTTP/1.1 to a collector: OTLP/HTTP, one request at a time.
//!
//! One task drives the connection, as over HTTP/2: it reads what has come and writes the request,
//! head and slices of the body from where they lie. The request waits in its own task.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::IoSlice,
    task::{Context, Poll, Waker},
};

use super::{
    answer::Answer,
    connection::{Broken, too_long},
};
use crate::{
    http1::{
        answer::{Fault, Limits},
        client::{Client, Failure},
    },
    net::Link,
    wire::Rope,
};

/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Pieces of one write.
///
/// - Source: chosen: a batch of small requests in a few writes; the kernel takes up to 1024.
const PIECES_MAX: usize = 256;

/// Reads in one poll of a connection, so that it does not keep the others waiting.
///
/// - Source: chosen: the second finds nothing and waits, without a system call.
const READS_PER_POLL_MAX: u32 = 2;

/// The connection.
#[derive(Debug)]
pub(super) struct Http1 {
    pub link: Link,
    client: RefCell<Client<Rope>>,
    /// Who waits for the answer.
    waiting: RefCell<Option<Waker>>,
    bytes_max: usize,
}

impl Http1 {
    /// A connection whose answers are at most `bytes_max` long.
    pub(super) fn new(link: Link, bytes_max: usize) -> Self {
        let client = Client::new(Limits {
            head_bytes_max: HEAD_BYTES_MAX,
            body_bytes_max: bytes_max,
        });
        Self {
            link,
            client: RefCell::new(client),
            waiting: RefCell::default(),
            bytes_max,
        }
    }

    /// Whether the collector takes requests on it.
    pub(super) fn is_open(&self) -> bool {
        self.client.borrow().is_open()
    }

    /// Sends one request and reads its answer; `has_body` says whether its length is told.
    pub(super) async fn send(
        &self,
        head: &[u8],
        body: Rope,
        has_body: bool,
    ) -> Result<Answer, Broken> {
        if !self.client.borrow().is_idle() {
            let error = "the connection has a request in flight";
            return Err(Broken::not_processed(error));
        }
        self.client.borrow_mut().request(head, body, has_body);
        let _given_up = GiveUp { http1: self };
        self.link.wake();
        let answer = poll_fn(|cx| self.poll_answer(cx)).await;
        answer.map(Answer::from).map_err(|failure| match failure {
            Failure::Fault(Fault::BodyTooLong { .. }) => too_long(self.bytes_max),
            Failure::NotProcessed(why) => Broken::not_processed(why),
            failure => Broken::new(failure),
        })
    }

    fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<crate::http1::answer::Answer, Failure>> {
        let taken = self.client.borrow_mut().take();
        if let Some(answer) = taken {
            return Poll::Ready(answer);
        }
        self.waiting.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Drives the connection; ready at its end. `is_over` says that nothing is wanted of it.
    pub(super) fn poll(&self, cx: &mut Context<'_>, is_over: bool) -> Poll<()> {
        self.link.register(cx);
        if self.link.is_abandoned() {
            return self.end("the connection was given up");
        }
        self.read(cx);
        if is_over {
            return self.end("the connection is not needed any more");
        }
        if !self.is_open() {
            return Poll::Ready(());
        }
        self.write(cx);
        Poll::Pending
    }

    fn read(&self, cx: &mut Context<'_>) {
        for _ in 0..READS_PER_POLL_MAX {
            if !self.is_open() {
                return;
            }
            let take = |bytes: &[u8]| self.client.borrow_mut().receive(bytes);
            match self.link.poll_read(cx, take) {
                Poll::Pending => return,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => self.client.borrow_mut().closed(),
                Poll::Ready(Err(error)) => self.client.borrow_mut().end(&error.to_string()),
            }
            self.wake_finished();
        }
        cx.waker().wake_by_ref();
    }

    /// Sends what is left of the request, until the socket takes no more.
    fn write(&self, cx: &mut Context<'_>) {
        let mut client = self.client.borrow_mut();
        loop {
            let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
            let count = client.pieces(&mut pieces);
            if count == 0 {
                return;
            }
            match self.link.poll_write(cx, &pieces[..count]) {
                Poll::Ready(Ok(sent)) => client.sent(sent),
                Poll::Ready(Err(error)) => client.deafened(&error.to_string()),
                Poll::Pending => return,
            }
        }
    }

    fn end(&self, why: &str) -> Poll<()> {
        self.client.borrow_mut().end(why);
        self.wake_finished();
        Poll::Ready(())
    }

    fn wake_finished(&self) {
        if !self.client.borrow().is_under_way()
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
    }
}

/// Forgets the request when nobody waits for it any more.
struct GiveUp<'a> {
    http1: &'a Http1,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.http1.waiting.take();
        self.http1.client.borrow_mut().cancel();
        if !self.http1.is_open() {
            self.http1.link.wake();
        }
    }
}
