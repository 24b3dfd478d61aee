//! Answers, right and wrong, in each form. Pure.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::json;

use super::{
    behave::{RetryAfter, Size},
    request::{Form, PREFIX},
};
use crate::{
    rpc::{Code, Status},
    telemetry::Signal,
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// An answer as it goes onto the wire.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    /// How many bytes of the body are never sent.
    pub(super) missing: usize,
}

impl Answer {
    /// Accepted, in full or, with a number of rejected items, in part.
    pub(super) fn success(form: Form, signal: Signal, rejected: Option<u64>) -> Self {
        let message = rejected.map(|it| format!("{it} items are rejected on purpose"));
        Self::message(form, signal, rejected.unwrap_or(0), message.as_deref())
    }

    /// Accepted, with a message of that size.
    pub(super) fn oversize(form: Form, signal: Signal, Size(size): Size) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Self::message(form, signal, 0, Some(&"x".repeat(size)))
    }

    /// Accepted, but only the first half of the answer comes.
    pub(super) fn truncated(form: Form, signal: Signal) -> Self {
        let message = "this sentence is longer than what comes of it";
        let mut whole = Self::message(form, signal, 0, Some(message));
        let body = whole.body.len();
        whole.missing = body / 2;
        whole.body.truncate(body - whole.missing);
        whole
    }

    /// Success whose body is no message.
    pub(super) fn garbage(form: Form) -> Self {
        Self::accepted(form, Bytes::from_static(&[0xff; 64]))
    }

    /// Success in another content type, without what gRPC needs.
    pub(super) fn of_type(value: &str) -> Self {
        let page = Bytes::from_static(b"<html><body>It works!</body></html>");
        let mut answer = Self::plain(StatusCode::OK, page);
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers.insert(header::CONTENT_TYPE, value);
        }
        answer
    }

    /// Refused by the collector itself: a gRPC status, or an HTTP status with a `Status` as body.
    pub(super) fn refusal(
        form: Form,
        code: Code,
        status: u16,
        message: &str,
        retry: Option<Duration>,
    ) -> Self {
        let details = Status::new(code, message, retry);
        let (kind, body) = match form {
            Form::Grpc => return Self::grpc_refusal(code, message, retry.map(|_| details)),
            Form::Protobuf => ("application/x-protobuf", details.encode_to_vec()),
            Form::Json => {
                let body = json!({"code": code.number(), "message": message});
                ("application/json", body.to_string().into_bytes())
            }
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Self::plain(status, body.into());
        let kind = HeaderValue::from_static(kind);
        answer.headers.insert(header::CONTENT_TYPE, kind);
        if let Some(delay) = retry {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            answer.headers.insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }

    /// Refused before it is looked at, as by a proxy on the way; `now` dates `Retry-After`.
    pub(super) fn proxy(status: u16, after: Option<RetryAfter>, now: SystemTime) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let empty = matches!(status.as_u16(), 204 | 205 | 304);
        let body = if empty {
            String::new()
        } else {
            format!("{status}\n")
        };
        let mut answer = Self::plain(status, body.into());
        let after = after.and_then(|after| match after {
            RetryAfter::Seconds(seconds) => Some(seconds.into()),
            RetryAfter::Date(seconds) => {
                let date = now.checked_add(Duration::from_secs(seconds))?;
                HeaderValue::try_from(httpdate::fmt_http_date(date)).ok()
            }
        });
        if let Some(after) = after {
            answer.headers.insert(header::RETRY_AFTER, after);
        }
        answer
    }

    /// The length that the whole body has: what `Content-Length` says.
    pub(super) fn length(&self) -> usize {
        self.body.len() + self.missing
    }

    fn message(form: Form, signal: Signal, rejected: u64, message: Option<&str>) -> Self {
        if form == Form::Json {
            let body = match message {
                None => "{}".to_owned(),
                Some(message) => {
                    let name = match signal {
                        Signal::Traces => "rejectedSpans",
                        Signal::Metrics => "rejectedDataPoints",
                        Signal::Logs => "rejectedLogRecords",
                    };
                    // OTLP/JSON writes numbers of 64 bits as text.
                    let partial = json!({name: rejected.to_string(), "errorMessage": message});
                    json!({"partialSuccess": partial}).to_string()
                }
            };
            return Self::accepted(form, body.into());
        }
        // The answers of all signals have the same fields; only their names differ.
        let partial = message.map(|message| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: message.to_owned(),
        });
        let partial_success = partial;
        let response = ExportTraceServiceResponse { partial_success };
        Self::accepted(form, response.encode_to_vec().into())
    }

    /// A success with that message as its body.
    fn accepted(form: Form, message: Bytes) -> Self {
        let (kind, body) = match form {
            Form::Grpc => ("application/grpc", framed(&message)),
            Form::Protobuf => ("application/x-protobuf", message),
            Form::Json => ("application/json", message),
        };
        let mut answer = Self::plain(StatusCode::OK, body);
        let kind = HeaderValue::from_static(kind);
        answer.headers.insert(header::CONTENT_TYPE, kind);
        if form == Form::Grpc {
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            answer.trailers = Some(trailers);
        }
        answer
    }

    /// A call that is refused has no message: its status comes with its head.
    fn grpc_refusal(code: Code, message: &str, details: Option<Status>) -> Self {
        let mut answer = Self::plain(StatusCode::OK, Bytes::new());
        let headers = &mut answer.headers;
        let kind = HeaderValue::from_static("application/grpc");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(GRPC_STATUS, u16::from(code.number()).into());
        if let Ok(message) = HeaderValue::try_from(percent_encoded(message)) {
            headers.insert(GRPC_MESSAGE, message);
        }
        let details = details.map(|it| STANDARD_NO_PAD.encode(it.encode_to_vec()));
        if let Some(Ok(details)) = details.map(HeaderValue::try_from) {
            headers.insert(GRPC_DETAILS, details);
        }
        answer
    }

    fn plain(status: StatusCode, body: Bytes) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body,
            trailers: None,
            missing: 0,
        }
    }
}

/// A message with the prefix of gRPC.
fn framed(message: &[u8]) -> Bytes {
    if message.is_empty() {
        return Bytes::from_static(&[0; PREFIX]);
    }
    let mut body = BytesMut::with_capacity(PREFIX + message.len());
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.put_slice(message);
    body.freeze()
}

/// As `grpc-message` wants it.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_empty_in_every_form() {
        let body = |form| Answer::success(form, Signal::Logs, None).body;
        assert_eq!(body(Form::Grpc), &[0; 5][..]);
        assert_eq!(body(Form::Protobuf), "");
        assert_eq!(body(Form::Json), "{}");
    }

    #[test]
    fn a_partial_success_says_how_many() {
        let json = Answer::success(Form::Json, Signal::Metrics, Some(10)).body;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["partialSuccess"]["rejectedDataPoints"], "10");
        let body = Answer::success(Form::Protobuf, Signal::Logs, Some(10)).body;
        let read = ExportTraceServiceResponse::decode(body).unwrap();
        let partial = read.partial_success.unwrap();
        assert_eq!(partial.rejected_spans, 10);
        assert!(partial.error_message.contains("10 items"));
    }

    #[test]
    fn retry_after_has_two_forms() {
        let now = SystemTime::UNIX_EPOCH;
        let after = |after| {
            let answer = Answer::proxy(503, Some(after), now);
            answer.headers[header::RETRY_AFTER].clone()
        };
        assert_eq!(after(RetryAfter::Seconds(2)), "2");
        let date = "Thu, 01 Jan 1970 00:00:03 GMT";
        assert_eq!(after(RetryAfter::Date(3)), date);
    }

    #[test]
    fn a_delay_is_rounded_up_to_seconds_in_http() {
        let retry = Some(Duration::from_millis(1200));
        let code = Code::RESOURCE_EXHAUSTED;
        let answer = Answer::refusal(Form::Protobuf, code, code.http(), "full", retry);
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers[header::RETRY_AFTER], "2");
    }

    #[test]
    fn a_message_of_grpc_is_printable() {
        assert_eq!(percent_encoded("100% – ok"), "100%25 %E2%80%93 ok");
    }

    #[test]
    fn a_truncated_answer_misses_its_end() {
        let answer = Answer::truncated(Form::Grpc, Signal::Traces);
        assert!(answer.missing > 0);
        let said = u32::from_be_bytes(answer.body[1..5].try_into().unwrap());
        assert_eq!(said as usize + PREFIX, answer.length());
    }
}
