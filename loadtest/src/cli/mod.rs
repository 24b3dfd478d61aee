//! The verbs.

mod bench;
mod collect;
mod compare;
mod exec;
mod kill;
mod prove;
mod proxy;
mod report;
mod run;
mod send;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Open-loop load test for OTLP forwarders.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send telemetry on a schedule and audit the answers.
    Send(Box<send::Send>),
    /// Be a collector that counts, audits and, on request, misbehaves.
    Collect(Box<collect::Collect>),
    /// Copy bytes between two TCP ends: the bound to compare with.
    Proxy(proxy::Proxy),
    /// Run one scenario: start everything, measure, judge.
    Run(run::Run),
    /// Run one scenario against several systems in turn, and compare them pair by pair.
    Compare(compare::Compare),
    /// Kill the forwarder under load, again and again: nothing that it acknowledged may be lost.
    Kill(kill::Kill),
    /// Cut the power of the disk that the forwarder's spool is on: nothing that it acknowledged may
    /// be lost. Needs root and loop devices; exit code 3 without them.
    PowerCut(kill::PowerCut),
    /// Make a page of results that were saved.
    Report(report::Report),
    /// Become a command, pinned to cores and tied to the parent's life.
    #[command(hide = true)]
    Exec(exec::Exec),
}

/// Runs the verb. Exit code: 0 done and within what was asked; 1 an error, or the test fails its
/// objective; 2 arguments that are not understood.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Send(verb) => verb.run(),
        Verb::Collect(verb) => verb.run(),
        Verb::Proxy(verb) => verb.run(),
        Verb::Run(verb) => verb.run(),
        Verb::Compare(verb) => verb.run(),
        Verb::Kill(verb) => verb.run(),
        Verb::PowerCut(verb) => verb.run(),
        Verb::Report(verb) => verb.run(),
        Verb::Exec(verb) => verb.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
