//! The command line: arguments in, exit code out.

mod cores;
mod forwarder;
mod run;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::LoadOptions;

/// A thread-per-core OTLP forwarder: receives, batches without decoding, delivers, and
/// acknowledges truthfully.
#[derive(Debug, Parser)]
#[command(name = "otlp", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    source: Source,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
struct Source {
    /// The configuration file (.toml, .yaml or .yml). Default: OTLP_CONFIG_PATH, ./otlp.toml,
    /// /etc/otlp/otlp.toml.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key over everything else, e.g. --set batch_size=1000. May be repeated.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Receives and forwards (the default). Without an endpoint it prints what arrives.
    Run,
}

impl Source {
    fn into_options(self) -> LoadOptions {
        LoadOptions {
            file: self.config,
            set: self.set,
            ..LoadOptions::default()
        }
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { source, verb } = Cli::parse();
    let options = source.into_options();
    match verb.unwrap_or(Verb::Run) {
        Verb::Run => run::run(&options),
    }
}
