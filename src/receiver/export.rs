//! One call as a straight line: open, admit, read, prove, hand over, wait.

use std::time::Instant;

use http::{HeaderName, request::Parts};

use super::{
    Context,
    body::Reader,
    call::{Call, Dialect},
    connection::{Connection, since},
};
use crate::{
    batch::{Ack, ExportRequest},
    headers::{FORWARDED_BYTES_MAX, Forwarded, TooLong},
    metrics::Answer,
    outcome::{Outcome, Reason, Refusal},
    signal::Signal,
};

/// What a call came to, and how to write it.
#[derive(Debug)]
pub(super) struct Answered {
    pub dialect: Dialect,
    pub outcome: Outcome,
}

/// What a request's head was opened to.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub dialect: Dialect,
    pub call: Result<Call, Refusal>,
    /// Headers that go on with the request.
    pub headers: Forwarded,
}

impl Opened {
    /// Opens a head; `forwarded` names the headers that go on.
    pub(super) fn of(parts: &Parts, forwarded: &[HeaderName]) -> Self {
        let dialect = Dialect::of(&parts.headers);
        let call = Call::open(dialect, parts);
        match Forwarded::take(&parts.headers, forwarded) {
            Ok(headers) => Self {
                dialect,
                call,
                headers,
            },
            Err(too_long) => Self {
                dialect,
                call: call.and_then(|_| Err(headers_too_long(too_long))),
                headers: Forwarded::default(),
            },
        }
    }
}

fn headers_too_long(TooLong { bytes }: TooLong) -> Refusal {
    Refusal::permanent(
        Reason::TooLarge,
        format!(
            "the headers that forward_headers names take {bytes} bytes of the request, over the \
             {FORWARDED_BYTES_MAX} that may go on with it; send shorter or fewer ones"
        ),
    )
}

/// What is known of a call, however far it came, to be counted at its end.
#[derive(Debug)]
pub(super) struct Counted {
    dialect: Dialect,
    signal: Option<Signal>,
    items: u64,
    started: Instant,
}

impl Counted {
    pub(super) fn begin(opened: &Opened, now: Instant) -> Self {
        Self {
            dialect: opened.dialect,
            signal: opened.call.as_ref().ok().map(|call| call.signal),
            items: 0,
            started: now,
        }
    }

    /// Counts the call.
    pub(super) fn end(self, context: &Context, outcome: Outcome) -> Answered {
        let answer = match &outcome {
            Outcome::Accepted => Answer::Accepted,
            Outcome::Partial { rejected, .. } => Answer::Partial {
                rejected: *rejected,
            },
            Outcome::Refused(refusal) => Answer::Refused(refusal),
        };
        context.metrics.answered(
            self.signal,
            self.dialect.transport(),
            answer,
            self.items,
            since(self.started),
        );
        Answered {
            dialect: self.dialect,
            outcome,
        }
    }
}

/// Opens, admits: the reader of the call's body.
pub(super) fn admit<'a>(
    context: &'a Context,
    connection: &'a Connection,
    opened: &Opened,
) -> Result<Reader<'a>, Refusal> {
    let call = opened.call.clone()?;
    context.serves(call.signal)?;
    let headers = context.header_set(&opened.headers)?;
    Reader::new(context, connection, call, headers)
}

/// Proves a body that is whole, counts it and hands it over.
pub(super) fn take(
    context: &Context,
    reader: Reader<'_>,
    counted: &mut Counted,
) -> Result<Ack, Refusal> {
    let call = reader.call();
    let headers = reader.headers().cloned();
    let received = reader.finish()?;
    let Some(proven) = received.prove(context, call.signal)? else {
        return Ok(Ack::ready(Outcome::Accepted));
    };
    let items = proven.items;
    counted.items = items;
    context.metrics.received(call.signal, call.transport, items);
    Ok((context.submit)(ExportRequest {
        signal: call.signal,
        items,
        encoding: proven.encoding,
        headers,
        body: proven.slices,
        bytes: proven.bytes,
        deadline: call.timeout.map(|timeout| counted.started + timeout),
        place: None,
        permit: proven.permit,
    }))
}
