//! Every collector of a configuration, once, in the order by which a shard numbers them.

use super::model::{Endpoint, Export};
use crate::signal::Signal;

impl Export {
    /// Each distinct endpoint, in the order in which the signals' routes name them, then the
    /// fallback: a collector's place here is its index on every shard.
    #[must_use]
    pub fn collectors(&self) -> Vec<&Endpoint> {
        let mut all: Vec<&Endpoint> = Vec::new();
        let routes = Signal::ALL.iter().flat_map(|&it| self.endpoints_of(it));
        for endpoint in routes.chain(&self.fallback) {
            if !all.contains(&endpoint) {
                all.push(endpoint);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::{Config, Endpoint, Export, HttpVersion, Protocol},
        signal::Signal,
    };

    fn endpoint(port: u16) -> Endpoint {
        Endpoint {
            host: "localhost".to_owned(),
            port,
            protocol: Protocol::Grpc,
            http_version: HttpVersion::Http2,
            path: String::new(),
            path_as_is: false,
        }
    }

    #[test]
    fn a_collector_of_several_signals_is_named_once_and_where_it_first_comes() {
        let mut export = Config::default().export;
        export.endpoints = vec![endpoint(2), endpoint(1)];
        export.signal_endpoints[Signal::Traces.index()] = vec![endpoint(3), endpoint(1)];
        let ports = |export: &Export| {
            let all = export.collectors().into_iter();
            all.map(|endpoint| endpoint.port).collect::<Vec<_>>()
        };
        assert_eq!(ports(&export), [3, 1, 2]);
        export.fallback = Some(endpoint(9));
        assert_eq!(ports(&export), [3, 1, 2, 9]);
        export.fallback = Some(endpoint(1));
        assert_eq!(ports(&export), [3, 1, 2]);
    }
}
