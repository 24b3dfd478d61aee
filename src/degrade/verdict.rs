//! What an answer says about the collector that gave it.

use crate::outcome::{Code, Reason};

/// What one call says about its collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The collector works: it took the data, or refused it for good.
    Success,
    /// It does not: no connection, no answer in time, or an answer that says so.
    Failure,
    /// Neither: it works and asks for patience, or was not asked at all.
    Neutral,
}

/// Judges what became of one call: `Ok` where the collector took the data, in part or in whole;
/// else why not, and whether trying again can help.
#[must_use]
pub const fn verdict(outcome: Result<(), (Reason, bool)>) -> Verdict {
    let Err((reason, retryable)) = outcome else {
        return Verdict::Success;
    };
    match reason {
        Reason::Connection | Reason::Timeout => Verdict::Failure,
        Reason::Collector(Code::ResourceExhausted) if retryable => Verdict::Neutral,
        Reason::Collector(_) if retryable => Verdict::Failure,
        // The same bytes would be refused again: that is about the bytes.
        Reason::Collector(_) => Verdict::Success,
        // Found here, without a word from the collector.
        Reason::Malformed
        | Reason::TooLarge
        | Reason::UnknownPath
        | Reason::WrongMethod
        | Reason::Unsupported
        | Reason::SlowBody
        | Reason::MemoryFull
        | Reason::Draining
        | Reason::CircuitOpen
        | Reason::Cancelled
        | Reason::Deadline
        | Reason::SpoolFull
        | Reason::SpoolFailed
        | Reason::SpoolExpired
        | Reason::SpoolDamaged
        | Reason::HeaderSetsFull => Verdict::Neutral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_the_data_is_none_about_the_collector() {
        assert_eq!(verdict(Ok(())), Verdict::Success);
        for code in [Code::InvalidArgument, Code::Unimplemented, Code::Internal] {
            let outcome = Err((Reason::Collector(code), false));
            assert_eq!(verdict(outcome), Verdict::Success, "{code:?}");
        }
        let too_large = Err((Reason::Collector(Code::ResourceExhausted), false));
        assert_eq!(verdict(too_large), Verdict::Success);
    }

    #[test]
    fn what_trying_again_can_help_is_a_failure_but_for_a_plea_for_patience() {
        for reason in [
            Reason::Connection,
            Reason::Timeout,
            Reason::Collector(Code::Unavailable),
            Reason::Collector(Code::DeadlineExceeded),
        ] {
            assert_eq!(verdict(Err((reason, true))), Verdict::Failure, "{reason:?}");
        }
        let patience = Err((Reason::Collector(Code::ResourceExhausted), true));
        assert_eq!(verdict(patience), Verdict::Neutral);
    }

    #[test]
    fn what_no_collector_said_counts_for_none() {
        for reason in Reason::all() {
            let is_call = matches!(
                reason,
                Reason::Collector(_) | Reason::Connection | Reason::Timeout
            );
            let is_neutral = verdict(Err((reason, false))) == Verdict::Neutral;
            assert_eq!(is_neutral, !is_call, "{reason:?}");
        }
    }
}
