//! An outage to watch: a collector that is well, then slow, then dead, then back, and what the
//! forwarder makes of it.
//!
//! ```sh
//! cargo run --example resilience_usage              # about 30 s
//! cargo run --example resilience_usage -- --quick   # about 10 s
//! ```
//!
//! Everything is in here: two collectors, senders, and the forwarder itself, which is this program
//! once more. At the end every span is looked for, one by one. Exit code 0: nothing was lost.

#![expect(clippy::print_stdout, reason = "it is there to be watched")]

mod resilience;

use std::{env, process::ExitCode};

/// Set for the process that is to be the forwarder.
const ROLE: &str = "RESILIENCE_USAGE_FORWARDER";

fn main() -> ExitCode {
    if env::var_os(ROLE).is_some() {
        return otlp::cli::main();
    }
    let is_quick = match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--quick" => true,
        other => {
            println!("{other:?} is not understood; there is --quick, and nothing else");
            return ExitCode::from(2);
        }
    };
    match resilience::story::tell(is_quick) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("the example does not run: {error}");
            ExitCode::FAILURE
        }
    }
}
