//! What a collector does to a request.

use std::time::Duration;

use h2::Reason;
use prost::Message;

use crate::support::{ExportResponse, PartialSuccess, RpcStatus};

/// What a collector does to a request, or instead of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Takes it.
    Accept,
    /// Closes the connection before there is a request.
    CloseAtAccept,
    /// Reads it and answers nothing.
    Hang,
    /// Sends the head of an answer and nothing more.
    HangMidAnswer,
    /// Resets the connection instead of an answer.
    Reset,
    /// Closes the connection instead of an answer.
    Close,
    /// Closes the connection in the middle of an answer.
    CutAnswer,
    /// Takes it, and answers after this time.
    Slow(Duration),
    /// Ends the connection with an error (GOAWAY), without an answer.
    GoAway(Reason),
    /// Takes it and ends the connection in good order: GOAWAY, or `Connection: close`.
    LastOne,
    /// Resets the stream instead of an answer.
    ResetStream(Reason),
    /// Refuses it with this gRPC code, with a `RetryInfo` where there is a delay.
    Grpc(u8, Option<Duration>),
    /// Refuses it with this HTTP status, with this `Retry-After`.
    Http(u16, Option<RetryAfter>),
    /// Takes it but for so many items.
    Partial(i64),
    /// Takes it, with an answer that is larger than `limits.response_bytes`.
    Huge,
    /// Answers with a page for people.
    Page,
    /// Takes it, with an answer whose message is cut short.
    CutMessage,
}

/// The two forms of `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RetryAfter {
    Seconds(u64),
    /// A date so many seconds from now, and up to one more: a date has whole seconds.
    Date(u64),
}

impl RetryAfter {
    pub(super) fn header(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(seconds) => {
                let date = otlp::rt::unix_time() + Duration::from_secs(seconds + 1);
                httpdate::fmt_http_date(date)
            }
        }
    }
}

impl Act {
    /// Whether the forwarder hears nothing, and has to give up by itself.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self, Self::Hang | Self::HangMidAnswer)
    }

    /// The message of a success.
    pub(super) fn message(&self) -> Vec<u8> {
        let partial_success = match self {
            Self::Partial(rejected) => Some(PartialSuccess {
                rejected: *rejected,
                error_message: "not all of it".to_owned(),
            }),
            // A megabyte of sentence, above the limit that the tests set.
            Self::Huge => Some(PartialSuccess {
                rejected: 0,
                error_message: "x".repeat(1 << 20),
            }),
            _ => None,
        };
        ExportResponse { partial_success }.encode_to_vec()
    }
}

/// The details of a gRPC status, where there is a delay.
pub(super) fn details(code: u8, delay: Option<Duration>) -> Option<Vec<u8>> {
    let status = RpcStatus::new(i32::from(code), "the collector says no", Some(delay?));
    Some(status.encode_to_vec())
}
