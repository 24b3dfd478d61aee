//! The answer to an Export request: the same shape for every signal.

/// An `Export…ServiceResponse`; `rejected` is `rejected_spans`, `rejected_data_points`,
/// `rejected_log_records` or `rejected_profiles`, which share their field number.
///
/// - Source: OTLP 1.11.0, "Partial Success".
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ExportResponse {
    /// Absent where all was accepted.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// What of a request was not accepted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PartialSuccess {
    /// Items that were rejected; 0 with a message is a warning.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// A sentence for a person.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

impl ExportResponse {
    /// The answer that rejects `rejected` items, or warns where that is 0.
    #[must_use]
    pub fn partial(rejected: u64, message: &str) -> Self {
        Self {
            partial_success: Some(PartialSuccess {
                rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
                error_message: message.to_owned(),
            }),
        }
    }

    /// The rejected items and the message, where the answer is not a full success.
    ///
    /// - Source: OTLP 1.11.0: 0 rejected and no message is the same as no partial success.
    #[must_use]
    pub fn into_partial(self) -> Option<(u64, String)> {
        let PartialSuccess {
            rejected,
            error_message,
        } = self.partial_success?;
        let rejected = u64::try_from(rejected).unwrap_or(0);
        (rejected > 0 || !error_message.is_empty()).then_some((rejected, error_message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };
    use prost::Message;

    #[test]
    fn a_partial_success_reads_as_opentelemetry_wrote_it() {
        let theirs = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 7,
                error_message: "no room".to_owned(),
            }),
        };
        let ours = ExportResponse::decode(theirs.encode_to_vec().as_slice()).unwrap();
        assert_eq!(ours.into_partial(), Some((7, "no room".to_owned())));
        assert_eq!(
            ExportResponse::partial(7, "no room").encode_to_vec(),
            theirs.encode_to_vec()
        );
    }

    #[test]
    fn nothing_rejected_and_nothing_said_is_a_full_success() {
        assert_eq!(ExportResponse::default().into_partial(), None);
        assert_eq!(ExportResponse::partial(0, "").into_partial(), None);
        assert_eq!(
            ExportResponse::partial(0, "slow down").into_partial(),
            Some((0, "slow down".to_owned()))
        );
    }
}
