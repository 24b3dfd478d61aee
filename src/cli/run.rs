//! `otlp run`: the forwarder, from its configuration to its last answer.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::mpsc,
};

use super::{
    check::EX_CONFIG,
    forwarder::{self, Forwarder},
};
use crate::{
    config::{Environment, LoadOptions, Loaded, load},
    logging,
};

/// Runs until a signal.
pub(super) fn run(options: &LoadOptions, env: &Environment) -> ExitCode {
    let loaded = match load(options, env) {
        Ok(loaded) => loaded,
        Err(errors) => {
            complain(&errors.to_string());
            return ExitCode::from(EX_CONFIG);
        }
    };
    let guard = match logging::init(&loaded.config.logging) {
        Ok(guard) => guard,
        Err(error) => {
            complain(&format!("error: {error}"));
            return ExitCode::from(EX_CONFIG);
        }
    };
    let code = match forward(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Start(error)) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
        Err(Failure::Exit(code)) => ExitCode::from(code),
    };
    drop(guard);
    code
}

enum Failure {
    Start(String),
    Exit(u8),
}

fn forward(loaded: Loaded) -> Result<(), Failure> {
    let Loaded {
        config,
        warnings,
        file,
        ..
    } = loaded;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let (events, happened) = mpsc::channel();
    forwarder::hear_signals(events.clone()).map_err(Failure::Start)?;
    let acknowledge = format!("{:?}", config.acknowledge).to_lowercase();
    let forwarder = Forwarder::start(config, &events).map_err(Failure::Start)?;
    for port in &forwarder.listening {
        tracing::info!(listener = port.listener, address = %port.address, "listening");
    }
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        shards = forwarder.shards,
        acknowledge,
        config = file,
        "ready"
    );
    forwarder.wait(&happened).map_err(Failure::Exit)
}

/// Writes to standard error what keeps the process from starting.
pub(super) fn complain(text: &str) {
    // There is nobody left to tell when standard error is closed.
    drop(writeln!(io::stderr().lock(), "{text}"));
}
