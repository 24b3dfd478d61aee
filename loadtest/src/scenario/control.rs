//! The collector's control port.

use anyhow::{Context as _, bail};

use crate::host;
use crate::results::CollectReport;

/// Speaks with one collector.
#[derive(Clone, Debug)]
pub(crate) struct Control(String);

impl Control {
    pub(crate) fn at(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// What it counted so far.
    pub(crate) async fn stats(&self) -> anyhow::Result<CollectReport> {
        let answer = host::get(&self.0, "/stats").await?;
        serde_json::from_slice(&answer.body).context("the collector's /stats")
    }

    /// Makes it behave differently.
    pub(crate) async fn behave(&self, spec: &str) -> anyhow::Result<()> {
        let answer = host::put(&self.0, "/behave", spec.to_owned()).await?;
        if !answer.status.is_success() {
            let why = String::from_utf8_lossy(&answer.body);
            bail!(
                "the collector does not take behave {spec:?}: {}",
                why.trim()
            );
        }
        Ok(())
    }
}
