//! `loadtest proxy`.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `loadtest proxy`.
#[derive(Debug, Args)]
pub(super) struct Proxy {}

impl Proxy {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not built yet")
    }
}
