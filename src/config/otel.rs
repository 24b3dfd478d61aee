//! The standard variables of OTLP exporters: which are taken as they are, and what is said about
//! the others.

use super::{
    environment::Environment,
    problem::{Complaint, Problem},
    source::Origin,
    url::NO_TLS,
};

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
const SIGNALS: [&str; 4] = ["TRACES_", "METRICS_", "LOGS_", "PROFILES_"];

/// The value of a standard variable in our spelling.
///
/// - Source: OpenTelemetry specification, "OTLP exporter": timeouts are whole milliseconds.
///
/// # Errors
///
/// A timeout that is not.
pub fn value_of(name: &str, value: &str) -> Result<String, Complaint> {
    if !name.ends_with("_TIMEOUT") {
        return Ok(value.to_owned());
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(format!("{value}ms"));
    }
    Err(Complaint::new(
        format!("{value:?} is not a number of milliseconds"),
        "write 10000 for ten seconds, or set OTLP_TIMEOUT=10s instead",
    ))
}

/// Says which standard variables are set and have no effect, and refuses the one that would send
/// in the clear what was asked to be encrypted. `endpoint_is_ours` tells that
/// `OTEL_EXPORTER_OTLP_ENDPOINT` is not what counts.
pub fn judge_others(
    env: &Environment,
    endpoint_is_ours: bool,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    for (name, value) in env.iter() {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let signal = SIGNALS.iter().find(|signal| rest.starts_with(**signal));
        let what = signal.map_or(rest, |signal| rest.strip_prefix(signal).unwrap_or(rest));
        match what {
            "CERTIFICATE" | "CLIENT_CERTIFICATE" | "CLIENT_KEY" => {
                warnings.push(format!("{name} is not in effect: {NO_TLS}"));
            }
            "HEADERS" | "COMPRESSION" | "TIMEOUT" if signal.is_some() => {
                warnings.push(format!(
                    "{name} is not in effect: headers, compression and timeouts are the same for \
                     every signal; set {PREFIX}{what}"
                ));
            }
            "INSECURE" if value.eq_ignore_ascii_case("false") && !endpoint_is_ours => {
                let endpoint = format!("{PREFIX}{}ENDPOINT", signal.copied().unwrap_or_default());
                // A scheme decides on its own; without one, "not insecure" asks for TLS.
                if env.get(&endpoint).is_some_and(|url| !url.contains("://")) {
                    problems.push(Problem::new(
                        "",
                        &Origin::Variable(name.to_owned()),
                        Complaint::new(
                            format!("{name}=false asks for TLS towards {endpoint}: {NO_TLS}"),
                            format!("write http:// in {endpoint}, or set {name}=true"),
                        ),
                    ));
                }
            }
            _ => {}
        }
    }
}
