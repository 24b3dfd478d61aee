//! Objectives and audits, gathered over the repeats of a system.

use crate::figures;
use crate::results::{Audit, Results};

use super::format;

/// One objective over the repeats of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objective {
    /// As asked.
    pub(super) asked: String,
    /// What each run measured, in order.
    pub(super) measured: Vec<String>,
    /// Runs that met it.
    pub(super) met: usize,
}

impl Objective {
    /// Whether every run met it.
    pub(super) fn held(&self) -> bool {
        self.met == self.measured.len()
    }

    /// The outcome in words: in how many runs, where there are several.
    pub(super) fn outcome(&self) -> String {
        match (self.measured.len(), self.held()) {
            (1, true) => "met".to_owned(),
            (1, false) => "not met".to_owned(),
            (runs, _) => format!("met in {} of {runs} runs", self.met),
        }
    }

    /// What was measured: each distinct text once.
    pub(super) fn measurements(&self) -> String {
        let mut distinct: Vec<&str> = Vec::new();
        for text in &self.measured {
            if !distinct.contains(&text.as_str()) {
                distinct.push(text);
            }
        }
        distinct.join(", ")
    }
}

/// The objectives of a system in a scenario, in the order that they were asked.
pub(super) fn objectives(results: &Results, scenario: &str, system: &str) -> Vec<Objective> {
    let mut objectives: Vec<Objective> = Vec::new();
    for verdict in figures::repeats(results, scenario, system).flat_map(|run| &run.verdicts) {
        let place = objectives
            .iter()
            .position(|objective| objective.asked == verdict.objective)
            .unwrap_or_else(|| {
                objectives.push(Objective {
                    asked: verdict.objective.clone(),
                    measured: Vec::new(),
                    met: 0,
                });
                objectives.len() - 1
            });
        objectives[place].measured.push(verdict.measured.clone());
        objectives[place].met += usize::from(verdict.met);
    }
    objectives
}

/// Objectives that hold and all objectives, over all systems and scenarios.
pub(super) fn tally(results: &Results) -> (usize, usize) {
    let mut tally = (0, 0);
    for scenario in figures::scenarios(results) {
        for system in figures::systems(results, scenario) {
            let objectives = objectives(results, scenario, system);
            tally.0 += objectives.iter().filter(|one| one.held()).count();
            tally.1 += objectives.len();
        }
    }
    tally
}

/// The audits of a system's repeats, summed.
pub(super) fn audit(results: &Results, scenario: &str, system: &str) -> Audit {
    let levels = figures::repeats(results, scenario, system).map(|run| run.audit.level.as_str());
    let mut sum = Audit {
        level: levels
            .min_by_key(|level| rank(level))
            .unwrap_or_default()
            .to_owned(),
        ..Audit::default()
    };
    for run in figures::repeats(results, scenario, system) {
        let one = &run.audit;
        sum.acknowledged += one.acknowledged;
        sum.arrived += one.arrived;
        sum.lost += one.lost;
        sum.duplicated += one.duplicated;
        sum.altered += one.altered;
        sum.foreign += one.foreign;
        sum.unacknowledged += one.unacknowledged;
    }
    sum
}

/// Whether nothing that was acknowledged is missing or changed. What arrives twice is allowed
/// where a delivery is repeated, and shown.
pub(super) fn sound(audit: &Audit) -> bool {
    audit.lost == 0 && audit.altered == 0 && audit.foreign == 0
}

/// What an audit can find wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Lost,
    Duplicated,
    Altered,
    Foreign,
}

impl Fault {
    /// How often it was found; none where the audit could not see it, which is not nought.
    pub(super) fn count(self, audit: &Audit) -> Option<u64> {
        let (least, count) = match self {
            Self::Lost => (1, audit.lost),
            Self::Duplicated => (2, audit.duplicated),
            Self::Foreign => (2, audit.foreign),
            Self::Altered => (3, audit.altered),
        };
        (rank(&audit.level) >= least || count > 0).then_some(count)
    }

    /// The same as text.
    pub(super) fn shown(self, audit: &Audit) -> String {
        self.count(audit).map_or("–".to_owned(), format::thousands)
    }
}

/// The outcome of an audit in words; none where there was none.
pub(super) fn verdict(audit: &Audit) -> Option<&'static str> {
    if rank(&audit.level) == 0 {
        return None;
    }
    Some(match (sound(audit), audit.level.as_str()) {
        (false, _) => "✗ not sound",
        (true, "count") => "✓ totals agree",
        (true, "ids") => "✓ nothing lost",
        (true, _) => "✓ nothing lost or altered",
    })
}

/// What an audit of this level can see.
pub(super) fn reach(level: &str) -> &'static str {
    match level {
        "full" => "every item by its id and its checksum",
        "ids" => "every item by its id; alteration was not looked for",
        "count" => "totals only; an item lost and another doubled would cancel",
        _ => "not audited",
    }
}

fn rank(level: &str) -> u8 {
    match level {
        "count" => 1,
        "ids" => 2,
        "full" => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Run, Verdict};

    fn run(system: &str, met: bool) -> Run {
        Run {
            scenario: "steady".to_owned(),
            system: system.to_owned(),
            verdicts: vec![Verdict {
                objective: "p99<5ms".to_owned(),
                measured: if met { "2 ms" } else { "9 ms" }.to_owned(),
                met,
            }],
            audit: Audit {
                level: "full".to_owned(),
                acknowledged: 10,
                arrived: 9,
                lost: 1,
                ..Audit::default()
            },
            ..Run::default()
        }
    }

    fn results(runs: Vec<Run>) -> Results {
        Results {
            runs,
            ..Results::default()
        }
    }

    #[test]
    fn an_objective_holds_when_every_run_met_it() {
        let results = results(vec![
            run("a", true),
            run("a", false),
            run("a", true),
            run("b", true),
        ]);
        let objectives = objectives(&results, "steady", "a");
        assert_eq!(objectives.len(), 1);
        assert!(!objectives[0].held());
        assert_eq!(objectives[0].outcome(), "met in 2 of 3 runs");
        assert_eq!(objectives[0].measurements(), "2 ms, 9 ms");
        assert_eq!(tally(&results), (1, 2));
    }

    #[test]
    fn audits_sum_at_the_weakest_level() {
        let mut weak = run("a", true);
        weak.audit.level = "count".to_owned();
        let sum = audit(
            &results(vec![run("a", true), weak, run("a", true)]),
            "steady",
            "a",
        );
        assert_eq!((sum.acknowledged, sum.lost), (30, 3));
        assert_eq!(sum.level, "count");
        assert!(!sound(&sum));
        let none = Run {
            audit: Audit::default(),
            ..run("a", true)
        };
        let sum = audit(
            &results(vec![run("a", true), none, run("a", true)]),
            "steady",
            "a",
        );
        assert_eq!(sum.level, "");
        assert!(sound(&Audit {
            duplicated: 3,
            ..Audit::default()
        }));
    }

    #[test]
    fn what_an_audit_cannot_see_is_not_nought() {
        let audit = |level: &str| Audit {
            level: level.to_owned(),
            ..Audit::default()
        };
        let faults = [
            Fault::Lost,
            Fault::Duplicated,
            Fault::Foreign,
            Fault::Altered,
        ];
        for (level, seen) in [("", 0), ("count", 1), ("ids", 3), ("full", 4)] {
            let counted = faults.map(|fault| fault.count(&audit(level)).is_some());
            assert_eq!(
                counted.iter().filter(|seen| **seen).count(),
                seen,
                "{level}"
            );
        }
        assert_eq!(Fault::Altered.shown(&audit("ids")), "–");
        assert_eq!(verdict(&audit("")), None);
        assert_eq!(verdict(&audit("count")), Some("✓ totals agree"));
        let lost = Audit {
            lost: 1,
            ..audit("full")
        };
        assert_eq!(verdict(&lost), Some("✗ not sound"));
    }
}
