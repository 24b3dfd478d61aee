//! How far the figures can be read: what limited them, and what is not known.

use crate::figures;
use crate::results::{Results, Run};

use super::format;

/// A collector that uses this share of its core may be what limits a run.
const COLLECTOR_LIMIT: f64 = 0.9;

/// Reasons not to read the figures as the system's limit, each with the run that it is about.
pub(super) fn all(results: &Results) -> Vec<String> {
    let scenarios = figures::scenarios(results);
    scenarios
        .iter()
        .flat_map(|scenario| {
            let alone = scenarios.len() == 1;
            of(results, scenario)
                .into_iter()
                .map(move |warning| match alone {
                    true => warning,
                    false => format!("{scenario}, {warning}"),
                })
        })
        .collect()
}

/// Those of one scenario.
pub(super) fn of(results: &Results, scenario: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for system in figures::systems(results, scenario) {
        let runs: Vec<&Run> = figures::repeats(results, scenario, system).collect();
        for (place, run) in runs.iter().enumerate() {
            let whose = match runs.len() {
                1 => system.to_owned(),
                count => format!("{system}, run {} of {count}", place + 1),
            };
            let reasons = of_run(run).into_iter();
            warnings.extend(reasons.map(|why| format!("{whose}: {why}")));
        }
    }
    warnings
}

fn of_run(run: &Run) -> Vec<String> {
    let senders = run.send.iter().flat_map(|send| &send.honesty.bottlenecks);
    let mut reasons: Vec<String> = Vec::new();
    for reason in senders {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    // Unless a sender has said it already.
    let share = run.collect.cpu_share;
    if share >= COLLECTOR_LIMIT && !reasons.iter().any(|reason| reason.contains("collector")) {
        reasons.push(format!(
            "the collector used {} of its core",
            format::percent(share)
        ));
    }
    reasons
}

/// What limits how far the figures can be read, though nothing went wrong.
pub(super) fn notes(results: &Results, scenario: &str) -> Vec<String> {
    let systems = figures::systems(results, scenario);
    let runs: Vec<Vec<&Run>> = systems
        .iter()
        .map(|system| figures::repeats(results, scenario, system).collect())
        .collect();
    let mut notes = Vec::new();
    if runs.iter().any(|runs| runs.len() == 1) {
        notes.push("A system was run once only: its figures have no spread.".to_owned());
    }
    if !systems.contains(&figures::BASELINE) {
        notes.push("The raw proxy was not run: there are no multiples of it.".to_owned());
    }
    let all = || runs.iter().flatten();
    if all().any(|run| figures::latency(run).count == 0 && figures::latency_raw(run).count > 0) {
        notes.push(
            "Requests followed no schedule: only raw latency is known, \
             which leaves out the time that requests waited for their turn."
                .to_owned(),
        );
    }
    if all().any(|run| run.audit.level == "count") {
        notes.push(
            "The audit compared totals only: an item lost and another doubled would cancel."
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Honesty, SendReport};

    fn run(system: &str) -> Run {
        Run {
            scenario: "steady".to_owned(),
            system: system.to_owned(),
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
    fn warnings_name_the_run() {
        let mut second = run("a");
        second.send = vec![SendReport {
            honesty: Honesty {
                bottlenecks: vec!["the sender used 99 % of its core".to_owned()],
                ..Honesty::default()
            },
            ..SendReport::default()
        }];
        second.collect.cpu_share = 0.97;
        assert_eq!(
            all(&results(vec![run("a"), second])),
            [
                "a, run 2 of 2: the sender used 99 % of its core",
                "a, run 2 of 2: the collector used 97.0 % of its core",
            ]
        );
    }

    #[test]
    fn notes_say_what_is_missing() {
        let mut counted = run("a");
        counted.audit.level = "count".to_owned();
        counted.send = vec![SendReport::default()];
        counted.send[0].latency_raw.count = 5;
        let notes = notes(&results(vec![counted]), "steady");
        assert_eq!(notes.len(), 4, "{notes:?}");
    }
}
