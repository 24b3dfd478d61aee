//! The environment: told as pairs, so that nothing inside reads it on its own; and which of its
//! `OTLP_` names are none of ours.

use std::{collections::BTreeMap, fmt};

/// The variables of an environment. An empty variable counts as not set.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The environment of this process. Bytes that are not UTF-8 become U+FFFD, which no value
    /// allows, so that they are reported and not lost.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Every variable that is set and not empty, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: pairs.collect(),
        }
    }
}

// Without the values: they may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.len())
            .finish()
    }
}

/// The variable of a key: `OTLP_` and the path in upper case, dots as underscores.
#[must_use]
pub fn variable_of(path: &str) -> String {
    format!("OTLP_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// Whether Kubernetes set this variable for a service whose name begins with `otlp`.
///
/// The shapes are `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, `X_PORT` with a URL,
/// `X_PORT_8080_TCP` and that with `_PROTO`, `_PORT` or `_ADDR`. A service `otlp-metrics` thus
/// sets `OTLP_METRICS_PORT`, which is one of our names; its URL tells it apart.
///
/// - Source: the Kubernetes documentation, "Discovering services", environment variables.
#[must_use]
pub fn is_of_kubernetes(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let is_url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    if name.ends_with("_PORT") && is_url {
        return true;
    }
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") {
        return true;
    }
    if name.contains("_SERVICE_PORT_") {
        return true;
    }
    // …_PORT_<number>_<protocol>[_PROTO|_PORT|_ADDR]
    name.match_indices("_PORT_").any(|(at, separator)| {
        let mut parts = name
            .get(at + separator.len()..)
            .unwrap_or_default()
            .split('_');
        let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
        let protocol = parts.next().is_some_and(|part| PROTOCOLS.contains(&part));
        let tail = matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"));
        number && protocol && tail && parts.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let env: Environment = [("A", ""), ("B", "1")].into_iter().collect();
        assert_eq!((env.get("A"), env.get("B")), (None, Some("1")));
        assert_eq!(env.iter().count(), 1);
    }

    #[test]
    fn service_variables_of_kubernetes_are_told_apart() {
        for (name, value) in [
            ("OTLP_SERVICE_HOST", "10.0.0.1"),
            ("OTLP_SERVICE_PORT", "8080"),
            ("OTLP_SERVICE_PORT_HTTP", "8080"),
            ("OTLP_PORT", "tcp://10.0.0.1:8080"),
            ("OTLP_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("OTLP_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("OTLP_SERVICE_SERVICE_HOST", "10.0.0.1"),
            ("OTLP_METRICS_PORT", "tcp://10.0.0.1:9090"),
        ] {
            assert!(is_of_kubernetes(name, value), "{name}");
        }
        for (name, value) in [
            ("OTLP_METRICS_PORT", "9090"),
            ("OTLP_ENDPOINT", "http://c:1"),
            ("OTLP_PORT_X_TCP", "1"),
        ] {
            assert!(!is_of_kubernetes(name, value), "{name}");
        }
    }
}
