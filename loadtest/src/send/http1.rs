//! One HTTP/1.1 connection: one request at a time, kept alive.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;

use super::{
    answer::{Answer, Body},
    connect::{Dialer, reason},
    settings::{Compression, Protocol, Settings},
    source::Request,
};
use crate::telemetry::Signal;

/// More than this is no answer to an export.
const ANSWER: usize = 4 << 20;
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// Heads of requests, built once.
pub(super) struct Heads(HeaderMap);

impl Heads {
    pub(super) fn new(settings: &Settings) -> Result<Self, http::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::try_from(&*settings.target)?);
        let content = match settings.protocol {
            Protocol::HttpJson => JSON,
            _ => PROTOBUF,
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        let agent = HeaderValue::from_static(concat!("loadtest/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        if settings.compression != Compression::None {
            let name = HeaderValue::from_static(settings.compression.name());
            headers.insert(header::CONTENT_ENCODING, name);
        }
        headers.extend(settings.headers.clone());
        Ok(Self(headers))
    }

    fn request(&self, request: &Request) -> http::Request<Full<Bytes>> {
        let mut whole = http::Request::new(Full::new(request.body.clone()));
        *whole.method_mut() = Method::POST;
        *whole.uri_mut() = Uri::from_static(match request.signal {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        });
        *whole.headers_mut() = self.0.clone();
        whole
    }
}

/// A connection that is opened again when it breaks.
pub(super) struct Link {
    dialer: Dialer,
    heads: Rc<Heads>,
    /// Absent while a request is on it, and when it is closed.
    idle: RefCell<Option<SendRequest<Full<Bytes>>>>,
}

impl Link {
    pub(super) fn new(dialer: Dialer, heads: Rc<Heads>) -> Self {
        Self {
            dialer,
            heads,
            idle: RefCell::default(),
        }
    }

    /// Opens the connection if it is not open.
    pub(super) async fn connect(&self) -> Result<(), String> {
        let open = self.ready().await?;
        *self.idle.borrow_mut() = Some(open);
        Ok(())
    }

    async fn ready(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let idle = self.idle.borrow_mut().take();
        if let Some(mut open) = idle
            && open.ready().await.is_ok()
        {
            return Ok(open);
        }
        let stream = TokioIo::new(self.dialer.dial().await?);
        let (mut open, connection) = handshake(stream).await.map_err(|error| name(&error))?;
        tokio::task::spawn_local(async move {
            // Why it ended is told by its request.
            let _ended = connection.await;
        });
        open.ready().await.map_err(|error| name(&error))?;
        Ok(open)
    }

    /// Sends the request and waits for its answer; says when it was handed over.
    pub(super) async fn exchange(&self, request: &Request, handed: impl FnOnce(Instant)) -> Answer {
        let mut open = match self.ready().await {
            Ok(open) => open,
            Err(why) => return Answer::unanswered(why),
        };
        handed(Instant::now());
        let answer = match open.send_request(self.heads.request(request)).await {
            Ok(response) => read(response).await,
            Err(error) => return Answer::unanswered(name(&error)),
        };
        *self.idle.borrow_mut() = Some(open);
        answer
    }
}

async fn read(response: http::Response<hyper::body::Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, ANSWER).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Answer::unanswered("answer too large");
        }
        Err(error) => {
            let name = error.downcast_ref().map_or_else(|| error.to_string(), name);
            return Answer::unanswered(name);
        }
    };
    let content = head.headers.get(header::CONTENT_TYPE);
    let content = content.and_then(|content| content.to_str().ok());
    let body = match content.map(|content| content.split(';').next().unwrap_or_default().trim()) {
        // Nothing at all is the empty message, whatever it is called.
        _ if body.is_empty() => Body::Protobuf(&body),
        Some(JSON) => Body::Json(&body),
        Some(PROTOBUF) => Body::Protobuf(&body),
        _ => Body::Foreign,
    };
    Answer::http(head.status, &head.headers, body, SystemTime::now())
}

/// The name of a failure, the same for all of its kind.
fn name(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "connection closed".into();
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref() {
            return reason(error);
        }
        source = cause.source();
    }
    error.to_string()
}
