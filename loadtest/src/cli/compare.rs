//! `loadtest compare`.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `loadtest compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not built yet")
    }
}
