//! `loadtest kill` and `loadtest power-cut`.

use std::process::ExitCode;

use clap::Args;

use super::prove::Prove;
use crate::proof::{Acknowledge, End, Kills, can_cut, kill};

/// The exit code of a proof that cannot be made here: neither a success nor a failure.
const SKIPPED: u8 = 3;

/// Arguments of `loadtest kill`.
#[derive(Debug, Args)]
pub(super) struct Kill {
    /// When the forwarder says OK: delivered, stored or queued. The last loses what it
    /// acknowledged, and this must find it.
    #[arg(long, default_value = "delivered")]
    acknowledge: Acknowledge,
    /// How often it is killed.
    #[arg(long, value_name = "N", default_value_t = 30)]
    kills: usize,
    #[command(flatten)]
    prove: Prove,
}

impl Kill {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        run(&self.prove, self.acknowledge, End::Kill, self.kills)
    }
}

/// Arguments of `loadtest power-cut`.
#[derive(Debug, Args)]
pub(super) struct PowerCut {
    /// When the forwarder says OK: delivered, stored or queued.
    #[arg(long, default_value = "stored")]
    acknowledge: Acknowledge,
    /// How often its power is cut.
    #[arg(long, value_name = "N", default_value_t = 20)]
    cuts: usize,
    /// Size of the disk that its spool is on, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 512,
          value_parser = clap::value_parser!(u64).range(16..=65_536))]
    disk: u64,
    #[command(flatten)]
    prove: Prove,
}

impl PowerCut {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !can_cut() {
            eprintln!("skipped: needs root and loop devices; nothing is proven");
            return Ok(ExitCode::from(SKIPPED));
        }
        let end = End::PowerCut { mib: self.disk };
        run(&self.prove, self.acknowledge, end, self.cuts)
    }
}

fn run(
    prove: &Prove,
    acknowledge: Acknowledge,
    end: End,
    rounds: usize,
) -> anyhow::Result<ExitCode> {
    let given = prove.given()?;
    let report = Prove::run(kill(&Kills {
        harness: &given.harness,
        system: &given.system,
        acknowledge,
        protocol: &prove.protocol,
        shards: prove.shards,
        env: given.env.clone(),
        end,
        rounds,
        seed: given.seed,
        rate: prove.rate,
        drain: prove.drain,
        dir: given.dir.clone(),
    }))?;
    prove.tell(given, &report)
}
