//! `google.rpc.Status` and its details: how a refusal is spelled on both transports.

use std::time::Duration;

use prost::Message;

use crate::outcome::{Reason, Refusal};

const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST_TYPE: &str = "type.googleapis.com/google.rpc.BadRequest";

/// A `google.rpc.Status`.
///
/// - Source: OTLP 1.11.0: the body of every HTTP error; `grpc-status-details-bin` of a gRPC one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Status {
    /// The gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// A sentence for a person.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Typed details.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// A typed detail.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Any {
    /// The detail's type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The detail, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// `google.rpc.BadRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

/// `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct FieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

impl Status {
    /// The status that says a refusal: with `RetryInfo` where trying again can help, with
    /// `BadRequest` where the bytes were bad.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Self {
        let mut details = Vec::new();
        if let Some(delay) = refusal.retry_after() {
            let retry_delay = ProtoDuration {
                seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
                nanos: i32::try_from(delay.subsec_nanos()).unwrap_or(0),
            };
            let info = RetryInfo {
                retry_delay: Some(retry_delay),
            };
            details.push(Any {
                type_url: RETRY_INFO_TYPE.to_owned(),
                value: info.encode_to_vec(),
            });
        }
        if refusal.reason() == Reason::Malformed {
            let violation = FieldViolation {
                field: String::new(),
                description: refusal.message().to_owned(),
            };
            let bad = BadRequest {
                field_violations: vec![violation],
            };
            details.push(Any {
                type_url: BAD_REQUEST_TYPE.to_owned(),
                value: bad.encode_to_vec(),
            });
        }
        Self {
            code: i32::from(refusal.code().number()),
            message: refusal.message().to_owned(),
            details,
        }
    }

    /// The delay that a `RetryInfo` among the details asks for; negative ones count as none.
    #[must_use]
    pub fn retry_delay(&self) -> Option<Duration> {
        let info = self
            .details
            .iter()
            .find(|detail| detail.type_url == RETRY_INFO_TYPE)?;
        let delay = RetryInfo::decode(info.value.as_slice())
            .ok()?
            .retry_delay
            .unwrap_or_default();
        let seconds = u64::try_from(delay.seconds).ok()?;
        let nanos = u32::try_from(delay.nanos).ok()?;
        Some(Duration::new(seconds, nanos.min(999_999_999)))
    }
}

/// A delay as the seconds of a `Retry-After` header: rounded up, at least 1.
#[must_use]
pub fn retry_after_seconds(delay: Duration) -> u64 {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    seconds.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_reads_back_as_written() {
        let delay = Duration::from_millis(1_250);
        let refusal = Refusal::retryable(Reason::MemoryFull, delay, "full");
        let status = Status::decode(Status::of(&refusal).encode_to_vec().as_slice()).unwrap();
        assert_eq!(status.code, 8);
        assert_eq!(status.retry_delay(), Some(delay));
    }

    #[test]
    fn a_final_refusal_carries_no_delay() {
        let status = Status::of(&Refusal::permanent(Reason::TooLarge, "too large"));
        assert_eq!(status.code, 8);
        assert_eq!(status.retry_delay(), None);
    }

    #[test]
    fn a_retry_after_is_never_shorter_than_the_delay() {
        assert_eq!(retry_after_seconds(Duration::ZERO), 1);
        assert_eq!(retry_after_seconds(Duration::from_millis(1_001)), 2);
        assert_eq!(retry_after_seconds(Duration::from_secs(3)), 3);
    }
}
