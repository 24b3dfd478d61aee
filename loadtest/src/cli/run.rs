//! `loadtest run`.

use std::process::ExitCode;

use clap::Args;

use super::bench::Bench;
use crate::compare::{choose, kept};

/// Arguments of `loadtest run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    bench: Bench,
    /// Another system than the scenario's: `otlp`, `raw proxy`, or `NAME=COMMAND`, where a COMMAND
    /// with `{in}` and `{out}` is run as it is and any other is another build of the forwarder.
    #[arg(long, value_name = "NAME[=COMMAND]")]
    system: Option<String>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let presets = self.bench.presets()?;
        let asked: Vec<String> = self.system.into_iter().collect();
        let mut all = Vec::new();
        let mut good = true;
        for scenario in self.bench.read()? {
            let mut systems = choose(&scenario, &presets, &asked, &[])?;
            let name = systems[0].name.clone();
            let proxy = presets.proxy();
            if (scenario.proxy || scenario.slo.needs_proxy()) && name != proxy.name {
                systems.push(proxy);
            }
            let outcome = self.bench.measure(&presets, &scenario, &systems)?;
            good &= outcome.complete && kept(&outcome.results.runs, &name);
            all.push(outcome.results);
        }
        self.bench.print(all)?;
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
