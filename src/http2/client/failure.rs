//! Why a request has no answer.

use std::{fmt, rc::Rc};

use crate::http2::frame::ErrorCode;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer cannot have begun to work on it: it may be sent again.
    NotProcessed(Rc<str>),
    /// The peer ended this one stream.
    Reset(ErrorCode),
    /// The answer breaks the protocol.
    Malformed(&'static str),
    /// The answer's header fields are over the bound.
    FieldsTooLong {
        /// The bound in bytes.
        bytes_max: u32,
    },
    /// The answer's body is over the bound.
    BodyTooLong {
        /// The bound in bytes.
        bytes_max: usize,
    },
    /// The connection ended first.
    Ended(Rc<str>),
}

impl Failure {
    pub(super) const fn not_processed(why: Rc<str>) -> Self {
        Self::NotProcessed(why)
    }

    /// Whether the peer cannot have begun to work on the request.
    ///
    /// - Source: RFC 9113, section 8.7.
    #[must_use]
    pub fn is_not_processed(&self) -> bool {
        matches!(
            self,
            Self::NotProcessed(_) | Self::Reset(ErrorCode::REFUSED_STREAM)
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProcessed(why) | Self::Ended(why) => f.write_str(why),
            Self::Reset(code) => write!(f, "the stream was reset: {}", Named(*code)),
            Self::Malformed(what) => write!(f, "the answer is no HTTP/2: {what}"),
            Self::FieldsTooLong { bytes_max } => {
                write!(f, "the answer's header fields are over {bytes_max} bytes")
            }
            Self::BodyTooLong { bytes_max } => {
                write!(f, "the answer is over {bytes_max} bytes")
            }
        }
    }
}

impl std::error::Error for Failure {}

/// An error code by its name, or its number where it has none.
pub(super) struct Named(pub ErrorCode);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0.0),
        }
    }
}
