//! `loadtest kill`.

use std::process::ExitCode;

use clap::Args;

use super::prove::Prove;
use crate::proof::{Acknowledge, Kills, kill};

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
        let given = self.prove.given()?;
        let report = Prove::run(kill(&Kills {
            harness: &given.harness,
            system: &given.system,
            acknowledge: self.acknowledge,
            protocol: &self.prove.protocol,
            shards: self.prove.shards,
            env: given.env.clone(),
            rounds: self.kills,
            seed: given.seed,
            rate: self.prove.rate,
            drain: self.prove.drain,
            dir: given.dir.clone(),
        }))?;
        self.prove.tell(given, &report)
    }
}
