//! The configuration in the making: what the keys set, and the checks between keys.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    model::{Config, Endpoint, HttpVersion, Protocol},
    problem::{Complaint, Problem},
    source::Origin,
    units::show_bytes,
    url::Url,
};
use crate::signal::Signal;

/// When the strategies of graceful degradation start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trigger {
    /// The share of failed calls.
    HighErrorRate(f64),
    /// The 95th percentile of a call's time.
    HighLatency(Duration),
}

/// The configuration in the making.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What needs no other key to be complete.
    pub config: Config,
    /// Collectors of every signal.
    pub urls: Vec<(Url, Origin)>,
    /// Collectors of one signal.
    pub signal_urls: [Vec<(Url, Origin)>; 4],
    /// The protocol where a signal has none of its own.
    pub protocol: Option<Protocol>,
    /// The protocol of one signal.
    pub signal_protocols: [Option<Protocol>; 4],
    /// The HTTP version of OTLP/HTTP.
    pub http_version: HttpVersion,
    /// How hard compression tries, where that is set.
    pub compression_level: Option<u32>,
    /// Collectors that read every gzip member or zstd frame.
    pub merge_urls: Vec<(Url, Origin)>,
    /// The fallback collector.
    pub fallback_urls: Vec<(Url, Origin)>,
    /// The protocol of the fallback collector.
    pub fallback_protocol: Option<Protocol>,
}

impl Draft {
    /// The draft that nothing has been set in.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            urls: Vec::new(),
            signal_urls: [const { Vec::new() }; 4],
            protocol: None,
            signal_protocols: [None; 4],
            http_version: HttpVersion::Http1,
            compression_level: None,
            merge_urls: Vec::new(),
            fallback_urls: Vec::new(),
            fallback_protocol: None,
        }
    }

    /// Completes the configuration and checks what takes more than one key to judge.
    /// `origin_of` tells where the value of a key came from.
    pub fn finish(
        mut self,
        origin_of: &dyn Fn(&str) -> Origin,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) -> Config {
        self.resolve_endpoints(problems, warnings);
        self.check_sizes(origin_of, problems);
        self.check_ports(origin_of, problems);
        self.resolve_compression(origin_of, problems, warnings);
        self.resolve_resilience(origin_of, problems, warnings);
        self.check_headers(warnings);
        self.config
    }

    /// Says where a sender's header does not go on because the operator's takes its place.
    fn check_headers(&self, warnings: &mut Vec<String>) {
        let own = &self.config.export.headers;
        for name in &self.config.forward_headers {
            if own.iter().any(|(known, _)| known == name.as_str()) {
                warnings.push(format!(
                    "forward_headers names {:?}, which headers sets as well: the value of headers \
                     is sent; remove one of the two",
                    name.as_str()
                ));
            }
        }
    }

    fn resolve_endpoints(&mut self, problems: &mut Vec<Problem>, warnings: &mut Vec<String>) {
        let base: Vec<Endpoint> = self
            .urls
            .iter()
            .map(|(url, _)| self.endpoint(url, self.protocol, false))
            .collect();
        for (endpoint, (_, origin)) in base.iter().zip(&self.urls) {
            self.check_endpoint("endpoint", endpoint, origin, problems);
        }
        for signal in Signal::ALL {
            let slot = signal.index();
            let own_protocol = self.signal_protocols[slot];
            let protocol = own_protocol.or(self.protocol);
            let urls = &self.signal_urls[slot];
            let key = format!("{signal}_endpoint");
            let mut endpoints = Vec::new();
            for (url, origin) in urls {
                let endpoint = self.endpoint(url, protocol, true);
                self.check_endpoint(&key, &endpoint, origin, problems);
                if endpoint.protocol == Protocol::HttpProtobuf && endpoint.path.is_empty() {
                    warnings.push(format!(
                        "{key} ({origin}) is used as it is and has no path, so requests go to /; \
                         write http://{}{} if the collector expects the usual path",
                        endpoint.authority(),
                        signal.http_path()
                    ));
                }
                endpoints.push(endpoint);
            }
            if urls.is_empty() && own_protocol.is_some() {
                // The signal goes where all go, and speaks its own protocol there.
                for (url, origin) in &self.urls {
                    let endpoint = self.endpoint(url, protocol, false);
                    self.check_endpoint(&format!("{signal}_protocol"), &endpoint, origin, problems);
                    endpoints.push(endpoint);
                }
            }
            self.config.export.signal_endpoints[slot] = endpoints;
        }
        self.config.export.endpoints = base;
        let without: Vec<&str> = Signal::ALL
            .into_iter()
            .filter(|signal| self.config.export.endpoints_of(*signal).is_empty())
            .map(Signal::name)
            .collect();
        if without.len() < Signal::ALL.len() && !without.is_empty() {
            warnings.push(format!(
                "{} have no endpoint and are printed; set endpoint for every signal, or one of \
                 their own",
                without.join(", ")
            ));
        }
    }

    pub(super) fn endpoint(
        &self,
        url: &Url,
        protocol: Option<Protocol>,
        path_as_is: bool,
    ) -> Endpoint {
        // Source: the ports that OTLP 1.11.0 assigns: 4317 for gRPC, 4318 for HTTP.
        let guess = if url.port == 4318 {
            Protocol::HttpProtobuf
        } else {
            Protocol::Grpc
        };
        Endpoint {
            host: url.host.clone(),
            port: url.port,
            protocol: protocol.unwrap_or(guess),
            http_version: self.http_version,
            path: url.path.clone(),
            path_as_is,
        }
    }

    pub(super) fn check_endpoint(
        &self,
        key: &str,
        endpoint: &Endpoint,
        origin: &Origin,
        problems: &mut Vec<Problem>,
    ) {
        if endpoint.protocol == Protocol::Grpc && !endpoint.path.is_empty() {
            problems.push(Problem::new(
                key,
                origin,
                Complaint::new(
                    format!("gRPC has no use for the path {:?}", endpoint.path),
                    "remove the path, or set protocol = \"http/protobuf\"",
                ),
            ));
        }
        let listen = &self.config.listen;
        for (name, address) in [("listen.grpc", listen.grpc), ("listen.http", listen.http)] {
            if address.is_some_and(|address| is_own(endpoint, address)) {
                problems.push(Problem::new(
                    key,
                    origin,
                    Complaint::new(
                        format!("{} is this process's own {name}", endpoint.authority()),
                        format!("name the collector's port, or move {name} to another one"),
                    ),
                ));
            }
        }
    }

    fn check_sizes(&self, origin_of: &dyn Fn(&str) -> Origin, problems: &mut Vec<Problem>) {
        let limit = u64::try_from(self.config.limits.request_bytes).unwrap_or(u64::MAX);
        let batch = u64::try_from(self.config.batch.bytes_max).unwrap_or(u64::MAX);
        let memory = self.config.memory_limit;
        // The key that somebody set is the one to blame.
        let mut refuse = |key: &str, what: String, fix: String| {
            let own = origin_of(key);
            let origin = if matches!(own, Origin::Default) {
                origin_of("limits.request_bytes")
            } else {
                own
            };
            problems.push(Problem::new(key, &origin, Complaint::new(what, fix)));
        };
        if batch > limit {
            let (batch, limit) = (show_bytes(batch), show_bytes(limit));
            refuse(
                "batch_bytes",
                format!("{batch} is over limits.request_bytes, {limit}"),
                format!("lower batch_bytes to {limit} or raise limits.request_bytes to {batch}"),
            );
        }
        if memory != 0 && memory < limit {
            let (memory, limit) = (show_bytes(memory), show_bytes(limit));
            refuse(
                "memory_limit",
                format!("{memory} cannot hold one request of limits.request_bytes, {limit}"),
                format!("raise memory_limit to {limit} or more, or lower limits.request_bytes"),
            );
        }
    }

    fn check_ports(&self, origin_of: &dyn Fn(&str) -> Origin, problems: &mut Vec<Problem>) {
        let listen = &self.config.listen;
        let metrics_port = self.config.monitoring.metrics_port;
        let metrics_ip = listen
            .admin
            .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |admin| admin.ip());
        let ports = [
            ("listen.grpc", listen.grpc),
            ("listen.http", listen.http),
            ("listen.admin", listen.admin),
            (
                "monitoring.metrics_port",
                metrics_port.map(|port| (metrics_ip, port).into()),
            ),
        ];
        let mut refuse = |key: &str, what: String, fix: &str| {
            problems.push(Problem::new(
                key,
                &origin_of(key),
                Complaint::new(what, fix),
            ));
        };
        for (index, (name, address)) in ports.iter().enumerate() {
            let Some(address) = address else { continue };
            let taken = ports.iter().take(index).find(|(_, other)| {
                other.is_some_and(|other| other.port() != 0 && collide(other, *address))
            });
            if let Some((other, _)) = taken {
                let what = format!("{address} is taken by {other}");
                refuse(
                    name,
                    what,
                    "give each its own port; every data port serves gRPC and HTTP",
                );
            }
        }
        if metrics_port.is_some() && listen.admin.is_none() {
            let what = "it listens at the address of listen.admin, which is off".to_owned();
            refuse(
                "monitoring.metrics_port",
                what,
                "turn listen.admin on, or remove metrics_port",
            );
        }
        if listen.grpc.is_none() && listen.http.is_none() {
            let what = "listen.grpc and listen.http are both off: nothing could be received";
            refuse("listen.grpc", what.to_owned(), "turn one of them on");
        }
    }
}

/// Whether two listening addresses cannot be had together.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// Whether a collector's address is certainly this process's own.
fn is_own(endpoint: &Endpoint, listen: SocketAddr) -> bool {
    if endpoint.port != listen.port() {
        return false;
    }
    if endpoint.host == "localhost" {
        return listen.ip().is_loopback() || listen.ip().is_unspecified();
    }
    endpoint
        .host
        .parse::<IpAddr>()
        .is_ok_and(|ip| ip == listen.ip() || (ip.is_loopback() && listen.ip().is_unspecified()))
}
