//! `loadtest report`.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `loadtest report`.
#[derive(Debug, Args)]
pub(super) struct Report {}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not built yet")
    }
}
