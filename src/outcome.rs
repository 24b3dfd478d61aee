//! What becomes of a request, and the one table that says how each answer reads on each wire.

use std::{borrow::Cow, fmt, rc::Rc, time::Duration};

/// A gRPC status code.
///
/// - Source: the gRPC core specification, "Status codes and their use in gRPC".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code with this number; a number that is not in the table is [`Code::Unknown`].
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
            .unwrap_or(Self::Unknown)
    }

    /// The code's number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code's number as the text of a `grpc-status` header.
    #[must_use]
    pub const fn number_text(self) -> &'static str {
        const TEXTS: [&str; 17] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
            "16",
        ];
        TEXTS[self as usize]
    }

    /// The code's name in labels and logs: lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out_of_range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data_loss",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    /// Whether a client may send the request again after this code.
    ///
    /// - Source: OTLP 1.11.0, "Failures" of OTLP/gRPC: `RESOURCE_EXHAUSTED` only with `RetryInfo`.
    #[must_use]
    pub const fn is_retryable(self, with_retry_info: bool) -> bool {
        match self {
            Self::Cancelled
            | Self::DeadlineExceeded
            | Self::Aborted
            | Self::OutOfRange
            | Self::Unavailable
            | Self::DataLoss => true,
            Self::ResourceExhausted => with_retry_info,
            Self::Ok
            | Self::Unknown
            | Self::InvalidArgument
            | Self::NotFound
            | Self::AlreadyExists
            | Self::PermissionDenied
            | Self::FailedPrecondition
            | Self::Unimplemented
            | Self::Internal
            | Self::Unauthenticated => false,
        }
    }

    /// The code that an HTTP status of a collector stands for. 429 and 413 are one code: only the
    /// first is retryable.
    ///
    /// - Source: OTLP 1.11.0, "Failures" of OTLP/HTTP: 429, 502, 503 and 504 are retryable,
    ///   every other 4xx and 5xx is not.
    #[must_use]
    pub const fn from_http_status(status: u16) -> Self {
        match status {
            200 => Self::Ok,
            400 | 422 => Self::InvalidArgument,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 405 | 415 => Self::Unimplemented,
            413 | 429 => Self::ResourceExhausted,
            502..=504 => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

/// Why a request was not accepted. Each has one row in the table of [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The bytes are not the protobuf message that they claim to be.
    Malformed,
    /// The body is over the limit, on the wire or inflated.
    TooLarge,
    /// The gRPC method or the HTTP path is none of OTLP's.
    UnknownPath,
    /// The HTTP method is not POST.
    WrongMethod,
    /// The content type or the compression is not one that is served.
    Unsupported,
    /// The body did not arrive within the request timeout.
    SlowBody,
    /// The memory budget of the shard is spent.
    MemoryFull,
    /// The process is finishing what it took and takes nothing new.
    Draining,
    /// No connection to a collector could be made, or it broke before an answer.
    Connection,
    /// The collector did not answer within the operation timeout.
    Timeout,
    /// The circuit breaker of every collector is open: no call is made.
    CircuitOpen,
    /// The sender has gone before the data was sent on.
    Cancelled,
    /// The sender's own deadline has passed before there was an outcome.
    Deadline,
    /// The spool holds all that it may.
    SpoolFull,
    /// The disk of the spool does not take the data.
    SpoolFailed,
    /// The data was older than the spool keeps it.
    SpoolExpired,
    /// The data can no longer be read from the disk of the spool.
    SpoolDamaged,
    /// As many different sets of forwarded headers are in use as may be.
    HeaderSetsFull,
    /// The collector answered with this code.
    Collector(Code),
}

impl Reason {
    /// Reasons that this process finds itself, in the order of [`Reason::index`].
    const OWN: [Self; 18] = [
        Self::Malformed,
        Self::TooLarge,
        Self::UnknownPath,
        Self::WrongMethod,
        Self::Unsupported,
        Self::SlowBody,
        Self::MemoryFull,
        Self::Draining,
        Self::Connection,
        Self::Timeout,
        Self::CircuitOpen,
        Self::Cancelled,
        Self::Deadline,
        Self::SpoolFull,
        Self::SpoolFailed,
        Self::SpoolExpired,
        Self::SpoolDamaged,
        Self::HeaderSetsFull,
    ];

    /// How many reasons there are.
    pub const COUNT: usize = Self::OWN.len() + Code::ALL.len();

    /// Every reason, in the order of [`Reason::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OWN
            .into_iter()
            .chain(Code::ALL.into_iter().map(Self::Collector))
    }

    /// The reason's place in an array of one slot a reason: 0 to [`Reason::COUNT`] - 1.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Malformed => 0,
            Self::TooLarge => 1,
            Self::UnknownPath => 2,
            Self::WrongMethod => 3,
            Self::Unsupported => 4,
            Self::SlowBody => 5,
            Self::MemoryFull => 6,
            Self::Draining => 7,
            Self::Connection => 8,
            Self::Timeout => 9,
            Self::CircuitOpen => 10,
            Self::Cancelled => 11,
            Self::Deadline => 12,
            Self::SpoolFull => 13,
            Self::SpoolFailed => 14,
            Self::SpoolExpired => 15,
            Self::SpoolDamaged => 16,
            Self::HeaderSetsFull => 17,
            Self::Collector(code) => Self::OWN.len() + code as usize,
        }
    }

    /// The reason's name in labels and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::UnknownPath => "unknown_path",
            Self::WrongMethod => "wrong_method",
            Self::Unsupported => "unsupported",
            Self::SlowBody => "slow_body",
            Self::MemoryFull => "memory_full",
            Self::Draining => "draining",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::CircuitOpen => "circuit_open",
            Self::Cancelled => "sender_gone",
            Self::Deadline => "deadline",
            Self::SpoolFull => "spool_full",
            Self::SpoolFailed => "spool_failed",
            Self::SpoolExpired => "spool_expired",
            Self::SpoolDamaged => "spool_damaged",
            Self::HeaderSetsFull => "header_sets_full",
            Self::Collector(code) => code.name(),
        }
    }

    /// The row of the table: gRPC code, HTTP status, and whether trying again can help.
    const fn row(self, with_retry_info: bool) -> (Code, u16, bool) {
        match self {
            Self::Malformed => (Code::InvalidArgument, 400, false),
            Self::TooLarge => (Code::ResourceExhausted, 413, false),
            Self::UnknownPath => (Code::Unimplemented, 404, false),
            Self::WrongMethod => (Code::Unimplemented, 405, false),
            Self::Unsupported => (Code::Unimplemented, 415, false),
            Self::SlowBody => (Code::Cancelled, 408, false),
            Self::MemoryFull | Self::HeaderSetsFull => (Code::ResourceExhausted, 429, true),
            Self::Draining
            | Self::Connection
            | Self::Timeout
            | Self::CircuitOpen
            | Self::SpoolFull
            | Self::SpoolFailed
            | Self::SpoolExpired
            | Self::SpoolDamaged => (Code::Unavailable, 503, true),
            Self::Cancelled => (Code::Cancelled, 503, true),
            Self::Deadline => (Code::DeadlineExceeded, 504, true),
            Self::Collector(code) => {
                let retryable = code.is_retryable(with_retry_info);
                let status = match code {
                    Code::InvalidArgument => 400,
                    Code::Unauthenticated => 401,
                    Code::PermissionDenied => 403,
                    Code::Unimplemented => 404,
                    Code::ResourceExhausted if retryable => 429,
                    Code::ResourceExhausted => 413,
                    _ if retryable => 503,
                    _ => 500,
                };
                (code, status, retryable)
            }
        }
    }
}

/// A request that was not accepted: why, when to try again, and a sentence for a person.
///
/// A refusal that trying again can help carries a delay; one that it cannot help carries none,
/// so that no sender is told to repeat what will fail again.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    retry_after: Option<Duration>,
    message: Message,
}

/// A sentence that costs nothing where it is fixed and is shared among waiters where it is not.
#[derive(Clone, Debug)]
enum Message {
    Fixed(Cow<'static, str>),
    Shared(Rc<str>),
}

impl Refusal {
    /// A refusal that is final: the same bytes sent again will be refused again.
    #[must_use]
    pub fn permanent(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            retry_after: None,
            message: Message::Fixed(message.into()),
        }
    }

    /// A refusal that asks the sender to try again after `delay`.
    #[must_use]
    pub fn retryable(
        reason: Reason,
        delay: Duration,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            reason,
            retry_after: Some(delay),
            message: Message::Fixed(message.into()),
        }
    }

    /// The same refusal with its sentence shared, so that many waiters can hold it cheaply.
    #[must_use]
    pub fn shared(self) -> Self {
        let message = match self.message {
            Message::Fixed(text) => Message::Shared(Rc::from(text.as_ref())),
            shared @ Message::Shared(_) => shared,
        };
        Self { message, ..self }
    }

    /// The same refusal with another delay.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self {
            retry_after: Some(delay),
            ..self
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The gRPC status code that says so.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.reason.row(self.retry_after.is_some()).0
    }

    /// The HTTP status that says so.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        self.reason.row(self.retry_after.is_some()).1
    }

    /// Whether trying again can help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.reason.row(self.retry_after.is_some()).2
    }

    /// How long the sender should wait at least; present exactly where trying again can help.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        if self.is_retryable() {
            self.retry_after
        } else {
            None
        }
    }

    /// How long the collector asked to wait at least; a delay of 0 stands for none of its own.
    #[must_use]
    pub fn named_delay(&self) -> Option<Duration> {
        self.retry_after().filter(|delay| !delay.is_zero())
    }

    /// The sentence for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        match &self.message {
            Message::Fixed(text) => text,
            Message::Shared(text) => text,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message(), self.reason.name())
    }
}

/// What became of one request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All of it was accepted.
    Accepted,
    /// It was accepted but for `rejected` items, or with a warning where that is 0.
    Partial {
        /// Items that the collector says it did not take.
        rejected: u64,
        /// The collector's sentence.
        message: Rc<str>,
    },
    /// None of it was accepted.
    Refused(Refusal),
}

/// What came of one attempt to send data to a collector.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// The collector answered. A refusal that names no delay of its own carries one of 0.
    Answered(Outcome),
    /// The collector cannot have it, and could not be reached: another may be tried at once.
    NotSent(String),
    /// The collector cannot have it: the connection had lain idle and was closed. A fresh one may
    /// well do.
    Stale(String),
    /// The collector may have it or not.
    Broken(Reason, String),
}

impl Attempt {
    /// The outcome, where this attempt was the only one; a refusal that trying again can help and
    /// that names no delay gets this one.
    #[must_use]
    pub fn into_outcome(self, delay: Duration) -> Outcome {
        let refused = |reason, error| Outcome::Refused(Refusal::retryable(reason, delay, error));
        match self {
            Self::Answered(Outcome::Refused(refusal))
                if refusal.is_retryable() && refusal.named_delay().is_none() =>
            {
                Outcome::Refused(refusal.with_delay(delay))
            }
            Self::Answered(outcome) => outcome,
            Self::NotSent(error) | Self::Stale(error) => refused(Reason::Connection, error),
            Self::Broken(reason, error) => refused(reason, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_slot_and_a_name_of_its_own() {
        let reasons: Vec<Reason> = Reason::all().collect();
        assert_eq!(reasons.len(), Reason::COUNT);
        for (place, reason) in reasons.iter().enumerate() {
            assert_eq!(reason.index(), place);
            assert!(
                reasons[..place]
                    .iter()
                    .all(|other| other.name() != reason.name())
            );
        }
    }
}
