//! One connection to a collector: HTTP/2 (gRPC, OTLP/HTTP) or HTTP/1.1 (OTLP/HTTP).

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use h2::client::{self, SendRequest};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http1};

use super::{answer::Answer, collector::Shared};
use crate::{
    net::{Buffers, Driver, HyperIo, Io},
    rt::{self, TcpStream},
    wire::Rope,
};

/// Bytes of an answer that a collector may have under way before it waits for more window.
///
/// - Source: chosen: answers are a few bytes; what is larger waits for what is read.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// Requests that may be started before the collector has said how many it takes.
///
/// - Source: chosen: the least that RFC 9113, section 6.5.2 recommends for that setting.
const STREAMS_BEFORE_SETTINGS: usize = 100;

/// Bytes of an answer's headers.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    peer: SocketAddr,
    driver: Driver,
    sender: Sender,
    in_flight: Cell<usize>,
    busy_since: Cell<Instant>,
    answered: Cell<bool>,
    retired: Cell<bool>,
    ended: Cell<bool>,
}

enum Sender {
    Http2(SendRequest<Rope>),
    Http1(RefCell<Option<http1::SendRequest<RopeBody>>>),
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http2(_) => "Http2",
            Self::Http1(_) => "Http1",
        })
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Broken {
    /// Whether the collector cannot have begun to work on the request.
    pub not_processed: bool,
    pub error: String,
}

impl Broken {
    fn new(error: impl ToString) -> Self {
        Self {
            not_processed: false,
            error: error.to_string(),
        }
    }
}

impl From<h2::Error> for Broken {
    fn from(error: h2::Error) -> Self {
        // A graceful GOAWAY or a refused stream: RFC 9113, sections 6.8 and 8.7.
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM)
            || (error.is_go_away()
                && error.is_remote()
                && error.reason() == Some(h2::Reason::NO_ERROR));
        Self {
            not_processed: refused,
            error: error.to_string(),
        }
    }
}

impl Connection {
    /// Opens an HTTP/2 connection with prior knowledge over a fresh socket.
    pub(super) async fn http2(
        stream: TcpStream,
        peer: SocketAddr,
        buffers: &Rc<Buffers>,
        shared: &Shared,
    ) -> Result<Rc<Self>, Broken> {
        let (io, handle) = Io::new(stream, Rc::clone(buffers), None);
        let driver = Driver::new(handle);
        let mut handshake = pin!(
            client::Builder::new()
                .enable_push(false)
                .initial_window_size(STREAM_WINDOW_BYTES)
                .max_header_list_size(HEADER_BYTES_MAX)
                .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
                .handshake::<_, Rope>(io)
        );
        let mut shaken = None;
        driver
            .drive(|cx| {
                shaken = Some(ready!(handshake.as_mut().poll(cx)));
                Poll::Ready(())
            })
            .await;
        let (sender, mut http) =
            shaken.ok_or_else(|| Broken::new("the connection was closed at once"))??;
        let connection = Rc::new(Self::new(peer, driver, Sender::Http2(sender)));
        connection.run(shared, move |cx| Pin::new(&mut http).poll(cx).map(drop));
        Ok(connection)
    }

    /// Opens an HTTP/1.1 connection over a fresh socket.
    pub(super) async fn http1(
        stream: TcpStream,
        peer: SocketAddr,
        buffers: &Rc<Buffers>,
        shared: &Shared,
    ) -> Result<Rc<Self>, Broken> {
        let (io, handle) = Io::new(stream, Rc::clone(buffers), None);
        let (sender, mut http) = http1::handshake(HyperIo(io)).await.map_err(Broken::new)?;
        let sender = Sender::Http1(RefCell::new(Some(sender)));
        let connection = Rc::new(Self::new(peer, Driver::new(handle), sender));
        connection.run(shared, move |cx| Pin::new(&mut http).poll(cx).map(drop));
        Ok(connection)
    }

    fn new(peer: SocketAddr, driver: Driver, sender: Sender) -> Self {
        Self {
            peer,
            driver,
            sender,
            in_flight: Cell::new(0),
            busy_since: Cell::new(rt::now()),
            answered: Cell::new(false),
            retired: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Runs the connection in a task of its own, to its end.
    fn run(
        self: &Rc<Self>,
        shared: &Shared,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<()> + 'static,
    ) {
        let connection = Rc::clone(self);
        let metrics = std::sync::Arc::clone(&shared.metrics);
        metrics.collector_connections(1);
        rt::spawn(async move {
            let inner = Rc::clone(&connection);
            connection
                .driver
                .drive(move |cx| {
                    if inner.retired.get() && inner.in_flight.get() == 0 {
                        return Poll::Ready(());
                    }
                    poll(cx)
                })
                .await;
            connection.ended.set(true);
            metrics.collector_connections(-1);
        });
    }

    /// Whether a request may be sent on it.
    pub(super) const fn is_usable(&self) -> bool {
        !self.ended.get() && !self.retired.get() && !self.driver.is_abandoned()
    }

    /// Whether it has no request in flight.
    pub(super) const fn is_idle(&self) -> bool {
        self.in_flight.get() == 0
    }

    /// Requests in flight.
    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Whether it has carried an answer: a fresh connection that breaks tells more of the
    /// collector than one that had lain idle.
    pub(super) const fn has_answered(&self) -> bool {
        self.answered.get()
    }

    /// Whether it was given up because the collector had gone silent.
    pub(super) const fn is_abandoned(&self) -> bool {
        self.driver.is_abandoned()
    }

    /// The address it goes to.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Takes no more requests; ends after the last answer.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.driver.wake();
    }

    /// Gives it up when an answer is owed and nothing has moved for too long.
    pub(super) fn sweep(&self, now: Instant, timeouts: crate::config::Timeouts) {
        let silent_since = self.driver.io().read_at().max(self.busy_since.get());
        let silent =
            self.in_flight.get() > 0 && now.saturating_duration_since(silent_since) > timeouts.read;
        let stuck = self
            .driver
            .io()
            .stuck_since()
            .is_some_and(|since| now.saturating_duration_since(since) > timeouts.write);
        if silent || stuck {
            self.driver.abandon();
        }
    }

    /// Sends one request and reads its answer, of at most `bytes_max`.
    pub(super) async fn send(
        &self,
        head: Request<()>,
        body: Rope,
        bytes_max: usize,
    ) -> Result<Answer, Broken> {
        let _in_flight = InFlight::begin(self);
        let answer = match &self.sender {
            Sender::Http2(sender) => send_http2(sender, head, body, bytes_max).await,
            Sender::Http1(sender) => send_http1(sender, head, body, bytes_max).await,
        };
        self.answered.set(self.answered.get() || answer.is_ok());
        answer
    }
}

/// Counts a request in flight for as long as it lives, however it ends.
struct InFlight<'a> {
    connection: &'a Connection,
}

impl<'a> InFlight<'a> {
    fn begin(connection: &'a Connection) -> Self {
        if connection.in_flight.get() == 0 {
            connection.busy_since.set(rt::now());
        }
        connection.in_flight.set(connection.in_flight.get() + 1);
        Self { connection }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let connection = self.connection;
        connection.in_flight.set(connection.in_flight.get() - 1);
        if connection.retired.get() {
            connection.driver.wake();
        }
    }
}

async fn send_http2(
    sender: &SendRequest<Rope>,
    head: Request<()>,
    body: Rope,
    bytes_max: usize,
) -> Result<Answer, Broken> {
    let mut sender = sender.clone().ready().await.map_err(not_sent)?;
    let (response, mut stream) = sender.send_request(head, false).map_err(not_sent)?;
    stream.send_data(body, true)?;
    let (head, mut incoming) = response.await?.into_parts();
    let mut body = BytesMut::new();
    while let Some(chunk) = poll_fn(|cx| incoming.poll_data(cx)).await {
        let chunk = chunk?;
        if body.len() + chunk.len() > bytes_max {
            return Err(too_long(bytes_max));
        }
        incoming.flow_control().release_capacity(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    let trailers = poll_fn(|cx| incoming.poll_trailers(cx)).await?;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
        trailers,
    })
}

/// An error before a byte of the request was sent.
fn not_sent(error: h2::Error) -> Broken {
    Broken {
        not_processed: true,
        error: error.to_string(),
    }
}

fn too_long(bytes_max: usize) -> Broken {
    Broken::new(format!(
        "the collector's answer is over limits.response_bytes ({bytes_max})"
    ))
}

async fn send_http1(
    slot: &RefCell<Option<http1::SendRequest<RopeBody>>>,
    head: Request<()>,
    body: Rope,
    bytes_max: usize,
) -> Result<Answer, Broken> {
    let Some(mut sender) = slot.take() else {
        return Err(Broken {
            not_processed: true,
            error: "the connection has a request in flight".to_owned(),
        });
    };
    sender.ready().await.map_err(|error| Broken {
        not_processed: true,
        error: error.to_string(),
    })?;
    let request = head.map(|()| RopeBody { rope: Some(body) });
    let response = sender.send_request(request).await.map_err(|error| Broken {
        not_processed: error.is_canceled(),
        error: error.to_string(),
    })?;
    let answer = read_http1(response, bytes_max).await?;
    slot.replace(Some(sender));
    Ok(answer)
}

async fn read_http1(response: Response<Incoming>, bytes_max: usize) -> Result<Answer, Broken> {
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
    let body: Bytes = body.freeze();
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
        trailers: None,
    })
}

/// A rope as a request body of known length.
pub(super) struct RopeBody {
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
