//! Serves OTLP/HTTP over HTTP/1.1.

use std::{
    cell::Cell,
    fmt,
    future::pending,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer::Answer,
    body::{Gather, TooLarge},
    exchange::{Outcome, State},
    link::Ending,
};

/// Serves a connection until it ends.
pub(super) async fn serve<S>(stream: S, state: &Rc<State>, ending: &Ending) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answered = Cell::new(0);
    let service = service_fn(|request| exchange(state, &answered, ending, request));
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn exchange(
    state: &State,
    answered: &Cell<u64>,
    ending: &Ending,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Ended> {
    let (parts, body) = request.into_parts();
    let mut told = false;
    let outcome = match state.meet(&parts) {
        Err(outcome) => outcome,
        Ok(fate) => {
            let body = read(body).await.map_err(|_| Ended)?;
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
            let mut response = Reply::response(*answer);
            if told {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response)
        }
        Outcome::Silence => pending().await,
        Outcome::Close => Err(Ended),
        Outcome::Reset => {
            ending.reset();
            Err(Ended)
        }
    }
}

/// Reads a body to its end.
async fn read(mut body: Incoming) -> hyper::Result<Result<Bytes, TooLarge>> {
    let length = body.size_hint().exact();
    let mut gathered = Gather::new(length.and_then(|it| usize::try_from(it).ok()));
    while let Some(frame) = body.frame().await {
        if let Ok(chunk) = frame?.into_data()
            && let Err(too_large) = gathered.push(chunk)
        {
            return Ok(Err(too_large));
        }
    }
    Ok(Ok(gathered.finish()))
}

/// The connection ends instead of an answer.
#[derive(Debug)]
struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is ended")
    }
}

impl std::error::Error for Ended {}

/// The body of an answer, which may stop short of its length.
#[derive(Debug)]
struct Reply {
    length: usize,
    left: Option<Bytes>,
    /// Turns to go until the connection breaks off.
    breaks: Option<u8>,
}

impl Reply {
    fn response(answer: Answer) -> Response<Self> {
        let mut response = Response::new(Self {
            length: answer.length(),
            // An error overtakes what is not written yet: the connection gets a turn to write it.
            breaks: (answer.missing > 0).then_some(1),
            left: Some(answer.body).filter(|it| !it.is_empty()),
        });
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        if let Some(left) = self.left.take() {
            return Poll::Ready(Some(Ok(Frame::data(left))));
        }
        match &mut self.breaks {
            None => Poll::Ready(None),
            Some(0) => Poll::Ready(Some(Err(Ended))),
            Some(turns) => {
                *turns -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && self.breaks.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length as u64)
    }
}
