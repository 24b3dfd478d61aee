//! `otlp run`: the forwarder, from its configuration to its last answer.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::mpsc,
};

use super::{
    check::EX_CONFIG,
    console,
    embedded::Embedded,
    forwarder::{self, Forwarder},
};
use crate::{
    config::{Config, Environment, LoadOptions, Loaded, load},
    logging, rt,
    signal::Signal,
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
    let mut logging = loaded.config.logging.clone();
    // Before the operator's own words, which may say otherwise.
    logging.level = format!("{},{}", rt::LOG_LEVEL, logging.level);
    let guard = match logging::init(&logging) {
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
        mut config,
        warnings,
        file,
        ..
    } = loaded;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let (events, happened) = mpsc::channel();
    forwarder::hear_signals(events.clone()).map_err(Failure::Start)?;
    let console = print_the_rest(&mut config).map_err(Failure::Start)?;
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
    let ended = forwarder.wait(&happened).map_err(Failure::Exit);
    if let Some(console) = console {
        console.stop();
    }
    ended
}

/// Sends the signals that have no collector to an embedded one that prints them.
fn print_the_rest(config: &mut Config) -> Result<Option<Embedded>, String> {
    let is_printed = |signal: &Signal| config.export.endpoints_of(*signal).is_empty();
    let printed: Vec<&str> = Signal::ALL
        .into_iter()
        .filter(is_printed)
        .map(Signal::name)
        .collect();
    if printed.is_empty() {
        return Ok(None);
    }
    rt::preflight().map_err(|obstacle| obstacle.to_string())?;
    let console = console::start()
        .map_err(|error| format!("the console collector does not start: {error}"))?;
    tracing::info!(
        signals = printed.join(","),
        "no endpoint is set: what arrives is printed here; set endpoint to forward it"
    );
    config.export.endpoints.push(console.endpoint.clone());
    Ok(Some(console))
}

/// Writes to standard error what keeps the process from starting.
pub(super) fn complain(text: &str) {
    // There is nobody left to tell when standard error is closed.
    drop(writeln!(io::stderr().lock(), "{text}"));
}
