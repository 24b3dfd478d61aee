//! `loadtest exec`: what `run` starts its children through; not for people.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::host::become_command;

/// Arguments of `loadtest exec`.
#[derive(Debug, Args)]
pub(super) struct Exec {
    /// A core to run on; several may be given.
    #[arg(long = "core")]
    cores: Vec<usize>,
    /// The command to become.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Exec {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        become_command(&self.cores, &self.command)?;
        Ok(ExitCode::FAILURE)
    }
}
