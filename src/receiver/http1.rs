//! HTTP/1.1 from a sender: OTLP/HTTP, one call after the other.

mod intake;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};

use self::intake::Likely;
use super::{
    Context, body,
    connection::Connection,
    date::Date,
    export::{Counted, Opened},
    in_call::{InCall, Progress},
    reads::Reading,
    reply,
    watch::{Found, Watch},
};
use crate::{
    batch::Permit,
    http1::{
        request::Problem,
        server::{Event, Limits, Server},
    },
    net::IoHandle,
    outcome::{Outcome, Reason, Refusal},
    rt,
};

/// Bytes of a refused body that are skipped so that its connection can be kept.
///
/// - Source: chosen: what is on its way already when a request of a common size is refused.
const SKIPPED_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of answers that may wait for a sender to read them before its requests are not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long a sender may go on writing after its connection's last answer, and how much.
///
/// - Source: chosen: what is on its way when the answer is sent, and no more.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES_MAX: usize = 1 << 20;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, connection: &Rc<Connection>) {
    let driver = connection.driver();
    let mut session = Session::new(context, connection);
    driver
        .drive(|cx| {
            let polled = session.poll(cx);
            driver.io().gather(session.http.output());
            polled
        })
        .await;
    let gone = session.gone || driver.is_abandoned();
    drop(session);
    if !gone {
        linger(driver.io()).await;
    }
}

/// One connection's calls.
struct Session<'a> {
    context: &'a Context,
    connection: &'a Rc<Connection>,
    http: Server<Rc<Opened>>,
    call: Option<InCall<'a>>,
    /// What is known of its sender while it waits.
    watch: Watch,
    /// What the sender sent ahead of an answer, and what that holds of the budget.
    ahead: Option<(Bytes, Permit)>,
    /// Since when something is read that belongs to no call.
    between: Option<Reading<'a>>,
    date: Date,
    /// What comes next, by what came last.
    likely: Option<Likely>,
    /// The sender has ended, or its socket is broken.
    gone: bool,
}

impl<'a> Session<'a> {
    fn new(context: &'a Context, connection: &'a Rc<Connection>) -> Self {
        let limits = Limits {
            header_bytes: usize::try_from(context.limits.header_bytes).unwrap_or(usize::MAX),
            skipped_bytes: SKIPPED_BYTES_MAX,
        };
        connection.want_sweeps();
        let forwarded = Rc::clone(&context.forward_headers);
        Self {
            context,
            connection,
            http: Server::new(limits, move |parts| Rc::new(Opened::of(parts, &forwarded))),
            call: None,
            watch: Watch::Off,
            ahead: None,
            between: None,
            date: Date::default(),
            likely: None,
            gone: false,
        }
    }

    /// Takes what came and answers what is known; ready at the end of the connection.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let draining = self.context.connections.is_draining();
        if draining {
            self.http.leave();
        }
        let polled = self.poll_requests(cx);
        if polled.is_pending() {
            // What has come by now is served.
            if draining {
                self.http.shut_down();
            }
            self.end_what_is_late(cx);
        }
        if self.gone || self.http.is_done() {
            return Poll::Ready(());
        }
        polled
    }

    /// Serves one request after the other until one waits; ready at the end.
    fn poll_requests(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let io = self.connection.driver().io();
        loop {
            if let Some(InCall {
                progress: Progress::Waiting(ack),
                ..
            }) = &mut self.call
            {
                if let Poll::Ready(outcome) = Pin::new(ack).poll(cx) {
                    let last = std::mem::take(&mut self.watch).has_ended();
                    self.close(outcome, last);
                } else {
                    ready!(self.poll_gone(cx));
                    // Its work is let go of, where that has not begun.
                    self.gone = true;
                    self.call = None;
                    return Poll::Ready(());
                }
            }
            if self.http.is_done() {
                return Poll::Ready(());
            }
            if io.waiting() + self.http.output().len() > ANSWER_BYTES_MAX {
                io.gather(self.http.output());
                if ready!(io.poll_drain(cx)).is_err() {
                    self.gone = true;
                    return Poll::Ready(());
                }
            }
            if let Some((mut bytes, permit)) = self.ahead.take() {
                let taken = self.receive(&bytes);
                bytes.advance(taken);
                if !bytes.is_empty() {
                    self.ahead = Some((bytes, permit));
                }
                continue;
            }
            if !matches!(ready!(self.poll_read(cx)), Ok(1..)) {
                self.gone = true;
                self.close(Outcome::Refused(body::cut_off()), true);
                return Poll::Ready(());
            }
        }
    }

    /// Ready when the sender of the call that waits has gone.
    fn poll_gone(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.ahead.is_some() {
            return Poll::Pending;
        }
        match ready!(self.watch.poll(self.connection, cx)) {
            Found::Gone => return Poll::Ready(()),
            Found::End => self.http.call_out(),
            // One byte a connection is not worth its charge.
            Found::Byte(byte) => {
                let permit = Permit::none(&self.context.budget);
                self.ahead = Some((Bytes::copy_from_slice(&[byte]), permit));
            }
        }
        Poll::Pending
    }

    fn on(&mut self, event: Event<'_, Rc<Opened>>) {
        match event {
            Event::Head { head, length } => self.begin(&head, length),
            Event::Data(bytes) => {
                if let Some(call) = &mut self.call
                    && let Err(refusal) = call.push(bytes)
                {
                    self.close(Outcome::Refused(refusal), false);
                }
            }
            Event::End => self.end(),
        }
    }

    fn begin(&mut self, opened: &Opened, length: Option<u64>) {
        self.between = None;
        let mut opened = opened.clone();
        if let Ok(call) = &mut opened.call {
            // A head is remembered without its length.
            call.length = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        }
        match InCall::begin(self.context, self.connection, &opened, rt::now()) {
            Ok(call) => {
                self.http.proceed();
                self.call = Some(call);
            }
            Err((counted, outcome)) => self.write(counted, outcome, false),
        }
    }

    /// The request is whole: it is handed over, and answered at once where that is known.
    fn end(&mut self) {
        let Some(mut call) = self.call.take() else {
            return;
        };
        let length = call.reader().and_then(|reader| reader.call().length);
        self.likely = Likely::after(self.http.head_bytes(), length);
        match call.hand_over(self.context) {
            Ok(call) => self.call = Some(call),
            Err((counted, outcome)) => self.write(counted, outcome, false),
        }
    }

    /// What came is no request, or no body of one: the connection cannot go on.
    fn fail(&mut self, problem: Problem) {
        tracing::debug!(what = problem.message, "a sender broke HTTP/1.1");
        if self.call.is_some() {
            let refusal = Refusal::permanent(Reason::Malformed, problem.message);
            self.close(Outcome::Refused(refusal), true);
        } else {
            self.http.fail(problem, self.date.at(rt::now()));
        }
    }

    /// Ends what has taken longer than it may; what has not is looked at again when it has.
    fn end_what_is_late(&mut self, cx: &TaskContext<'_>) {
        if let Some(InCall {
            progress: Progress::Reading { reading, .. },
            ..
        }) = &self.call
        {
            if reading.is_late(cx.waker()) {
                self.close(Outcome::Refused(body::too_slow()), true);
            }
        } else if !self.http.is_between() || self.context.gate.is_closed() {
            // At a closed gate it is this side that keeps the sender waiting.
            self.between = None;
        } else {
            let context = self.context;
            let reading = self
                .between
                .get_or_insert_with(|| context.reads.begin(rt::now()));
            if reading.is_late(cx.waker()) {
                self.http.give_up(self.date.at(rt::now()));
            }
        }
    }

    /// Answers the call that is open, where there is one. `last`: the connection ends with it.
    fn close(&mut self, outcome: Outcome, last: bool) {
        if let Some(call) = self.call.take() {
            self.write(call.counted, outcome, last);
        }
    }

    fn write(&mut self, counted: Counted, outcome: Outcome, last: bool) {
        let answered = counted.end(self.context, outcome);
        let date = self.date.at(rt::now());
        self.http
            .respond(&reply::http1_reply(&answered), date, last);
    }
}

/// Ends the sending side, then reads what a sender is still writing, for a moment: were the socket
/// closed on unread bytes, the kernel would reset the connection, and a sender whose body was
/// refused might never read why.
async fn linger(io: &IoHandle) {
    io.owe(LINGER_BYTES_MAX);
    let mut left = LINGER_BYTES_MAX;
    let mut ended = false;
    let discard = poll_fn(|cx| {
        if !ended {
            // A socket that cannot be ended cannot be read either.
            ended = ready!(io.poll_shutdown(cx)).is_ok();
        }
        while let Ok(read) = ready!(io.poll_discard(cx)) {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                break;
            }
        }
        Poll::Ready(())
    });
    // Whether the sender ends first or the time does is the same.
    rt::timeout(LINGER, discard).await.unwrap_or_default();
    io.settle(LINGER_BYTES_MAX);
}
