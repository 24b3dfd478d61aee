//! The imagined shop that the telemetry is of: its services and their running instances.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attributes::{int, text, texts};
use super::rng::Rng;

/// When everything happens, in nanoseconds: 1 March 2026, 08:00 UTC. Fixed, so that a seed alone
/// determines the bytes.
pub(super) const BASE: u64 = 1_772_352_000_000_000_000;

/// The schema that the attributes' names are of.
pub(super) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    pub name: &'static str,
    pub language: &'static str,
    pub runtime: &'static str,
    pub runtime_version: &'static str,
    pub version: &'static str,
    /// The database it uses, and what it keeps there.
    pub database: &'static str,
    pub table: &'static str,
    /// What it serves: HTTP routes, or RPC methods when they have no slash ahead.
    pub routes: &'static [&'static str],
}

macro_rules! service {
    ($name:literal, $language:literal, $runtime:literal $runtime_version:literal, $version:literal,
     $database:literal $table:literal, $routes:expr) => {
        Service {
            name: $name,
            language: $language,
            runtime: $runtime,
            runtime_version: $runtime_version,
            version: $version,
            database: $database,
            table: $table,
            routes: &$routes,
        }
    };
}

pub(super) static SERVICES: [Service; 12] = [
    service!("storefront", "nodejs", "nodejs" "22.14.0", "5.12.3", "redis" "session",
        ["/", "/products/{id}", "/cart", "/checkout", "/search"]),
    service!("gateway", "go", "go" "go1.24.4", "2.31.0", "redis" "rate-limit",
        ["/api/v2/products", "/api/v2/cart/{cart_id}", "/api/v2/orders", "/api/v2/account"]),
    service!("catalog", "java", "OpenJDK Runtime Environment" "21.0.7+6-LTS", "3.8.1", "postgresql" "products",
        ["GetProduct", "ListProducts", "SearchProducts"]),
    service!("cart", "dotnet", ".NET" "9.0.5", "1.19.4", "redis" "cart",
        ["AddItem", "GetCart", "EmptyCart"]),
    service!("checkout", "go", "go" "go1.24.4", "4.2.7", "postgresql" "orders",
        ["/v1/checkout", "/v1/checkout/{order_id}/confirm"]),
    service!("payment", "java", "OpenJDK Runtime Environment" "21.0.7+6-LTS", "2.5.0", "mysql" "transactions",
        ["Charge", "Refund", "Authorize"]),
    service!("inventory", "java", "OpenJDK Runtime Environment" "17.0.15+6", "6.0.2", "postgresql" "stock_levels",
        ["Reserve", "Release", "GetAvailability"]),
    service!("shipping", "rust", "rustc" "1.90.0", "0.14.2", "postgresql" "shipments",
        ["/quote", "/shipments/{id}", "/labels"]),
    service!("recommendation", "python", "cpython" "3.13.3", "1.7.9", "mongodb" "recommendations",
        ["ListRecommendations", "RecordView"]),
    service!("account", "dotnet", ".NET" "9.0.5", "3.3.1", "mysql" "customers",
        ["/accounts/{id}", "/accounts/{id}/addresses", "/login"]),
    service!("notification", "ruby", "ruby" "3.4.3", "1.2.16", "mongodb" "templates",
        ["/emails", "/push"]),
    service!("fraud-detection", "python", "cpython" "3.13.3", "0.9.30", "opensearch" "signals",
        ["Score", "Explain"]),
];

/// Running copies of each service.
const REPLICAS: usize = 3;

/// Scopes of an instance: the library for HTTP and RPC, that for databases and messaging, and the
/// service's own code.
pub(super) const SCOPES: usize = 3;

/// The index of the scope of the service's own code.
pub(super) const OWN_SCOPE: usize = 2;

/// A running copy of a service.
#[derive(Debug)]
pub(super) struct Instance {
    pub service: &'static Service,
    pub resource: Resource,
}

impl Instance {
    fn new(service: &'static Service, rng: &mut Rng) -> Self {
        let pod = format!("{}-{}-{}", service.name, rng.hex(10), rng.hex(5));
        let zone = *rng.pick(&["eu-central-1a", "eu-central-1b", "eu-central-1c"]);
        let node = format!(
            "ip-10-3-{}-{}.eu-central-1",
            rng.between(0, 15),
            rng.between(2, 254)
        );
        let attributes = vec![
            text("cloud.availability_zone", zone),
            text("cloud.provider", "aws"),
            text("cloud.region", "eu-central-1"),
            text("deployment.environment.name", "production"),
            text("host.name", node.clone()),
            text("k8s.cluster.name", "shop-eu-1"),
            text("k8s.deployment.name", service.name),
            text("k8s.namespace.name", "shop"),
            text("k8s.node.name", node),
            text("k8s.pod.name", pod),
            text("k8s.pod.uid", rng.uuid()),
            texts(
                "process.command_args",
                &[service.name, "--config", "/etc/shop/service.yaml"],
            ),
            int("process.pid", rng.int(1, 40)),
            text("process.runtime.name", service.runtime),
            text("process.runtime.version", service.runtime_version),
            text("service.instance.id", rng.uuid()),
            text("service.name", service.name),
            text("service.namespace", "shop"),
            text("service.version", service.version),
            text("telemetry.sdk.language", service.language),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "1.51.0"),
        ];
        Self {
            service,
            resource: Resource {
                attributes,
                ..Resource::default()
            },
        }
    }

    /// One of its scopes.
    pub fn scope(&self, index: usize) -> InstrumentationScope {
        let Service {
            name,
            language,
            version,
            ..
        } = self.service;
        let (name, version, attributes): (_, _, Vec<KeyValue>) = match index {
            0 => (
                format!("io.opentelemetry.{language}.http"),
                "2.16.0",
                Vec::new(),
            ),
            1 => (
                format!("io.opentelemetry.{language}.client"),
                "2.16.0-alpha",
                Vec::new(),
            ),
            _ => (
                format!("shop.{name}"),
                *version,
                vec![text("shop.team", "orders")],
            ),
        };
        InstrumentationScope {
            name,
            version: version.to_owned(),
            attributes,
            ..InstrumentationScope::default()
        }
    }
}

/// Every instance there is.
#[derive(Debug)]
pub(super) struct Shop {
    pub instances: Vec<Instance>,
}

impl Shop {
    pub fn new(rng: &mut Rng) -> Self {
        let services = SERVICES.iter().flat_map(|service| [service; REPLICAS]);
        Self {
            instances: services
                .map(|service| Instance::new(service, rng))
                .collect(),
        }
    }

    /// So many instances, each of another service.
    pub fn some(&self, count: usize, rng: &mut Rng) -> Vec<usize> {
        let mut services: Vec<_> = (0..SERVICES.len()).collect();
        (0..count.clamp(1, SERVICES.len()))
            .map(|_| {
                let service = services.swap_remove(rng.size(0, services.len() - 1));
                service * REPLICAS + rng.size(0, REPLICAS - 1)
            })
            .collect()
    }
}
