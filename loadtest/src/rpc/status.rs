//! `google.rpc.Status` and `google.rpc.RetryInfo`, as far as a refusal uses them.

use std::time::Duration;

use prost::Message;

use super::Code;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
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
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Delay {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

impl Status {
    /// With a `RetryInfo` where there is a delay.
    pub(crate) fn new(code: Code, message: &str, retry: Option<Duration>) -> Self {
        let details = retry.map(|delay| {
            let delay = Delay {
                seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
                nanos: i32::try_from(delay.subsec_nanos()).unwrap_or(0),
            };
            let info = RetryInfo { delay: Some(delay) };
            Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: info.encode_to_vec(),
            }
        });
        Self {
            code: code.number().into(),
            message: message.to_owned(),
            details: details.into_iter().collect(),
        }
    }

    /// The delay of its `RetryInfo`.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        let mut details = self.details.iter();
        let info = details.find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
        let delay = RetryInfo::decode(&info.value[..]).ok()?.delay?;
        let seconds = u64::try_from(delay.seconds).ok()?;
        Some(Duration::new(seconds, u32::try_from(delay.nanos).ok()?))
    }
}
