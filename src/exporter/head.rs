//! The head of a request to a collector: path, content type, the operator's headers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};

use super::collector::Resources;
use crate::{
    config::{Endpoint, HttpVersion, Protocol},
    encoding::Encoding,
    http2::hpack,
    signal::Signal,
    wire::grpc,
};

const USER_AGENT: &str = concat!("otlp/", env!("CARGO_PKG_VERSION"));

/// The head of a signal's requests in one encoding: the same for all of them.
#[derive(Debug)]
pub(super) enum Head {
    Http1(Request<()>),
    /// A header block.
    Http2(Bytes),
}

/// The head of a signal's requests; `None` where the address makes none.
pub(super) fn head(
    endpoint: &Endpoint,
    signal: Signal,
    encoding: Encoding,
    resources: &Resources,
) -> Option<Head> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let packed = encoding
        .is_packed()
        .then(|| HeaderValue::from_static(encoding.name()));
    match endpoint.protocol {
        Protocol::Grpc => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/grpc"),
            );
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            let timeout = grpc::encode_timeout(resources.timeouts.operation);
            headers.insert("grpc-timeout", HeaderValue::try_from(timeout).ok()?);
            if let Some(packed) = packed {
                headers.insert("grpc-encoding", packed);
            }
        }
        Protocol::HttpProtobuf => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-protobuf"),
            );
            if let Some(packed) = packed {
                headers.insert(header::CONTENT_ENCODING, packed);
            }
        }
    }
    let path = endpoint.path_of(signal);
    if endpoint.protocol == Protocol::Grpc || endpoint.http_version == HttpVersion::Http2 {
        let own = &resources.headers;
        return Some(Head::Http2(block(endpoint, &path, &headers, own)));
    }
    headers.insert(
        header::HOST,
        HeaderValue::try_from(endpoint.authority()).ok()?,
    );
    headers.extend(resources.headers.clone());
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().ok()?;
    *request.headers_mut() = headers;
    Some(Head::Http1(request))
}

/// The same as a header block. What the operator has set may be a credential, so nobody on the way
/// is to put it into a table.
fn block(endpoint: &Endpoint, path: &str, headers: &HeaderMap, own: &HeaderMap) -> Bytes {
    let mut block = Vec::new();
    let mut put = |name: &str, value: &[u8], sensitive| {
        hpack::encode(name.as_bytes(), value, sensitive, &mut block);
    };
    put(":method", b"POST", false);
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
