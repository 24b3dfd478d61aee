//! The command line: arguments in, exit code out.

mod check;
mod config;
mod console;
mod cores;
mod demo;
mod disk;
mod embedded;
mod forwarder;
mod run;
mod spool;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::{Environment, LoadOptions};

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
    /// The configuration file (.toml, .yaml or .yml). Default: what `OTLP_CONFIG_PATH` names,
    /// ./otlp.toml, /etc/otlp/otlp.toml.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key over everything else, e.g. --set `batch_size=1000`. May be repeated.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Receives and forwards (the default). Without an endpoint it prints what arrives.
    Run,
    /// Shows the forwarder at work: sends it realistic telemetry, receives what it forwards, and
    /// proves item by item that nothing was lost. Exit code 0 or 1.
    Demo(demo::Options),
    /// Says whether the configuration holds, without starting anything. Exit code 0 or 78.
    Check {
        /// Counts a warning as an error.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Prints the effective configuration and where each value came from; secrets are redacted.
    Config {
        /// What to print.
        #[arg(long, value_enum, default_value_t)]
        part: config::Part,
        /// The shape.
        #[arg(long, value_enum, default_value_t)]
        output: config::Output,
    },
    /// Shows, checks, sends, saves and brings back what lies in the spool on disk.
    Spool(spool::Options),
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
    let load = source.into_options();
    let env = Environment::of_process();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    match verb.unwrap_or(Verb::Run) {
        Verb::Run => {
            drop((out, err));
            run::run(&load, &env)
        }
        Verb::Demo(options) => {
            drop((out, err));
            demo::demo(&options, load)
        }
        Verb::Check { deny_warnings } => {
            let options = check::CheckOptions {
                load,
                deny_warnings,
            };
            check::check(&options, &env, &mut out, &mut err)
        }
        Verb::Config { part, output } => {
            let options = config::ConfigOptions { load, part, output };
            config::config(&options, &env, &mut out, &mut err)
        }
        Verb::Spool(options) => {
            let mut out = io::BufWriter::new(out);
            spool::spool(options, &load, &env, &mut out, &mut err)
        }
    }
}
