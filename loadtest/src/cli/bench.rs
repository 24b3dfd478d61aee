//! What `run` and `compare` have in common.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::compare::{Rounds, interleave, judge, kept};
use crate::host;
use crate::report::{self, Screen};
use crate::results::{Results, VERSION};
use crate::scenario::{Presets, Scenario, Slo, System};

/// Arguments that both take.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Files of scenarios.
    #[arg(required = true, value_name = "SCENARIO.toml")]
    pub(super) scenarios: Vec<PathBuf>,
    /// The forwarder; else `otlp` beside this program or on PATH.
    #[arg(long, value_name = "PATH")]
    otlp: Option<PathBuf>,
    /// How often each system is measured.
    #[arg(long, value_name = "N")]
    repeats: Option<u32>,
    /// Length of the measurement of every sender.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Objectives in place of the scenario's, such as `p99<5ms,loss=0`.
    #[arg(long, value_name = "OBJECTIVES")]
    slo: Option<Slo>,
    /// Count system calls too, in a pass of its own for each system.
    #[arg(long)]
    syscalls: bool,
    /// What is printed at the end.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// A folder that gets NAME.json for each scenario.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Say nothing until the end.
    #[arg(long)]
    quiet: bool,
}

/// What is printed at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A summary for people.
    Text,
    /// All results.
    Json,
}

/// What the rounds of one scenario came to.
struct Outcome {
    results: Results,
    /// Whether every system could be measured to the end.
    complete: bool,
}

impl Bench {
    fn presets(&self) -> anyhow::Result<Presets> {
        let harness = std::env::current_exe().context("cannot tell where this program is")?;
        Ok(Presets {
            harness,
            otlp: self.otlp.clone(),
        })
    }

    /// Reads and checks every scenario before the first is run.
    fn read(&self) -> anyhow::Result<Vec<Scenario>> {
        self.scenarios
            .iter()
            .map(|path| self.adjusted(path))
            .collect()
    }

    fn adjusted(&self, path: &Path) -> anyhow::Result<Scenario> {
        let mut scenario = Scenario::read(path)?;
        if let Some(repeats) = self.repeats {
            scenario.repeats = repeats;
        }
        if let Some(duration) = self.duration {
            for load in &mut scenario.loads {
                load.duration = duration;
            }
        }
        if let Some(slo) = &self.slo {
            scenario.slo = slo.clone();
        }
        scenario
            .check()
            .with_context(|| path.display().to_string())?;
        Ok(scenario)
    }

    /// Measures every scenario, prints the results, and says whether all could be measured and the
    /// first system kept its objectives. `choose` names a scenario's systems, and whether the raw
    /// proxy joins them.
    pub(super) fn all(
        &self,
        choose: impl Fn(&Presets, &Scenario) -> anyhow::Result<(Vec<System>, bool)>,
    ) -> anyhow::Result<ExitCode> {
        let presets = self.presets()?;
        let mut all = Vec::new();
        let mut good = true;
        for scenario in self.read()? {
            let (mut systems, with_proxy) = choose(&presets, &scenario)?;
            let first = systems[0].name.clone();
            let proxy = presets.proxy();
            if with_proxy && systems.iter().all(|system| system.name != proxy.name) {
                systems.push(proxy);
            }
            let outcome = self.measure(&presets, &scenario, &systems)?;
            good &= outcome.complete && kept(&outcome.results.runs, &first);
            all.push(outcome.results);
        }
        self.print(all)?;
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Runs the systems in turn, and judges and saves the results. An interruption ends everything
    /// that was started.
    fn measure(
        &self,
        presets: &Presets,
        scenario: &Scenario,
        systems: &[System],
    ) -> anyhow::Result<Outcome> {
        host::pin(&scenario.collector.cores)?;
        let machine = host::machine();
        let rounds = Rounds {
            harness: &presets.harness,
            scenario,
            systems,
            count_syscalls: self.syscalls,
        };
        let progress = |line: &str| {
            if !self.quiet {
                eprintln!("{line}");
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut runs, failures) = runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                measured = interleave(&rounds, progress) => measured,
                _ = interrupt.recv() => bail!("interrupted"),
                _ = terminate.recv() => bail!("asked to end"),
            }
        })?;
        for failure in &failures {
            eprintln!("loadtest: {failure}");
        }
        judge(&scenario.slo, &mut runs);
        let results = Results {
            version: VERSION,
            title: title(scenario),
            command: command(),
            machine,
            runs,
        };
        if let Some(dir) = &self.out {
            save(dir, &scenario.name, &results)?;
        }
        Ok(Outcome {
            results,
            complete: failures.is_empty(),
        })
    }

    /// Prints the results of all scenarios.
    fn print(&self, all: Vec<Results>) -> anyhow::Result<()> {
        let Some(results) = report::merge(all) else {
            return Ok(());
        };
        let text = match self.output {
            Format::Json => serde_json::to_string(&results)? + "\n",
            Format::Text => Screen::of_stdout().summary(&results),
        };
        io::stdout()
            .write_all(text.as_bytes())
            .context("standard output")
    }
}

/// The command as one would type it.
fn command() -> String {
    let arguments = std::env::args().skip(1);
    ["loadtest".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn title(scenario: &Scenario) -> String {
    if scenario.about.is_empty() {
        return scenario.name.clone();
    }
    format!("{}: {}", scenario.name, scenario.about)
}

fn save(dir: &Path, name: &str, results: &Results) -> anyhow::Result<()> {
    let path = dir.join(format!("{name}.json"));
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(&path, serde_json::to_vec_pretty(results)?))
        .with_context(|| format!("cannot write {}", path.display()))
}
