//! A collector's answer, read as an outcome by the specification's tables.

use std::{rc::Rc, time::Duration};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use prost::Message;

use crate::{
    http1,
    http2::{client, fields::Fields},
    outcome::{Code, Outcome, Reason, Refusal},
    rt,
    wire::{
        ExportResponse, Status,
        grpc::{self, PREFIX_BYTES, Prefix},
    },
};

/// A `-bin` header may come with or without padding.
///
/// - Source: gRPC over HTTP/2, "Custom-Metadata".
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The whole answer of a collector.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub fields: Rc<Fields>,
    pub body: Bytes,
    pub trailers: Option<Rc<Fields>>,
}

impl From<client::Answer> for Answer {
    fn from(answer: client::Answer) -> Self {
        let client::Answer {
            status,
            fields,
            body,
            trailers,
        } = answer;
        Self {
            status,
            fields,
            body,
            trailers,
        }
    }
}

impl From<http1::answer::Answer> for Answer {
    fn from(answer: http1::answer::Answer) -> Self {
        let http1::answer::Answer {
            status,
            fields,
            body,
        } = answer;
        Self {
            status,
            fields: Rc::new(fields),
            body,
            trailers: None,
        }
    }
}

/// What a collector said: accepted, in part, or why not and when to come back.
pub(super) struct Said {
    pub code: Code,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Reads the answer to a gRPC call.
    pub(super) fn read_grpc(self) -> Outcome {
        let Some(code) = self.grpc_code() else {
            return self.without_grpc_status();
        };
        if code == Code::Ok {
            return accepted(self.grpc_message());
        }
        let details = self
            .field("grpc-status-details-bin")
            .and_then(|value| BASE64.decode(value).ok())
            .and_then(|bytes| Status::decode(bytes.as_slice()).ok());
        let message = self.field("grpc-message").map(grpc::decode_message);
        let retry_after = details.as_ref().and_then(Status::retry_delay);
        let message = message
            .or_else(|| details.map(|status| status.message))
            .unwrap_or_default();
        refused(Said {
            code,
            message,
            retry_after,
        })
    }

    /// A field of the trailers, or of the head where the trailers have none.
    fn field(&self, name: &str) -> Option<&[u8]> {
        let trailers = self.trailers.as_ref();
        trailers
            .and_then(|trailers| trailers.get(name))
            .or_else(|| self.fields.get(name))
    }

    /// The status of a gRPC answer; `None` where it has none.
    pub(super) fn grpc_code(&self) -> Option<Code> {
        let number = text(self.field("grpc-status")?).and_then(|text| text.parse().ok());
        Some(number.map_or(Code::Unknown, Code::from_number))
    }

    /// The message in the body of a gRPC answer, where it can be read.
    pub(super) fn grpc_message(&self) -> Option<Bytes> {
        let prefix = Prefix::parse(self.body.get(..PREFIX_BYTES)?.try_into().ok()?)?;
        let message = self.body.slice(PREFIX_BYTES..);
        (!prefix.compressed && message.len() == prefix.len).then_some(message)
    }

    /// A gRPC answer without a gRPC status comes from something between: read by its HTTP status.
    ///
    /// - Source: gRPC, "HTTP to gRPC Status Code Mapping".
    fn without_grpc_status(&self) -> Outcome {
        let code = match self.status {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        let message = format!("HTTP {} without a gRPC status", named(self.status));
        refused(Said {
            code,
            message,
            retry_after: self.retry_after(),
        })
    }

    /// Reads the answer to an OTLP/HTTP request.
    pub(super) fn read_http(self) -> Outcome {
        if matches!(self.status, 200..=299) {
            return accepted(Some(self.body));
        }
        let code = Code::from_http_status(self.status);
        let status = Status::decode(self.body.clone()).unwrap_or_default();
        let message = if status.message.is_empty() {
            format!("HTTP {}", named(self.status))
        } else {
            format!("HTTP {}: {}", named(self.status), status.message)
        };
        let retry_after = self.retry_after().or_else(|| status.retry_delay());
        // A delay with a status that is final does not make it retryable, and one that is not needs
        // none.
        let is_retryable = matches!(self.status, 429 | 502 | 503 | 504);
        let retry_after = is_retryable.then(|| retry_after.unwrap_or_default());
        refused(Said {
            code,
            message,
            retry_after,
        })
    }

    /// The `Retry-After` header, in either of its forms.
    ///
    /// - Source: RFC 9110, section 10.2.3.
    fn retry_after(&self) -> Option<Duration> {
        let text = text(self.fields.get("retry-after")?)?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(rt::unix_time()).unwrap_or_default())
    }
}

/// A field's value, where it is text.
fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// A status with what it is called.
pub(super) fn named(status: u16) -> String {
    http::StatusCode::from_u16(status)
        .map_or_else(|_unknown| status.to_string(), |known| known.to_string())
}

/// A success, which an unreadable message does not undo: the collector has the data.
fn accepted(message: Option<Bytes>) -> Outcome {
    let partial = message
        .and_then(|message| ExportResponse::decode(message).ok())
        .and_then(ExportResponse::into_partial);
    match partial {
        Some((rejected, message)) => Outcome::Partial {
            rejected,
            message: Rc::from(message),
        },
        None => Outcome::Accepted,
    }
}

/// A refusal; one that names no delay of its own and is retryable by itself carries one of 0.
fn refused(said: Said) -> Outcome {
    let Said {
        code,
        message,
        retry_after,
    } = said;
    let reason = Reason::Collector(code);
    let text = if message.is_empty() {
        format!("the collector answered {}", code.name())
    } else {
        format!("the collector answered {}: {message}", code.name())
    };
    let refusal = match retry_after {
        Some(delay) => Refusal::retryable(reason, delay, text),
        None if code.is_retryable(false) => Refusal::retryable(reason, Duration::ZERO, text),
        None => Refusal::permanent(reason, text),
    };
    Outcome::Refused(refusal.shared())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, retry_after: Option<&str>) -> Refusal {
        let fields = retry_after.map(|value| ("retry-after", value));
        let answer = Answer {
            status,
            fields: Rc::new(fields.into_iter().collect()),
            body: Bytes::new(),
            trailers: None,
        };
        match answer.read_http() {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn grpc(fields: &[(&'static str, &str)]) -> Outcome {
        Answer {
            status: 200,
            fields: Rc::default(),
            body: Bytes::new(),
            trailers: Some(Rc::new(fields.iter().copied().collect())),
        }
        .read_grpc()
    }

    #[test]
    fn only_the_four_statuses_of_the_table_are_retryable() {
        for status in 400..600 {
            let refusal = http(status, None);
            let retryable = matches!(status, 429 | 502 | 503 | 504);
            assert_eq!(refusal.is_retryable(), retryable, "{status}");
            assert_eq!(
                refusal.retry_after(),
                retryable.then_some(Duration::ZERO),
                "{status}"
            );
        }
        assert!(!http(400, Some("5")).is_retryable());
        assert!(!http(413, Some("5")).is_retryable());
    }

    #[test]
    fn e7_retry_after_is_read_in_both_forms() {
        assert_eq!(
            http(503, Some("12")).retry_after(),
            Some(Duration::from_secs(12))
        );
        let date = httpdate::fmt_http_date(rt::unix_time() + Duration::from_secs(3600));
        let delay = http(429, Some(&date)).retry_after().unwrap();
        assert!(delay > Duration::from_secs(3500) && delay <= Duration::from_secs(3600));
        assert_eq!(
            http(503, Some("Thu, 01 Jan 1970 00:00:00 GMT")).retry_after(),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn every_grpc_code_is_retryable_as_the_table_says() {
        for number in 1..=16 {
            let Outcome::Refused(refusal) = grpc(&[("grpc-status", &number.to_string())]) else {
                panic!("{number} is no success");
            };
            assert_eq!(
                refusal.is_retryable(),
                [1, 4, 10, 11, 14, 15].contains(&number)
            );
        }
    }

    #[test]
    fn resource_exhausted_is_retryable_only_with_retry_info() {
        let hint = Refusal::retryable(Reason::MemoryFull, Duration::from_secs(3), "full");
        let details = BASE64.encode(Status::of(&hint).encode_to_vec());
        for details in [details.as_str(), details.trim_end_matches('=')] {
            let outcome = grpc(&[("grpc-status", "8"), ("grpc-status-details-bin", details)]);
            let Outcome::Refused(refusal) = outcome else {
                panic!("refused")
            };
            assert_eq!(refusal.retry_after(), Some(Duration::from_secs(3)));
        }
    }

    #[test]
    fn e9_a_partial_success_without_content_is_a_full_one() {
        let answer = |partial: ExportResponse| {
            Answer {
                status: 200,
                fields: Rc::default(),
                body: partial.encode_to_vec().into(),
                trailers: None,
            }
            .read_http()
        };
        assert!(matches!(
            answer(ExportResponse::partial(0, "")),
            Outcome::Accepted
        ));
        let Outcome::Partial { rejected, message } = answer(ExportResponse::partial(2, "no"))
        else {
            panic!("partial");
        };
        assert_eq!((rejected, &*message), (2, "no"));
    }
}
