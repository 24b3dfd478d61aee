//! The metrics that services have.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::{Cumulative, Delta};

use super::super::shop::OWN_SCOPE;

/// The kind of a metric, with its temporality.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Gauge,
    /// A sum that also falls.
    Level(AggregationTemporality),
    /// A sum that only grows.
    Counter(AggregationTemporality),
    Histogram(AggregationTemporality),
    Exponential(AggregationTemporality),
    Summary,
}

/// A metric that services have.
pub(super) struct Instrument {
    pub name: &'static str,
    pub unit: &'static str,
    pub description: &'static str,
    /// The index of its scope.
    pub scope: usize,
    pub shape: Shape,
    /// Whether it is of whole numbers.
    pub whole: bool,
}

pub(super) static INSTRUMENTS: [Instrument; 14] = [
    Instrument {
        name: "http.server.request.duration",
        unit: "s",
        description: "Duration of HTTP server requests.",
        scope: 0,
        shape: Shape::Histogram(Cumulative),
        whole: false,
    },
    Instrument {
        name: "http.server.active_requests",
        unit: "{request}",
        description: "Number of active HTTP server requests.",
        scope: 0,
        shape: Shape::Level(Cumulative),
        whole: true,
    },
    Instrument {
        name: "http.client.request.duration",
        unit: "s",
        description: "Duration of HTTP client requests.",
        scope: 0,
        shape: Shape::Histogram(Delta),
        whole: false,
    },
    Instrument {
        name: "rpc.server.duration",
        unit: "ms",
        description: "Measures the duration of inbound RPC.",
        scope: 0,
        shape: Shape::Exponential(Delta),
        whole: false,
    },
    Instrument {
        name: "db.client.operation.duration",
        unit: "s",
        description: "Duration of database client operations.",
        scope: 1,
        shape: Shape::Exponential(Cumulative),
        whole: false,
    },
    Instrument {
        name: "db.client.connection.count",
        unit: "{connection}",
        description: "Connections by state.",
        scope: 1,
        shape: Shape::Level(Cumulative),
        whole: true,
    },
    Instrument {
        name: "messaging.client.sent.messages",
        unit: "{message}",
        description: "Messages sent to the broker.",
        scope: 1,
        shape: Shape::Counter(Delta),
        whole: true,
    },
    Instrument {
        name: "process.cpu.time",
        unit: "s",
        description: "Total CPU seconds broken down by states.",
        scope: OWN_SCOPE,
        shape: Shape::Counter(Cumulative),
        whole: false,
    },
    Instrument {
        name: "process.memory.usage",
        unit: "By",
        description: "The amount of physical memory in use.",
        scope: OWN_SCOPE,
        shape: Shape::Gauge,
        whole: true,
    },
    Instrument {
        name: "system.cpu.utilization",
        unit: "1",
        description: "Share of each CPU in use.",
        scope: OWN_SCOPE,
        shape: Shape::Gauge,
        whole: false,
    },
    Instrument {
        name: "shop.orders",
        unit: "{order}",
        description: "Orders placed.",
        scope: OWN_SCOPE,
        shape: Shape::Counter(Delta),
        whole: true,
    },
    Instrument {
        name: "shop.revenue",
        unit: "EUR",
        description: "Value of orders paid.",
        scope: OWN_SCOPE,
        shape: Shape::Counter(Cumulative),
        whole: false,
    },
    Instrument {
        name: "shop.cart.size",
        unit: "{item}",
        description: "Items in a cart at checkout.",
        scope: OWN_SCOPE,
        shape: Shape::Histogram(Delta),
        whole: false,
    },
    Instrument {
        name: "gc.pause",
        unit: "s",
        description: "Pauses for garbage collection.",
        scope: OWN_SCOPE,
        shape: Shape::Summary,
        whole: false,
    },
];
