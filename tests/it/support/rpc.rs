//! The few protobuf messages that answers are made of, written out from their specifications.

use std::time::Duration;

use prost::Message;

/// `Export<Signal>ServiceResponse`: the four signals share this shape.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// `Export<Signal>PartialSuccess`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl RpcStatus {
    /// A status, with a `RetryInfo` where a delay is given.
    pub(crate) fn new(code: i32, message: &str, delay: Option<Duration>) -> Self {
        let details = delay
            .map(|delay| {
                let retry_delay = Some(ProtoDuration {
                    seconds: i64::try_from(delay.as_secs()).unwrap(),
                    nanos: i32::try_from(delay.subsec_nanos()).unwrap(),
                });
                let value = RetryInfo { retry_delay }.encode_to_vec();
                Any {
                    type_url: RETRY_INFO.to_owned(),
                    value,
                }
            })
            .into_iter()
            .collect();
        Self {
            code,
            message: message.to_owned(),
            details,
        }
    }

    /// The delay that the status asks for, where it asks for one.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        let any = self.details.iter().find(|any| any.type_url == RETRY_INFO)?;
        let delay = RetryInfo::decode(any.value.as_slice())
            .unwrap()
            .retry_delay?;
        Some(Duration::new(
            delay.seconds.try_into().unwrap(),
            delay.nanos.try_into().unwrap(),
        ))
    }
}
