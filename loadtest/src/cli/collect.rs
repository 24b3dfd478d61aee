//! `loadtest collect`.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `loadtest collect`.
#[derive(Debug, Args)]
pub(super) struct Collect {}

impl Collect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not built yet")
    }
}
