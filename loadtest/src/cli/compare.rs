//! `loadtest compare`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::bench::Bench;
use crate::compare::{choose, read_systems};

/// Arguments of `loadtest compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    #[command(flatten)]
    bench: Bench,
    /// A system: `otlp`, a name from `--systems`, or `NAME=COMMAND`, where a COMMAND with `{in}`
    /// and `{out}` is run as it is and any other is another build of the forwarder. Objectives
    /// are for the first; all are judged. Default: the scenario's own and all of `--systems`.
    #[arg(long = "system", value_name = "NAME[=COMMAND]")]
    asked: Vec<String>,
    /// A file of `[[system]]` tables: name, command, env, ready, `version_command`, protocol.
    #[arg(long, value_name = "FILE.toml")]
    systems: Option<PathBuf>,
    /// Leave the raw proxy out.
    #[arg(long)]
    no_proxy: bool,
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let listed = self
            .systems
            .as_deref()
            .map_or_else(|| Ok(Vec::new()), read_systems)?;
        self.bench.all(|presets, scenario| {
            let systems = choose(scenario, presets, &self.asked, &listed)?;
            Ok((systems, !self.no_proxy))
        })
    }
}
