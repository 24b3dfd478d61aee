//! What the verbs that prove have in common.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::collect::raise_open_files;
use crate::proof::{Report, ledger};
use crate::scenario::{Presets, System};

/// Arguments of every proof.
#[derive(Debug, Args)]
pub(super) struct Prove {
    /// The forwarder; else `otlp` beside this program or on PATH.
    #[arg(long, value_name = "PATH")]
    otlp: Option<PathBuf>,
    /// What the forwarder speaks with the collector: grpc or http/protobuf.
    #[arg(long, default_value = "grpc", value_parser = ["grpc", "http/protobuf"])]
    pub(super) protocol: String,
    /// Threads of the forwarder that carry data.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(super) shards: usize,
    /// A variable in the forwarder's environment: `OTLP_BATCH_SIZE=100`. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Requests a second of each of the three senders.
    #[arg(long, value_name = "REQUESTS", default_value_t = 200)]
    pub(super) rate: u32,
    /// What everything random is drawn from; else the time. It is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// The longest that the forwarder may hold something at the end, when all is up.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(super) drain: Duration,
    /// Where everything is written, and kept; else a temporary folder that is kept after a failure.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write the report as JSON; `-` is stdout.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Add a line to this file: date, commit, family, count, failures, seconds.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The commit that the ledger names.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    commit: String,
}

/// What a proof is made with.
pub(super) struct Given {
    pub(super) harness: PathBuf,
    pub(super) system: System,
    pub(super) env: BTreeMap<String, String>,
    pub(super) seed: u64,
    pub(super) dir: PathBuf,
    temporary: Option<TempDir>,
}

impl Prove {
    /// Finds what is needed and says what the proof is drawn from.
    pub(super) fn given(&self) -> anyhow::Result<Given> {
        raise_open_files();
        let harness = std::env::current_exe().context("cannot find this program")?;
        let presets = Presets {
            harness: harness.clone(),
            otlp: self.otlp.clone(),
        };
        let system = presets.named("otlp")?;
        let temporary = match &self.dir {
            Some(dir) => {
                let made = fs::create_dir_all(dir);
                made.with_context(|| format!("cannot make {}", dir.display()))?;
                None
            }
            None => Some(
                tempfile::Builder::new()
                    .prefix("loadtest-")
                    .tempdir()
                    .context("cannot make a temporary folder")?,
            ),
        };
        let dir = match (&self.dir, &temporary) {
            (Some(dir), _) => dir.canonicalize().context("--dir")?,
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => anyhow::bail!("there is no folder to write to"),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.context("the clock is off")?.as_millis();
        // Milliseconds of some hundred thousand years.
        let seed = self.seed.unwrap_or(now as u64);
        eprintln!("seed {seed}");
        Ok(Given {
            harness,
            system,
            env: self.env.iter().cloned().collect(),
            seed,
            dir,
            temporary,
        })
    }

    /// Runs a proof until it ends, or until a signal ends it.
    pub(super) fn run(
        proof: impl Future<Output = anyhow::Result<Report>>,
    ) -> anyhow::Result<Report> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                report = proof => report,
                _ = interrupt.recv() => anyhow::bail!("ended by a signal: nothing is proven"),
                _ = terminate.recv() => anyhow::bail!("ended by a signal: nothing is proven"),
            }
        })
    }

    /// Tells what was found. Exit code 0: it holds.
    pub(super) fn tell(&self, given: Given, report: &Report) -> anyhow::Result<ExitCode> {
        match &self.json {
            Some(path) if path.as_os_str() == "-" => {
                writeln!(io::stdout(), "{}", serde_json::to_string(report)?)?;
            }
            Some(path) => write(path, &serde_json::to_string_pretty(report)?)?,
            None => {}
        }
        eprint!("{report}");
        if let Some(path) = &self.ledger {
            ledger::append(path, &self.commit, report)?;
        }
        if report.holds() {
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(temporary) = given.temporary {
            eprintln!("  logs and spool: {}", temporary.keep().display());
        }
        Ok(ExitCode::FAILURE)
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no variable: write NAME=VALUE")),
    }
}
