//! `loadtest run`.

use std::process::ExitCode;

use clap::Args;

use super::bench::Bench;
use crate::compare::choose;

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
        let asked: Vec<String> = self.system.into_iter().collect();
        self.bench.all(|presets, scenario| {
            let systems = choose(scenario, presets, &asked, &[])?;
            Ok((systems, scenario.proxy || scenario.slo.needs_proxy()))
        })
    }
}
