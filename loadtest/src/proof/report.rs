//! What a proof found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::results::Audit;

/// What a proof found. Nothing but [`Report::failures`] says whether it holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was proven, in the ledger of proofs: `kill-delivered`, `power-cut`, …
    pub family: String,
    /// What everything random was drawn from.
    pub seed: u64,
    /// Rounds that were made: kills, or power cuts.
    pub rounds: u64,
    /// Length, seconds.
    pub seconds: f64,
    /// Requests that were acknowledged.
    pub requests: u64,
    /// Item by item, all rounds together.
    pub audit: Audit,
    /// Everything that must not be, in words.
    pub failures: Vec<String>,
}

impl Report {
    /// Keeps what went wrong as a failure; whether all went well.
    pub(super) fn take(&mut self, outcome: anyhow::Result<()>) -> bool {
        let failure = outcome.err().map(|error| format!("{error:#}"));
        let well = failure.is_none();
        self.failures.extend(failure);
        well
    }

    /// Judges the audit: what breaks the promise becomes a failure.
    pub fn judge(&mut self) {
        let audit = &self.audit;
        let wrong = [
            (audit.lost, "acknowledged items were lost"),
            (audit.altered, "items were altered"),
            (audit.foreign, "items arrived that nobody sent"),
        ];
        for (count, what) in wrong {
            if count > 0 {
                self.failures.push(format!("{count} {what}"));
            }
        }
        if audit.acknowledged == 0 {
            let nothing = "nothing was acknowledged: the proof shows nothing";
            self.failures.push(nothing.to_owned());
        }
    }

    /// Whether the promise holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            family,
            seed,
            rounds,
            seconds,
            requests,
            audit,
            failures,
        } = self;
        writeln!(
            f,
            "{family}: {} after {rounds} rounds in {seconds:.1} s (seed {seed})",
            if self.holds() { "holds" } else { "FAILED" },
        )?;
        writeln!(
            f,
            "  {} items in {requests} requests acknowledged, {} arrived: {} lost, {} altered",
            audit.acknowledged, audit.arrived, audit.lost, audit.altered
        )?;
        writeln!(
            f,
            "  {} arrived more than once, {} without an acknowledgement: allowed, at least once",
            audit.duplicated, audit.unacknowledged
        )?;
        for failure in failures {
            writeln!(f, "  FAILED: {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(audit: Audit) -> Report {
        let mut report = Report {
            audit,
            ..Report::default()
        };
        report.judge();
        report
    }

    #[test]
    fn a_loss_an_alteration_and_a_stranger_each_break_it() {
        let good = Audit {
            acknowledged: 10,
            arrived: 12,
            duplicated: 3,
            unacknowledged: 2,
            ..Audit::default()
        };
        assert!(judged(good.clone()).holds());
        for bad in [
            Audit {
                lost: 1,
                ..good.clone()
            },
            Audit {
                altered: 1,
                ..good.clone()
            },
            Audit {
                foreign: 1,
                ..good.clone()
            },
            Audit::default(),
        ] {
            let report = judged(bad);
            assert!(!report.holds() && report.to_string().contains("FAILED"));
        }
    }
}
