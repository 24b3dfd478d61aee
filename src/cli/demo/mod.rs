//! `otlp demo`: a generator, the forwarder with its real shards and sockets, and a collector that
//! marks every item, in one process.

mod collector;
mod counts;
mod figures;
mod generator;
mod heard;
mod ids;
mod options;
mod payload;
mod progress;
mod report;
mod run;
mod sender;
mod shop;
#[cfg(test)]
mod tests;
mod usage;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::mpsc,
};

pub(super) use options::Options;

use self::run::{Failure, Run};
use super::{check::EX_CONFIG, forwarder, run::complain};
use crate::{
    config::{Config, Environment, LoadOptions, LogOutput, Logging, load},
    logging, rt,
};

/// Runs the demo and prints its report. The configuration counts as far as it does not say where
/// to listen and what to forward to.
pub(super) fn demo(options: &Options, load_options: LoadOptions) -> ExitCode {
    match started(options, load_options) {
        Ok(code) => code,
        Err(Failure::Config(errors)) => {
            complain(&errors);
            ExitCode::from(EX_CONFIG)
        }
        Err(Failure::Start(error)) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
        Err(Failure::Exit(code)) => ExitCode::from(code),
    }
}

fn started(options: &Options, load_options: LoadOptions) -> Result<ExitCode, Failure> {
    let config = config(load_options)?;
    let logging = Logging {
        level: format!("{},warn", rt::LOG_LEVEL),
        output: LogOutput::Stderr,
        format: config.logging.format,
    };
    let _guard = logging::init(&logging).map_err(|error| Failure::Config(error.to_string()))?;
    rt::preflight().map_err(|obstacle| Failure::Start(obstacle.to_string()))?;
    let (events, happened) = mpsc::channel();
    forwarder::hear_signals(events.clone()).map_err(Failure::Start)?;
    let run = Run::start(options, config, &events)?;
    complain(&run.headline());
    let report = run.finish(Some(options.duration), &happened)?;
    // With standard output gone the exit code still tells.
    drop(write!(io::stdout().lock(), "{report}"));
    Ok(if report.faults().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The defaults, with what `--config` and `--set` change; a file that lies about is not taken.
fn config(options: LoadOptions) -> Result<Config, Failure> {
    let options = LoadOptions {
        search: Vec::new(),
        ..options
    };
    load(&options, &Environment::default())
        .map(|loaded| loaded.config)
        .map_err(|errors| Failure::Config(errors.to_string()))
}
