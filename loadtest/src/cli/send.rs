//! `loadtest send`.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `loadtest send`.
#[derive(Debug, Args)]
pub(super) struct Send {}

impl Send {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not built yet")
    }
}
