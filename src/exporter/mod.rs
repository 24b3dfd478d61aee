//! Bytes out: choose a connection, send, read the answer as an outcome.
//!
//! Knows no sender: a [`Message`] goes in, an [`Attempt`] comes out. Who gets what, and when again, is
//! decided elsewhere.

mod answer;
mod collector;
mod connection;
mod head;
mod http1;
mod http2;
mod probe;

use std::{rc::Rc, time::Duration};

pub use collector::{Collector, Shared};

use crate::{
    config::Export,
    degrade::Probe,
    outcome::{Attempt, Reason},
    rt,
    wire::Message,
};
use collector::Resources;

/// Every collector that a shard sends to, by its place in [`Export::collectors`].
///
/// - Shard: one per shard, with connections of its own.
#[derive(Debug)]
pub struct Exporter {
    collectors: Vec<Rc<Collector>>,
}

impl Exporter {
    /// The collectors of a configuration; signals that share an endpoint share its connections.
    #[must_use]
    pub fn new(export: &Export, shared: Shared) -> Self {
        let resources = Rc::new(Resources::new(export, shared));
        let collectors = export.collectors().into_iter().map(|endpoint| {
            let resources = Rc::clone(&resources);
            let connections_max = export.connections_max(endpoint);
            Rc::new(Collector::new(endpoint.clone(), connections_max, resources))
        });
        Self {
            collectors: collectors.collect(),
        }
    }

    /// Sends a message to a collector and reads its answer, within `timeout`.
    ///
    /// Nothing that the collector may have taken is sent again.
    pub async fn attempt(&self, collector: usize, message: &Message, timeout: Duration) -> Attempt {
        let Some(collector) = self.collectors.get(collector) else {
            return Attempt::NotSent(format!("there is no collector {collector}"));
        };
        match rt::timeout(timeout, collector.send(message)).await {
            Ok(attempt) => attempt,
            Err(rt::Elapsed) => Attempt::Broken(
                Reason::Timeout,
                "the collector did not answer within timeout.operation_timeout".to_owned(),
            ),
        }
    }

    /// Asks one collector whether it is well: gRPC's health service, or a page where there is a
    /// `path` or no gRPC. An index without a collector is not healthy.
    ///
    /// - Cost: one request, which takes no place of those in flight.
    pub async fn probe(&self, collector: usize, path: Option<&str>, timeout: Duration) -> Probe {
        match self.collectors.get(collector) {
            Some(collector) => collector.probe(path, timeout).await,
            None => Probe::Unhealthy(format!("there is no collector {collector}")),
        }
    }

    /// Looks after what no socket event would wake: collectors that have gone silent, names that
    /// may have moved.
    pub fn sweep(&self) {
        let now = rt::now();
        for collector in &self.collectors {
            collector.sweep(now);
        }
    }
}
