//! What is done to a request.

use std::{fmt, time::Duration};

use super::{Size, units::written};
use crate::rpc::Code;

/// What is done to a request instead of, or besides, accepting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is accepted.
    Ok,
    /// It is read and never answered.
    Hang,
    /// Its connection is reset (RST) as soon as its head is there.
    Reset,
    /// No connection is accepted, and those that exist are closed.
    Refuse,
    /// It is accepted, and after every so many requests of a connection that connection is told
    /// to go: GOAWAY, or `Connection: close`.
    GoAway {
        /// Requests a connection.
        every: u64,
    },
    /// It is refused with a gRPC status; OTLP/HTTP gets the HTTP status that says the same.
    Status {
        /// The status.
        code: Code,
        /// The delay of a `google.rpc.RetryInfo`; of `Retry-After`, in full seconds, for HTTP.
        retry_info: Option<Duration>,
    },
    /// It is answered with an HTTP status, as by a proxy on the way, gRPC requests too.
    Http {
        /// The status.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<RetryAfter>,
    },
    /// It is answered with a partial success.
    Partial {
        /// Items said to be rejected.
        rejected: u64,
    },
    /// It is answered as a success whose body is no message.
    Garbage,
    /// It is answered with success and a body of another content type.
    ContentType(String),
    /// It is answered as a success with a body of that size.
    Oversize(Size),
    /// Its answer ends in the middle of the body.
    Truncate,
    /// It is accepted, and the connection is closed instead of an answer.
    LoseAnswer,
    /// It is acknowledged and thrown away: loss that an audit must find.
    Discard,
}

/// The two forms of `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// An HTTP date so many seconds after the answer.
    Date(u64),
}

/// Every act as it is given, for messages.
pub(super) const KNOWN: &str = "ok, hang, reset, refuse, goaway every=N, \
     status=CODE [retry-info=DURATION], http=STATUS [retry-after=SECONDS|date:SECONDS], partial=N, \
     garbage, content-type=TYPE, oversize=SIZE, truncate, lose-answer, discard";

impl Act {
    /// The act of a single word without an argument.
    pub(super) fn plain(word: &str) -> Option<Self> {
        Some(match word {
            "ok" => Self::Ok,
            "hang" => Self::Hang,
            "reset" => Self::Reset,
            "refuse" => Self::Refuse,
            "garbage" => Self::Garbage,
            "truncate" => Self::Truncate,
            "lose-answer" => Self::LoseAnswer,
            "discard" => Self::Discard,
            _ => return None,
        })
    }

    /// Whether it can be done to some of the requests only.
    pub(super) fn takes_share(&self) -> bool {
        !matches!(self, Self::Refuse | Self::GoAway { .. })
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Hang => f.write_str("hang"),
            Self::Reset => f.write_str("reset"),
            Self::Refuse => f.write_str("refuse"),
            Self::GoAway { every } => write!(f, "goaway every={every}"),
            Self::Status { code, retry_info } => {
                write!(f, "status={code}")?;
                match retry_info {
                    Some(delay) => write!(f, " retry-info={}", written(*delay)),
                    None => Ok(()),
                }
            }
            Self::Http {
                status,
                retry_after,
            } => {
                write!(f, "http={status}")?;
                match retry_after {
                    Some(RetryAfter::Seconds(seconds)) => write!(f, " retry-after={seconds}"),
                    Some(RetryAfter::Date(seconds)) => write!(f, " retry-after=date:{seconds}"),
                    None => Ok(()),
                }
            }
            Self::Partial { rejected } => write!(f, "partial={rejected}"),
            Self::Garbage => f.write_str("garbage"),
            Self::ContentType(value) => write!(f, "content-type={value}"),
            Self::Oversize(size) => write!(f, "oversize={size}"),
            Self::Truncate => f.write_str("truncate"),
            Self::LoseAnswer => f.write_str("lose-answer"),
            Self::Discard => f.write_str("discard"),
        }
    }
}
