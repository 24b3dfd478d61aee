//! An outcome as the response that says it, in the dialect of its call.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use prost::Message;

use super::{call::Dialect, export::Answered};
use crate::{
    encoding::Encoding,
    http1,
    http2::{hpack, server::Reply},
    outcome::{Code, Outcome, Reason, Refusal},
    wire::{
        ExportResponse, Status, grpc,
        grpc::{EMPTY_MESSAGE, Prefix},
        retry_after_seconds,
    },
};

/// The longest message of a collector that is handed on to a sender.
///
/// - Source: chosen: keeps every answer far below the 4 MiB that OTLP 1.11.0 allows.
const MESSAGE_CHARS_MAX: usize = 4096;

const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const APPLICATION_PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// A gRPC answer: headers, and unless those say it all, a message and trailers.
#[derive(Debug)]
enum GrpcReply {
    TrailersOnly(Response<()>),
    Full {
        head: Response<()>,
        message: Bytes,
        trailers: HeaderMap,
    },
}

/// Writes the answer of a gRPC call.
fn grpc_reply(outcome: &Outcome) -> GrpcReply {
    let mut head = Response::new(());
    head.headers_mut()
        .insert(header::CONTENT_TYPE, APPLICATION_GRPC);
    let message = match outcome {
        Outcome::Accepted => Bytes::from_static(&EMPTY_MESSAGE),
        Outcome::Partial { rejected, message } => partial_message(*rejected, message),
        Outcome::Refused(refusal) => {
            refuse_grpc(refusal, head.headers_mut());
            return GrpcReply::TrailersOnly(head);
        }
    };
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(
        GRPC_STATUS,
        HeaderValue::from_static(Code::Ok.number_text()),
    );
    GrpcReply::Full {
        head,
        message,
        trailers,
    }
}

fn partial_message(rejected: u64, message: &str) -> Bytes {
    let response = ExportResponse::partial(rejected, shortened(message));
    let len = response.encoded_len();
    let mut bytes = BytesMut::with_capacity(grpc::PREFIX_BYTES + len);
    if let Some(prefix) = (Prefix {
        compressed: false,
        len,
    })
    .to_bytes()
    {
        bytes.put_slice(&prefix);
    }
    bytes.put_slice(&response.encode_to_vec());
    bytes.freeze()
}

fn shortened(message: &str) -> &str {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => &message[..end],
        None => message,
    }
}

fn refuse_grpc(refusal: &Refusal, headers: &mut HeaderMap) {
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from_static(refusal.code().number_text()),
    );
    if let Ok(message) = HeaderValue::try_from(grpc::encode_message(refusal.message())) {
        headers.insert(GRPC_MESSAGE, message);
    }
    let status = Status::of(refusal);
    // Details that would repeat code and message alone are left out.
    if !status.details.is_empty()
        && let Ok(details) = HeaderValue::try_from(STANDARD_NO_PAD.encode(status.encode_to_vec()))
    {
        headers.insert(GRPC_STATUS_DETAILS, details);
    }
    if refusal.reason() == Reason::Unsupported {
        headers.insert(
            GRPC_ACCEPT_ENCODING,
            HeaderValue::from_static(Encoding::ACCEPTED),
        );
    }
}

/// The answer that nearly every gRPC call gets.
static GRPC_ACCEPTED: LazyLock<Reply> = LazyLock::new(|| grpc_as_http2(&Outcome::Accepted));

/// Writes the answer of a call over HTTP/2.
pub(super) fn http2_reply(answered: &Answered) -> Reply {
    match (answered.dialect, &answered.outcome) {
        (Dialect::Grpc, Outcome::Accepted) => GRPC_ACCEPTED.clone(),
        (Dialect::Grpc, outcome) => grpc_as_http2(outcome),
        _ => {
            let (head, body) = http_reply(answered).into_parts();
            Reply {
                head: block(Some(head.status), &head.headers),
                body,
                trailers: None,
            }
        }
    }
}

fn grpc_as_http2(outcome: &Outcome) -> Reply {
    match grpc_reply(outcome) {
        GrpcReply::TrailersOnly(head) => Reply {
            head: block(Some(head.status()), head.headers()),
            body: Bytes::new(),
            trailers: None,
        },
        GrpcReply::Full {
            head,
            message,
            trailers,
        } => Reply {
            head: block(Some(head.status()), head.headers()),
            body: message,
            trailers: Some(block(None, &trailers)),
        },
    }
}

/// The fields of a head or of trailers as a header block.
fn block(status: Option<StatusCode>, headers: &HeaderMap) -> Bytes {
    let mut block = BytesMut::new();
    if let Some(status) = status {
        hpack::encode(b":status", status.as_str().as_bytes(), false, &mut block);
    }
    for (name, value) in headers {
        hpack::encode(
            name.as_str().as_bytes(),
            value.as_bytes(),
            false,
            &mut block,
        );
    }
    block.freeze()
}

/// The answer that nearly every call over HTTP/1.1 gets.
static HTTP1_ACCEPTED: LazyLock<http1::server::Reply> = LazyLock::new(|| {
    as_http1(&Answered {
        dialect: Dialect::HttpProtobuf,
        outcome: Outcome::Accepted,
    })
});

/// Writes the answer of a call over HTTP/1.1.
pub(super) fn http1_reply(answered: &Answered) -> http1::server::Reply {
    match (answered.dialect, &answered.outcome) {
        (Dialect::HttpProtobuf, Outcome::Accepted) => HTTP1_ACCEPTED.clone(),
        _ => as_http1(answered),
    }
}

fn as_http1(answered: &Answered) -> http1::server::Reply {
    let (head, body) = http_reply(answered).into_parts();
    let mut fields = BytesMut::new();
    for (name, value) in &head.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            fields.put_slice(piece);
        }
    }
    http1::server::Reply {
        status: head.status,
        fields: fields.freeze(),
        body,
    }
}

/// Writes the answer of an OTLP/HTTP call.
fn http_reply(answered: &Answered) -> Response<Bytes> {
    let json = answered.dialect == Dialect::HttpJson;
    let mut response = match &answered.outcome {
        Outcome::Accepted => Response::new(Bytes::new()),
        Outcome::Partial { rejected, message } => Response::new(Bytes::from(
            ExportResponse::partial(*rejected, shortened(message)).encode_to_vec(),
        )),
        Outcome::Refused(refusal) => refuse_http(refusal, json),
    };
    let media = if json {
        APPLICATION_JSON
    } else {
        APPLICATION_PROTOBUF
    };
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

fn refuse_http(refusal: &Refusal, json: bool) -> Response<Bytes> {
    let body = if json {
        serde_json::json!({
            "code": refusal.code().number(),
            "message": refusal.message(),
        })
        .to_string()
        .into_bytes()
    } else {
        Status::of(refusal).encode_to_vec()
    };
    let mut response = Response::new(Bytes::from(body));
    if let Ok(status) = StatusCode::from_u16(refusal.http_status()) {
        *response.status_mut() = status;
    }
    if let Some(delay) = refusal.retry_after() {
        response.headers_mut().insert(
            header::RETRY_AFTER,
            HeaderValue::from(retry_after_seconds(delay)),
        );
    }
    if refusal.reason() == Reason::WrongMethod {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn refused(reason: Reason, delay: Option<Duration>) -> Outcome {
        Outcome::Refused(match delay {
            Some(delay) => Refusal::retryable(reason, delay, "not now"),
            None => Refusal::permanent(reason, "never"),
        })
    }

    #[test]
    fn r5_a_full_success_has_no_partial_success() {
        let GrpcReply::Full {
            message, trailers, ..
        } = grpc_reply(&Outcome::Accepted)
        else {
            panic!("a success has a message");
        };
        assert_eq!(message, &[0; 5][..]);
        assert_eq!(trailers[GRPC_STATUS], "0");
        let answered = Answered {
            dialect: Dialect::HttpProtobuf,
            outcome: Outcome::Accepted,
        };
        let response = http_reply(&answered);
        assert_eq!(
            (response.status().as_u16(), response.body().len()),
            (200, 0)
        );
    }

    #[test]
    fn g2_too_large_is_resource_exhausted_without_retry_info() {
        let GrpcReply::TrailersOnly(head) = grpc_reply(&refused(Reason::TooLarge, None)) else {
            panic!("a refusal is trailers only");
        };
        assert_eq!(head.headers()[GRPC_STATUS], "8");
        assert!(!head.headers().contains_key(GRPC_STATUS_DETAILS));
    }

    #[test]
    fn r9_an_overload_carries_its_delay_on_both_transports() {
        let outcome = refused(Reason::MemoryFull, Some(Duration::from_millis(1500)));
        let GrpcReply::TrailersOnly(head) = grpc_reply(&outcome) else {
            panic!("a refusal is trailers only");
        };
        let details = STANDARD_NO_PAD
            .decode(&head.headers()[GRPC_STATUS_DETAILS])
            .unwrap();
        let status = Status::decode(details.as_slice()).unwrap();
        assert_eq!(status.retry_delay(), Some(Duration::from_millis(1500)));
        let response = http_reply(&Answered {
            dialect: Dialect::HttpProtobuf,
            outcome,
        });
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn h4_an_error_is_written_in_the_encoding_of_its_request() {
        let outcome = refused(Reason::Unsupported, None);
        let json = http_reply(&Answered {
            dialect: Dialect::HttpJson,
            outcome: outcome.clone(),
        });
        assert_eq!(json.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(&json.body()[..], br#"{"code":12,"message":"never"}"#);
        let proto = http_reply(&Answered {
            dialect: Dialect::HttpProtobuf,
            outcome,
        });
        assert_eq!(
            proto.headers()[header::CONTENT_TYPE],
            "application/x-protobuf"
        );
        assert_eq!(
            Status::decode(proto.body().clone()).unwrap().message,
            "never"
        );
    }
}
