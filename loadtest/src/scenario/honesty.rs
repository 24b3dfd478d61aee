//! Why the figures of a run are not the system's alone, in sentences.

use crate::figures::{self, FORWARDER};
use crate::host::Work;
use crate::results::Run;

/// Use of the harness's own cores from which on it may be the limit.
const BUSY: f64 = 0.9;

/// Share of the machine from which on work that is not the run's spoils it.
const DISTURBED: f64 = 0.05;

/// Adds what neither sender nor collector can see alone. `own` is how many cores they share, and
/// `work` what the machine did in `seconds`.
pub(super) fn add(run: &mut Run, own: usize, work: Work, seconds: f64) {
    let cpu = |mine: fn(&str) -> bool| -> f64 {
        run.costs
            .iter()
            .filter(|cost| mine(&cost.role))
            .map(|cost| cost.cpu)
            .sum()
    };
    let used = cpu(|role| role != FORWARDER) / (figures::duration(run) * own as f64);
    let all = seconds * work.cores as f64;
    let others = (work.processes - cpu(|_| true)) / all;
    let stolen = work.stolen / all;
    let Some(send) = run.send.first_mut() else {
        return;
    };
    let mut add = |share: f64, bound: f64, text: &dyn Fn(String) -> String| {
        if share.is_finite() && share > bound {
            send.honesty
                .bottlenecks
                .push(text(format!("{:.0} %", share * 100.0)));
        }
    };
    add(used, BUSY, &|share| {
        format!(
            "Senders and collector used {share} of the cores that they share: the rate may be \
             theirs. Give them more cores."
        )
    });
    add(others, DISTURBED, &|share| {
        format!(
            "Processes that are no part of the run used {share} of the machine: latencies are \
             theirs too. End them and repeat."
        )
    });
    add(stolen, DISTURBED, &|share| {
        format!("The hypervisor took {share} of the machine: repeat on a quieter one.")
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Cost, SendReport};

    fn work(processes: f64, stolen: f64) -> Work {
        Work {
            processes,
            stolen,
            cores: 2,
        }
    }

    fn said(sender: f64, work: Work) -> Vec<String> {
        let cost = |role: &str, cpu| Cost {
            role: role.to_owned(),
            cpu,
            ..Cost::default()
        };
        let mut run = Run {
            send: vec![SendReport {
                duration: 10.0,
                ..SendReport::default()
            }],
            costs: vec![
                cost(FORWARDER, 10.0),
                cost("collector", 4.0),
                cost("sender", sender),
            ],
            ..Run::default()
        };
        add(&mut run, 1, work, 10.0);
        run.send.remove(0).honesty.bottlenecks
    }

    #[test]
    fn a_quiet_run_has_nothing_to_say() {
        assert!(said(4.0, work(18.5, 0.1)).is_empty());
    }

    #[test]
    fn a_harness_at_its_limit_says_so() {
        let said = said(5.5, work(19.5, 0.0));
        assert!(said.len() == 1 && said[0].contains("95 %"), "{said:?}");
    }

    #[test]
    fn work_of_others_is_found_out() {
        let said = said(1.0, work(18.0, 4.0));
        assert!(said.len() == 2 && said[0].contains("15 %"), "{said:?}");
        assert!(said[1].contains("hypervisor took 20 %"), "{said:?}");
    }

    #[test]
    fn a_run_of_no_length_says_nothing() {
        let mut run = Run {
            send: vec![SendReport::default()],
            ..Run::default()
        };
        add(&mut run, 0, Work::default(), 0.0);
        assert!(run.send[0].honesty.bottlenecks.is_empty());
    }
}
