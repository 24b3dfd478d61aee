//! What the answers are made of.

use std::sync::Arc;

use serde::Serialize;

use super::health::Health;
use crate::{
    config::{Acknowledge, Config},
    metrics::{Registry, Summary},
    rt,
};

/// Everything that an operator can ask about.
#[derive(Debug)]
pub struct AdminState {
    pub(super) registry: Registry,
    pub(super) health: Arc<Health>,
    pub(super) metrics_enabled: bool,
    setup: Setup,
}

/// The part of the configuration that is shown. It holds no secret: neither headers nor paths.
#[derive(Clone, Debug, Serialize)]
struct Setup {
    acknowledge: &'static str,
    listen_grpc: Option<String>,
    listen_http: Option<String>,
    batch_items_max: u64,
    batch_bytes_max: usize,
    batch_flush_interval_ms: u128,
}

/// The answer to a question for the status.
#[derive(Debug, Serialize)]
struct Status<'a> {
    version: &'static str,
    phase: &'static str,
    sentence: String,
    setup: &'a Setup,
    #[serde(flatten)]
    summary: Summary,
}

impl AdminState {
    /// The state of a process with this registry, health and configuration.
    #[must_use]
    pub fn new(registry: Registry, health: Arc<Health>, config: &Config) -> Self {
        Self {
            registry,
            health,
            metrics_enabled: config.monitoring.metrics_enabled,
            setup: Setup::new(config),
        }
    }

    /// The figures of the status page.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.registry.summary(rt::unix_time())
    }

    /// The status as JSON.
    pub(super) fn status(&self) -> Result<Vec<u8>, serde_json::Error> {
        let phase = self.health.phase();
        serde_json::to_vec(&Status {
            version: env!("CARGO_PKG_VERSION"),
            phase: phase.name(),
            sentence: phase.to_string(),
            setup: &self.setup,
            summary: self.summary(),
        })
    }
}

impl Setup {
    fn new(config: &Config) -> Self {
        Self {
            acknowledge: match config.acknowledge {
                Acknowledge::Delivered => "delivered",
                Acknowledge::Stored => "stored",
                Acknowledge::Queued => "queued",
            },
            listen_grpc: config.listen.grpc.map(|address| address.to_string()),
            listen_http: config.listen.http.map(|address| address.to_string()),
            batch_items_max: config.batch.items_max,
            batch_bytes_max: config.batch.bytes_max,
            batch_flush_interval_ms: config.batch.flush_interval.as_millis(),
        }
    }
}
