//! Serves HTTP/2: gRPC, and OTLP/HTTP over it.

use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use h2::{
    RecvStream,
    server::{self, SendResponse},
};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer::Answer,
    body::Gather,
    exchange::{Outcome, State},
    link::Ending,
    request::{Form, grpc_length},
};

/// The bytes that a sender may have under way: so many that it never waits for leave to send.
const WINDOW: u32 = 16 << 20;

/// Bytes read before the sender is given leave for as many more.
const RELEASE: usize = 1 << 20;

/// What a finished request means for its connection.
enum After {
    Goes,
    IsToldToGo,
    Closes,
    Resets,
}

/// Serves a connection until it ends. All of its requests end with it.
pub(super) async fn serve<S>(
    stream: S,
    state: &Rc<State>,
    ending: &Ending,
    max_frame: u32,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(max_frame)
        .handshake::<_, Bytes>(stream)
        .await?;
    let answered = Cell::new(0);
    let mut exchanges = FuturesUnordered::new();
    poll_fn(|cx| {
        // The requests that came together are all taken before the first one is answered, and the
        // answers that are ready together go together: one system call each way for all of them.
        loop {
            match connection.poll_accept(cx)? {
                Poll::Ready(Some((request, respond))) => {
                    exchanges.push(exchange(state, &answered, request, respond));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        while let Poll::Ready(Some(after)) = exchanges.poll_next_unpin(cx) {
            match after {
                After::Goes => {}
                After::IsToldToGo => connection.graceful_shutdown(),
                After::Closes => return Poll::Ready(Ok(())),
                After::Resets => {
                    ending.reset();
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Pending
    })
    .await
}

async fn exchange(
    state: &State,
    answered: &Cell<u64>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> After {
    let (parts, body) = request.into_parts();
    let mut told = false;
    let outcome = match state.meet(&parts) {
        Err(outcome) => outcome,
        Ok(fate) => {
            let Ok(body) = read(body, fate.form()).await else {
                // The sender has given the request up.
                return After::Goes;
            };
            if let Some(slow) = fate.slow() {
                tokio::time::sleep(slow).await;
            }
            told = fate.ends_connection(answered.get());
            answered.set(if told { 0 } else { answered.get() + 1 });
            state.settle(&fate, body)
        }
    };
    match outcome {
        Outcome::Answer(answer) => {
            // A sender that is gone needs no answer.
            drop(write(*answer, respond));
            if told { After::IsToldToGo } else { After::Goes }
        }
        Outcome::Silence => {
            drop(poll_fn(|cx| respond.poll_reset(cx)).await);
            After::Goes
        }
        Outcome::Close => After::Closes,
        Outcome::Reset => After::Resets,
    }
}

/// Reads a body to its end.
async fn read(
    mut body: RecvStream,
    form: Form,
) -> Result<Result<Bytes, super::body::TooLarge>, h2::Error> {
    let mut gathered = Gather::default();
    let mut unreleased = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        unreleased += chunk.len();
        if unreleased >= RELEASE || body.is_end_stream() {
            body.flow_control().release_capacity(unreleased)?;
            unreleased = 0;
        }
        let first = gathered.len() == 0;
        if let Err(too_large) = gathered.push(chunk) {
            return Ok(Err(too_large));
        }
        if let Some(length) = grpc_length(gathered.first()).filter(|_| first && form == Form::Grpc)
        {
            gathered.expect(length);
        }
    }
    Ok(Ok(gathered.finish()))
}

fn write(answer: Answer, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    *head.status_mut() = answer.status;
    *head.headers_mut() = answer.headers;
    if answer.body.is_empty() && answer.trailers.is_none() {
        respond.send_response(head, true)?;
        return Ok(());
    }
    let mut stream = respond.send_response(head, false)?;
    // One whose end is missing just ends.
    let trailers = answer.trailers.filter(|_| answer.missing == 0);
    stream.send_data(answer.body, trailers.is_none())?;
    match trailers {
        Some(trailers) => stream.send_trailers(trailers),
        None => Ok(()),
    }
}
