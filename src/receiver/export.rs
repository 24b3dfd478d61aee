//! One call as a straight line: open, admit, read, prove, hand over, wait.

use std::time::Instant;

use http::request::Parts;

use super::{
    Context,
    body::Reader,
    call::{Call, Dialect},
    connection::{Connection, since},
};
use crate::{
    batch::{Ack, ExportRequest},
    metrics::Answer,
    outcome::{Outcome, Refusal},
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
}

impl Opened {
    pub(super) fn of(parts: &Parts) -> Self {
        let dialect = Dialect::of(&parts.headers);
        Self {
            dialect,
            call: Call::open(dialect, parts),
        }
    }
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
    Reader::new(context, connection, call)
}

/// Proves a body that is whole, counts it and hands it over.
pub(super) fn take(
    context: &Context,
    reader: Reader<'_>,
    counted: &mut Counted,
) -> Result<Ack, Refusal> {
    let call = reader.call();
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
        body: proven.slices,
        bytes: proven.bytes,
        deadline: call.timeout.map(|timeout| counted.started + timeout),
        place: None,
        permit: proven.permit,
    }))
}
