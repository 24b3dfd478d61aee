//! `loadtest run`.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `loadtest run`.
#[derive(Debug, Args)]
pub(super) struct Run {}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not built yet")
    }
}
