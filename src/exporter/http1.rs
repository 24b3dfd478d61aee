//! HTTP/1.1 to a collector: OTLP/HTTP, one request at a time.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http1};

use super::{
    answer::Answer,
    connection::{Broken, too_long},
};
use crate::{
    http2::fields::Fields,
    net::{Buffers, Driver, HyperIo, Io},
    rt::TcpStream,
    wire::Rope,
};

/// The connection; the sender is out while a request is in flight.
pub(super) struct Http1 {
    pub driver: Driver,
    slot: RefCell<Option<http1::SendRequest<RopeBody>>>,
}

impl std::fmt::Debug for Http1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http1").finish_non_exhaustive()
    }
}

/// Polls the connection.
pub(super) type Poller = Box<dyn FnMut(&mut Context<'_>) -> Poll<()>>;

impl Http1 {
    /// A connection over a fresh socket, and what polls it.
    pub(super) async fn open(
        stream: TcpStream,
        buffers: &Rc<Buffers>,
    ) -> Result<(Self, Poller), Broken> {
        let (io, handle) = Io::new(stream, Rc::clone(buffers), None);
        let (sender, mut http) = http1::handshake(HyperIo(io)).await.map_err(Broken::new)?;
        let http1 = Self {
            driver: Driver::new(handle),
            slot: RefCell::new(Some(sender)),
        };
        let poll = move |cx: &mut Context<'_>| Pin::new(&mut http).poll(cx).map(drop);
        Ok((http1, Box::new(poll)))
    }

    /// Sends one request and reads its answer, of at most `bytes_max`.
    pub(super) async fn send(
        &self,
        head: Request<()>,
        body: Rope,
        bytes_max: usize,
    ) -> Result<Answer, Broken> {
        let taken = self.slot.take();
        let Some(mut sender) = taken else {
            return Err(Broken::not_processed(
                "the connection has a request in flight",
            ));
        };
        sender.ready().await.map_err(Broken::not_processed)?;
        let request = head.map(|()| RopeBody { rope: Some(body) });
        let response = sender.send_request(request).await.map_err(|error| Broken {
            not_processed: error.is_canceled(),
            error: error.to_string(),
        })?;
        let answer = read(response, bytes_max).await?;
        self.slot.replace(Some(sender));
        Ok(answer)
    }
}

async fn read(response: Response<Incoming>, bytes_max: usize) -> Result<Answer, Broken> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
        let frame = frame.map_err(Broken::new)?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if body.len() + chunk.len() > bytes_max {
            return Err(too_long(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    let fields: Fields = head.headers.iter().collect();
    let body: Bytes = body.freeze();
    Ok(Answer {
        status: head.status.as_u16(),
        fields: Rc::new(fields),
        body,
        trailers: None,
    })
}

/// A rope as a request body of known length.
struct RopeBody {
    rope: Option<Rope>,
}

impl Body for RopeBody {
    type Data = Rope;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Rope>, Infallible>>> {
        Poll::Ready(self.rope.take().map(|rope| Ok(Frame::data(rope))))
    }

    fn is_end_stream(&self) -> bool {
        self.rope.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        use bytes::Buf as _;
        let len = self.rope.as_ref().map_or(0, Rope::remaining);
        SizeHint::with_exact(u64::try_from(len).unwrap_or(u64::MAX))
    }
}
