//! HTTP/2 from a sender: gRPC and OTLP/HTTP, many calls at once.
//!
//! The calls of a connection live in its own task: what they answer in one burst is sent in one
//! write, and a connection that ends takes its calls with it.

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, ready},
};

use super::{
    Context, body,
    connection::Connection,
    export::{Answered, Counted, Opened},
    in_call::{InCall, Progress},
    reply,
};
use crate::{
    http2::server::{Event, Limits, Server},
    outcome::{Outcome, Refusal},
    rt,
};

/// Bytes that a sender may have under way in one call before it waits for more window.
///
/// - Source: chosen: so many full batches that no request of a common size ever waits.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// Bytes that a sender may have under way on one connection.
///
/// - Cost: not held: what a shard holds is bounded by its budget, and at the soft mark it stops
///   reading whatever the window says.
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// The largest frame that a sender may write.
///
/// - Cost: none: bodies are taken as they come, and a sender that uses it saves heads.
const FRAME_BYTES: usize = 1 << 20;

/// Errors of one connection that are answered with a reset before it is closed.
///
/// - Source: CVE-2025-8671; chosen far above what a sender with a fault of its own makes.
const ERROR_RESETS_MAX: usize = 256;

/// Bytes of answers that may wait for a sender to read them before its requests are not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, connection: &Rc<Connection>) {
    let io = connection.driver().io();
    let mut session = Session::new(context, connection);
    connection
        .driver()
        .drive_many(|cx| {
            let polled = session.poll(cx);
            io.gather(session.http.output());
            polled
        })
        .await;
}

/// One connection's calls.
struct Session<'a> {
    context: &'a Context,
    connection: &'a Rc<Connection>,
    http: Server<Rc<Opened>, InCall<'a>>,
    answered: Vec<(u32, Outcome)>,
}

impl<'a> Session<'a> {
    fn new(context: &'a Context, connection: &'a Rc<Connection>) -> Self {
        let limits = Limits {
            streams: context.limits.streams,
            header_bytes: context.limits.header_bytes,
            stream_window: STREAM_WINDOW_BYTES,
            connection_window: CONNECTION_WINDOW_BYTES,
            frame_bytes: FRAME_BYTES,
            error_resets: ERROR_RESETS_MAX,
        };
        let forwarded = Rc::clone(&context.forward_headers);
        Self {
            context,
            connection,
            http: Server::new(&limits, move |parts| Rc::new(Opened::of(parts, &forwarded))),
            answered: Vec::new(),
        }
    }

    /// Takes what came and answers what is known; ready at the end of the connection.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.context.connections.is_draining() {
            self.http.shut_down();
        }
        let io = self.connection.driver().io();
        if io.waiting() > ANSWER_BYTES_MAX && ready!(io.poll_drain(cx)).is_err() {
            return Poll::Ready(());
        }
        let ended = self.poll_receive(cx);
        self.poll_calls(cx);
        if ended.is_ready() || self.http.is_done() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Reads until nothing more is there, or it is the others' turn; ready at the end.
    fn poll_receive(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let io = self.connection.driver().io();
        loop {
            let mut open = false;
            let polled = io.poll_take(cx, |bytes| open = self.receive(bytes));
            // Nothing came, it broke the protocol, or the socket is broken: all are the end.
            if ready!(polled).is_err() || !open {
                return Poll::Ready(());
            }
        }
    }

    /// Takes a piece of input; says whether the connection goes on.
    fn receive(&mut self, mut input: &[u8]) -> bool {
        loop {
            match self.http.next(&mut input) {
                Ok(Some(event)) => self.on(event),
                Ok(None) => return true,
                Err(code) => {
                    tracing::debug!(code = code.name(), "a sender broke HTTP/2");
                    return false;
                }
            }
        }
    }

    fn on(&mut self, event: Event<'_, Rc<Opened>, InCall<'a>>) {
        match event {
            Event::Head { stream, head } => self.begin(stream, &head),
            Event::Data { stream, bytes } => {
                let Some(Some(call)) = self.http.call(stream) else {
                    return;
                };
                if let Err(refusal) = call.push(bytes) {
                    self.refuse(stream, refusal);
                }
            }
            Event::End { stream } => self.end(stream),
            Event::Reset { call } => {
                if let Progress::Reading { .. } = call.progress {
                    call.counted
                        .end(self.context, Outcome::Refused(body::cut_off()));
                }
            }
        }
    }

    fn begin(&mut self, stream: u32, opened: &Opened) {
        match InCall::begin(self.context, self.connection, opened, rt::now()) {
            Ok(call) => {
                if let Some(place) = self.http.call(stream) {
                    *place = Some(call);
                }
            }
            Err((counted, outcome)) => self.answer(stream, counted, outcome),
        }
    }

    /// The request is whole: it is handed over, and answered at once where that is known.
    fn end(&mut self, stream: u32) {
        let Some(call) = self.http.call(stream).and_then(Option::take) else {
            return;
        };
        match call.hand_over(self.context) {
            Ok(call) => {
                if let Some(place) = self.http.call(stream) {
                    *place = Some(call);
                }
            }
            Err((counted, outcome)) => self.answer(stream, counted, outcome),
        }
    }

    /// Answers the calls whose batches have come back, and those whose bodies take too long.
    fn poll_calls(&mut self, cx: &mut TaskContext<'_>) {
        for (stream, call) in self.http.calls() {
            match &mut call.progress {
                Progress::Waiting(ack) => {
                    if let Poll::Ready(outcome) = Pin::new(ack).poll(cx) {
                        self.answered.push((stream, outcome));
                    }
                }
                Progress::Reading { reading, .. } => {
                    if reading.is_late(cx.waker()) {
                        self.answered
                            .push((stream, Outcome::Refused(body::too_slow())));
                    }
                }
            }
        }
        let mut answered = std::mem::take(&mut self.answered);
        for (stream, outcome) in answered.drain(..) {
            self.close(stream, outcome);
        }
        self.answered = answered;
    }

    fn refuse(&mut self, stream: u32, refusal: Refusal) {
        self.close(stream, Outcome::Refused(refusal));
    }

    /// Answers a call that is open.
    fn close(&mut self, stream: u32, outcome: Outcome) {
        if let Some(place) = self.http.call(stream)
            && let Some(call) = place.take()
        {
            self.answer(stream, call.counted, outcome);
        }
    }

    fn answer(&mut self, stream: u32, counted: Counted, outcome: Outcome) {
        let answered: Answered = counted.end(self.context, outcome);
        self.http.respond(stream, reply::http2_reply(&answered));
    }
}
