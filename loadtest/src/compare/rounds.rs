//! The rounds: every system once in each.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;
use tokio::time::timeout;

use crate::figures;
use crate::results::Run;
use crate::scenario::{Plan, Scenario, System, execute};

/// The longest that a system may take to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Length of the pass that counts system calls.
const COUNTING: Duration = Duration::from_secs(2);

/// What to run in turn.
#[derive(Debug)]
pub struct Rounds<'a> {
    /// The executable of the load test.
    pub harness: &'a Path,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The systems, in the order of their turns.
    pub systems: &'a [System],
    /// Count system calls in a pass of its own before the first round.
    pub count_syscalls: bool,
}

/// A system that still takes part.
struct Entrant<'a> {
    system: &'a System,
    version: String,
    /// System calls an accepted request, where they were counted.
    syscalls: Option<f64>,
}

/// Runs every system once a round. A system that fails takes no further part, so that the pairs
/// of the others stay pairs; the failures come back beside the runs. All failing is an error.
pub async fn interleave(
    rounds: &Rounds<'_>,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<(Vec<Run>, Vec<String>)> {
    let scenario = rounds.scenario;
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    let mut entrants = Vec::new();
    for system in rounds.systems {
        let version = version(system).await;
        let syscalls = if rounds.count_syscalls {
            progress(&format!(
                "{}: {}, counting system calls",
                scenario.name, system.name
            ));
            match count_syscalls(rounds, system, &version).await {
                Ok(count) => count,
                Err(error) => {
                    failures.push(failure(system, &error));
                    continue;
                }
            }
        } else {
            None
        };
        entrants.push(Entrant {
            system,
            version,
            syscalls,
        });
    }
    for round in 1..=scenario.repeats {
        let mut left = Vec::new();
        for entrant in entrants {
            let (system, repeats) = (entrant.system, scenario.repeats);
            progress(&format!(
                "{}: {}, {round} of {repeats}",
                scenario.name, system.name
            ));
            match measure(rounds, &entrant).await {
                Ok(run) => {
                    runs.push(run);
                    left.push(entrant);
                }
                Err(error) => failures.push(failure(system, &error)),
            }
        }
        entrants = left;
    }
    if runs.is_empty() {
        bail!(
            "{}: nothing could be measured: {}",
            scenario.name,
            failures.join("; ")
        );
    }
    Ok((runs, failures))
}

fn failure(system: &System, error: &anyhow::Error) -> String {
    format!(
        "{} failed and takes no further part: {error:#}",
        system.name
    )
}

async fn measure(rounds: &Rounds<'_>, entrant: &Entrant<'_>) -> anyhow::Result<Run> {
    let mut run = execute(&Plan {
        harness: rounds.harness,
        scenario: rounds.scenario,
        system: entrant.system,
        version: &entrant.version,
        count_syscalls: false,
    })
    .await?;
    let accepted = figures::requests(&run).accepted as f64;
    let forwarder = run
        .costs
        .iter_mut()
        .find(|cost| cost.role == figures::FORWARDER);
    if let (Some(cost), Some(each)) = (forwarder, entrant.syscalls) {
        cost.syscalls = Some((each * accepted).round() as u64);
    }
    Ok(run)
}

/// System calls an accepted request, from a short pass without warm-up and events.
async fn count_syscalls(
    rounds: &Rounds<'_>,
    system: &System,
    version: &str,
) -> anyhow::Result<Option<f64>> {
    let mut scenario = rounds.scenario.clone();
    scenario.events.clear();
    for load in &mut scenario.loads {
        load.warmup = Duration::ZERO;
        load.duration = load.duration.min(COUNTING);
    }
    let plan = Plan {
        harness: rounds.harness,
        scenario: &scenario,
        system,
        version,
        count_syscalls: true,
    };
    Ok(figures::syscalls_per_request(&execute(&plan).await?))
}

/// The first line that the system says of its version; empty when it says none.
async fn version(system: &System) -> String {
    let Some((program, arguments)) = system.version_command.split_first() else {
        return String::new();
    };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, output)
        .await
        .context("no version in time");
    let Ok(Ok(output)) = output else {
        return String::new();
    };
    // Some write their version to standard error.
    [output.stdout, output.stderr]
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes))
        .find_map(|text| {
            text.lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .map(str::to_owned)
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(version_command: &[&str]) -> System {
        System {
            version_command: version_command
                .iter()
                .map(|part| (*part).to_owned())
                .collect(),
            ..System::default()
        }
    }

    #[tokio::test]
    async fn a_version_is_the_first_line_that_is_said() {
        assert_eq!(
            version(&system(&["/bin/sh", "-c", "echo; echo v1; echo v2"])).await,
            "v1"
        );
        assert_eq!(
            version(&system(&["/bin/sh", "-c", "echo v3 >&2"])).await,
            "v3"
        );
        assert_eq!(version(&system(&["/no/such/program"])).await, "");
        assert_eq!(version(&system(&[])).await, "");
    }
}
