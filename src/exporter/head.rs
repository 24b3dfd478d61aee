//! The head of a request to a collector: path, content type, the operator's headers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::collector::Resources;
use crate::{
    config::{Endpoint, Protocol},
    encoding::Encoding,
    headers::Forwarded,
    http2::hpack,
    signal::Signal,
    wire::grpc,
};

const USER_AGENT: &str = concat!("otlp/", env!("CARGO_PKG_VERSION"));

/// The head of a signal's requests in one encoding: the same for all of them.
#[derive(Debug)]
pub(super) enum Head {
    Http1 {
        /// Its lines up to the last field, without the length of the body.
        lines: Bytes,
        /// Whether the method has a body, whose length is told.
        has_body: bool,
    },
    /// A header block.
    Http2(Bytes),
}

impl Head {
    /// The same for one request, with what goes on of its sender's headers. `own` are the
    /// operator's, which are in it already and win: a sender cannot put itself in their place.
    pub(super) fn with(&self, forwarded: &Forwarded, own: &HeaderMap) -> Self {
        let is_free = |name: &[u8]| own.keys().all(|known| known.as_str().as_bytes() != name);
        let added = forwarded.iter().filter(|(name, _)| is_free(name));
        match self {
            Self::Http1 { lines, has_body } => {
                let mut lines = lines.to_vec();
                added.for_each(|(name, value)| put_line(name, value, &mut lines));
                Self::Http1 {
                    lines: Bytes::from(lines),
                    has_body: *has_body,
                }
            }
            Self::Http2(block) => {
                let mut block = block.to_vec();
                added.for_each(|(name, value)| hpack::encode(name, value, true, &mut block));
                Self::Http2(Bytes::from(block))
            }
        }
    }
}

/// The head of a signal's requests; `None` where the address makes none.
pub(super) fn head(
    endpoint: &Endpoint,
    signal: Signal,
    encoding: Encoding,
    resources: &Resources,
) -> Option<Head> {
    let packed = encoding
        .is_packed()
        .then(|| HeaderValue::from_static(encoding.name()));
    let headers = match endpoint.protocol {
        Protocol::Grpc => {
            let mut headers = grpc_headers(resources.timeouts.operation)?;
            if let Some(packed) = packed {
                headers.insert("grpc-encoding", packed);
            }
            headers
        }
        Protocol::HttpProtobuf => {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-protobuf"),
            );
            if let Some(packed) = packed {
                headers.insert(header::CONTENT_ENCODING, packed);
            }
            headers
        }
    };
    let path = endpoint.path_of(signal);
    write(endpoint, "POST", &path, headers, &resources.headers)
}

/// The head of a request for a page, by which a collector shows that it is there.
pub(super) fn page(endpoint: &Endpoint, path: &str, resources: &Resources) -> Option<Head> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    if !endpoint.is_multiplexed() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    write(endpoint, "GET", path, headers, &resources.headers)
}

/// The head of a call of gRPC's own health service.
///
/// - Source: gRPC, "GRPC Health Checking Protocol".
pub(super) fn health(
    endpoint: &Endpoint,
    timeout: Duration,
    resources: &Resources,
) -> Option<Head> {
    let headers = grpc_headers(timeout)?;
    let path = "/grpc.health.v1.Health/Check";
    write(endpoint, "POST", path, headers, &resources.headers)
}

/// The fields of every gRPC call.
fn grpc_headers(timeout: Duration) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let timeout = grpc::encode_timeout(timeout);
    headers.insert("grpc-timeout", HeaderValue::try_from(timeout).ok()?);
    Some(headers)
}

fn write(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    mut headers: HeaderMap,
    own: &HeaderMap,
) -> Option<Head> {
    if endpoint.is_multiplexed() {
        return Some(Head::Http2(block(endpoint, method, path, &headers, own)));
    }
    let authority = HeaderValue::try_from(endpoint.authority()).ok()?;
    headers.insert(header::HOST, authority);
    // A path that no line could hold.
    http::uri::PathAndQuery::try_from(path).ok()?;
    let mut lines = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers.iter().chain(own) {
        put_line(name.as_str().as_bytes(), value.as_bytes(), &mut lines);
    }
    Some(Head::Http1 {
        lines: Bytes::from(lines),
        has_body: method == "POST",
    })
}

fn put_line(name: &[u8], value: &[u8], lines: &mut Vec<u8>) {
    for piece in [name, b": ", value, b"\r\n"] {
        lines.extend_from_slice(piece);
    }
}

/// The same as a header block. What the operator has set may be a credential, so nobody on the way
/// is to put it into a table.
fn block(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    headers: &HeaderMap,
    own: &HeaderMap,
) -> Bytes {
    let mut block = Vec::new();
    let mut put = |name: &str, value: &[u8], sensitive| {
        hpack::encode(name.as_bytes(), value, sensitive, &mut block);
    };
    put(":method", method.as_bytes(), false);
    put(":scheme", b"http", false);
    put(":path", path.as_bytes(), false);
    put(":authority", endpoint.authority().as_bytes(), false);
    let mut all = |headers: &HeaderMap, sensitive| {
        let pairs = headers.iter();
        pairs.for_each(|(name, value): (&HeaderName, _)| {
            put(name.as_str(), value.as_bytes(), sensitive);
        });
    };
    all(headers, false);
    all(own, true);
    Bytes::from(block)
}
