//! One gRPC connection: HTTP/2, many requests at once.

use std::{cell::RefCell, rc::Rc, time::Instant};

use bytes::{Buf, Bytes, BytesMut};
use h2::{RecvStream, client::SendRequest};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use tokio::sync::Mutex;

use super::{
    answer::{Answer, Body},
    connect::{Dialer, reason},
    gather::{Gather, drive},
    message::Message,
    settings::{Compression, Settings, Writes},
    source::Request,
};
use crate::telemetry::Signal;

/// Receive windows as large as those of gRPC senders; answers are small.
const WINDOW: u32 = 1 << 20;
/// More than this is no answer to an export.
const ANSWER: usize = 4 << 20;

/// Heads of requests, built once, and how requests are put on the wire.
pub(super) struct Heads {
    uris: [Uri; 3],
    headers: HeaderMap,
    compressed: bool,
    frame_bytes: Option<usize>,
    writes: Writes,
}

impl Heads {
    pub(super) fn new(settings: &Settings) -> Result<Self, http::Error> {
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let uri = |signal: &str, service: &str| {
            Uri::builder()
                .scheme(scheme)
                .authority(&*settings.target)
                .path_and_query(format!(
                    "/opentelemetry.proto.collector.{signal}.v1.{service}Service/Export"
                ))
                .build()
        };
        let mut headers = HeaderMap::new();
        let grpc = HeaderValue::from_static("application/grpc");
        headers.insert(header::CONTENT_TYPE, grpc);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        let agent = HeaderValue::from_static(concat!("loadtest/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        let timeout = format!("{}m", settings.timeout.as_millis());
        headers.insert("grpc-timeout", HeaderValue::try_from(timeout)?);
        let compressed = settings.compression != Compression::None;
        if compressed {
            let name = HeaderValue::from_static(settings.compression.name());
            headers.insert("grpc-encoding", name);
        }
        headers.extend(settings.headers.clone());
        Ok(Self {
            uris: [
                uri("trace", "Trace")?,
                uri("metrics", "Metrics")?,
                uri("logs", "Logs")?,
            ],
            headers,
            compressed,
            frame_bytes: settings.frame_bytes,
            writes: settings.writes,
        })
    }

    fn head(&self, signal: Signal) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = Version::HTTP_2;
        *head.uri_mut() = match signal {
            Signal::Traces => &self.uris[0],
            Signal::Metrics => &self.uris[1],
            Signal::Logs => &self.uris[2],
        }
        .clone();
        *head.headers_mut() = self.headers.clone();
        head
    }
}

/// A connection that is opened again when it breaks.
pub(super) struct Link {
    dialer: Dialer,
    heads: Rc<Heads>,
    open: RefCell<Option<Open>>,
    opening: Mutex<()>,
}

#[derive(Clone)]
struct Open {
    requests: SendRequest<Message>,
    /// Tells this connection from the one that follows it.
    number: Rc<()>,
}

impl Link {
    pub(super) fn new(dialer: Dialer, heads: Rc<Heads>) -> Self {
        Self {
            dialer,
            heads,
            open: RefCell::default(),
            opening: Mutex::default(),
        }
    }

    /// Opens the connection if it is not open.
    pub(super) async fn connect(&self) -> Result<(), String> {
        self.ready().await.map(drop)
    }

    /// A handle that takes a request.
    async fn ready(&self) -> Result<SendRequest<Message>, String> {
        loop {
            let open = self.open().await?;
            match open.requests.ready().await {
                Ok(requests) => return Ok(requests),
                Err(_) => self.forget(&open.number),
            }
        }
    }

    async fn open(&self) -> Result<Open, String> {
        if let Some(open) = &*self.open.borrow() {
            return Ok(open.clone());
        }
        let _turn = self.opening.lock().await;
        // Another request may have opened it meanwhile.
        if let Some(open) = &*self.open.borrow() {
            return Ok(open.clone());
        }
        let stream = Gather::new(self.dialer.dial().await?, self.heads.writes);
        let shared = stream.share();
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false)
            .max_send_buffer_size(u32::MAX as usize)
            .handshake(stream)
            .await
            .map_err(|error| name(&error))?;
        tokio::task::spawn_local(drive(shared, connection));
        let open = Open {
            requests,
            number: Rc::new(()),
        };
        *self.open.borrow_mut() = Some(open.clone());
        Ok(open)
    }

    fn forget(&self, number: &Rc<()>) {
        let mut open = self.open.borrow_mut();
        if open
            .as_ref()
            .is_some_and(|open| Rc::ptr_eq(&open.number, number))
        {
            *open = None;
        }
    }

    /// Sends the request and waits for its answer; says when it was handed over.
    pub(super) async fn exchange(&self, request: &Request, handed: impl FnOnce(Instant)) -> Answer {
        let mut requests = match self.ready().await {
            Ok(requests) => requests,
            Err(why) => return Answer::unanswered(why),
        };
        handed(Instant::now());
        match call(&self.heads, &mut requests, request).await {
            Ok(answer) => answer,
            Err(error) => Answer::unanswered(name(&error)),
        }
    }
}

async fn call(
    heads: &Heads,
    requests: &mut SendRequest<Message>,
    request: &Request,
) -> Result<Answer, h2::Error> {
    let (response, mut stream) = requests.send_request(heads.head(request.signal), false)?;
    let mut message = Message::new(heads.compressed, request.body.clone());
    if let Some(most) = heads.frame_bytes {
        while message.remaining() > most {
            stream.send_data(message.split_to(most), false)?;
        }
    }
    stream.send_data(message, true)?;
    let (head, mut body) = response.await?.into_parts();
    if head.status != http::StatusCode::OK {
        let now = std::time::SystemTime::now();
        return Ok(Answer::http(head.status, &head.headers, Body::Foreign, now));
    }
    if body.is_end_stream() {
        return Ok(Answer::grpc(&head.headers, b""));
    }
    let Some(message) = read(&mut body).await? else {
        return Ok(Answer::unanswered("answer too large"));
    };
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(Answer::grpc(&trailers, &message))
}

/// The body; `None` when it is too large.
async fn read(body: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let mut message = Bytes::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        if message.len() + chunk.len() > ANSWER {
            return Ok(None);
        }
        message = if message.is_empty() {
            chunk
        } else {
            let mut both = BytesMut::from(message);
            both.extend_from_slice(&chunk);
            both.freeze()
        };
    }
    Ok(Some(message))
}

/// The name of a failure, the same for all of its kind.
fn name(error: &h2::Error) -> String {
    if let Some(error) = error.get_io() {
        return reason(error);
    }
    match error.reason() {
        Some(reason) if error.is_go_away() => format!("GOAWAY {reason:?}"),
        Some(reason) if error.is_reset() => format!("RST_STREAM {reason:?}"),
        Some(reason) => format!("HTTP/2 {reason:?}"),
        None => error.to_string(),
    }
}
