//! One call as a straight line: open, admit, read, prove, hand over, wait.

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;

use super::{
    Context, body,
    call::{Call, Dialect},
    connection::{Connection, since},
};
use crate::{
    batch::ExportRequest,
    metrics::Answer,
    outcome::{Outcome, Refusal},
    rt,
    signal::Signal,
};

/// What a call came to, and how to write it.
#[derive(Debug)]
pub(super) struct Answered {
    pub dialect: Dialect,
    pub outcome: Outcome,
}

/// Serves one call, from its headers to its outcome, and counts it.
pub(super) async fn serve<B>(
    context: &Context,
    connection: &Connection,
    parts: &Parts,
    body: B,
) -> Answered
where
    B: Body<Data = Bytes> + Unpin,
{
    let started = rt::now();
    let dialect = Dialect::of(&parts.headers);
    let mut counted = Counted::default();
    let outcome = match export(context, connection, dialect, parts, body, &mut counted).await {
        Ok(outcome) => outcome,
        Err(refusal) => Outcome::Refused(refusal),
    };
    let answer = match &outcome {
        Outcome::Accepted => Answer::Accepted,
        Outcome::Partial { rejected, .. } => Answer::Partial {
            rejected: *rejected,
        },
        Outcome::Refused(refusal) => Answer::Refused(refusal),
    };
    context.metrics.answered(
        counted.signal,
        dialect.transport(),
        answer,
        counted.items,
        since(started),
    );
    Answered { dialect, outcome }
}

/// What is known of a call, however far it came.
#[derive(Debug, Default)]
struct Counted {
    signal: Option<Signal>,
    items: u64,
}

async fn export<B>(
    context: &Context,
    connection: &Connection,
    dialect: Dialect,
    parts: &Parts,
    body: B,
    counted: &mut Counted,
) -> Result<Outcome, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let call = Call::open(dialect, parts)?;
    counted.signal = Some(call.signal);
    context.serves(call.signal)?;
    let received = body::read(context, connection, call, body).await?;
    let Some(proven) = received.prove(context, call.signal)? else {
        return Ok(Outcome::Accepted);
    };
    let items = proven.items;
    counted.items = items;
    context.metrics.received(call.signal, call.transport, items);
    let ack = (context.submit)(ExportRequest {
        signal: call.signal,
        items,
        encoding: proven.encoding,
        body: proven.slices,
        bytes: proven.bytes,
        permit: proven.permit,
    });
    Ok(ack.await)
}
