//! The head of a request to a collector: path, content type, the operator's headers.

use http::{HeaderValue, Method, Request, Uri, header};

use super::collector::Resources;
use crate::{
    config::{Endpoint, HttpVersion, Protocol},
    encoding::Encoding,
    signal::Signal,
    wire::grpc,
};

const USER_AGENT: &str = concat!("otlp/", env!("CARGO_PKG_VERSION"));

/// The head of a signal's requests in one encoding: the same for all of them.
pub(super) fn head(
    endpoint: &Endpoint,
    signal: Signal,
    encoding: Encoding,
    resources: &Resources,
) -> Option<Request<()>> {
    let multiplexed =
        endpoint.protocol == Protocol::Grpc || endpoint.http_version == HttpVersion::Http2;
    let path = endpoint.path_of(signal);
    let uri = if multiplexed {
        Uri::builder()
            .scheme("http")
            .authority(endpoint.authority())
            .path_and_query(path)
            .build()
            .ok()?
    } else {
        path.parse().ok()?
    };
    let mut head = Request::new(());
    *head.method_mut() = Method::POST;
    *head.uri_mut() = uri;
    *head.version_mut() = if multiplexed {
        http::Version::HTTP_2
    } else {
        http::Version::HTTP_11
    };
    let headers = head.headers_mut();
    *headers = resources.headers.clone();
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
            if !multiplexed {
                headers.insert(
                    header::HOST,
                    HeaderValue::try_from(endpoint.authority()).ok()?,
                );
            }
        }
    }
    Some(head)
}
