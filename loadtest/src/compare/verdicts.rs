//! The objectives, judged run by run.

use crate::figures::{self, BASELINE};
use crate::results::Run;
use crate::scenario::Slo;

/// Adds the verdicts to every run but the raw proxy's, which is the measure and is not measured.
pub fn judge(slo: &Slo, runs: &mut [Run]) {
    let base: Vec<Option<f64>> = of(runs, BASELINE)
        .map(|n| figures::cpu_per_million(&runs[n]))
        .collect();
    let mut systems: Vec<String> = Vec::new();
    for run in runs.iter() {
        if run.system != BASELINE && !systems.contains(&run.system) {
            systems.push(run.system.clone());
        }
    }
    for system in systems {
        let turns: Vec<usize> = of(runs, &system).collect();
        for (round, n) in turns.into_iter().enumerate() {
            let base = base
                .get(round)
                .copied()
                .flatten()
                .filter(|base| *base > 0.0);
            let multiple = figures::cpu_per_million(&runs[n])
                .zip(base)
                .map(|(cpu, base)| cpu / base);
            runs[n].verdicts = slo.judge(&runs[n], multiple);
        }
    }
}

fn of<'r>(runs: &'r [Run], system: &str) -> impl Iterator<Item = usize> + use<'r> {
    let system = system.to_owned();
    (0..runs.len()).filter(move |n| runs[*n].system == system)
}

/// Whether every run of the system kept every objective.
#[must_use]
pub fn kept(runs: &[Run], system: &str) -> bool {
    let mine = runs.iter().filter(|run| run.system == system);
    mine.flat_map(|run| &run.verdicts)
        .all(|verdict| verdict.met)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Answers, Cost, SendReport};

    fn run(system: &str, cpu: f64) -> Run {
        let items = Answers {
            accepted: 1_000_000,
            ..Answers::default()
        };
        Run {
            system: system.to_owned(),
            send: vec![SendReport {
                items,
                ..SendReport::default()
            }],
            costs: vec![Cost {
                role: figures::FORWARDER.to_owned(),
                cpu,
                ..Cost::default()
            }],
            ..Run::default()
        }
    }

    #[test]
    fn a_multiple_is_of_the_same_round() {
        let slo: Slo = "multiple<2".parse().unwrap();
        let mut runs = [
            run("otlp", 3.0),
            run(BASELINE, 2.0),
            run("otlp", 9.0),
            run(BASELINE, 3.0),
        ];
        judge(&slo, &mut runs);
        assert_eq!(runs[0].verdicts[0].measured, "1.50 times the raw proxy");
        assert_eq!(runs[2].verdicts[0].measured, "3.00 times the raw proxy");
        assert!(runs[1].verdicts.is_empty());
        assert!(runs[0].verdicts[0].met && !runs[2].verdicts[0].met);
        assert!(!kept(&runs, "otlp") && kept(&runs[..2], "otlp") && kept(&runs, BASELINE));
    }
}
