//! Requests as OTLP/JSON.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::signal::Signal;

/// The same request in protobuf.
pub(super) fn to_protobuf(signal: Signal, body: &[u8]) -> serde_json::Result<Bytes> {
    fn read<T: DeserializeOwned + Message>(body: &[u8]) -> serde_json::Result<Bytes> {
        Ok(serde_json::from_slice::<T>(body)?.encode_to_vec().into())
    }
    match signal {
        Signal::Traces => read::<ExportTraceServiceRequest>(body),
        Signal::Metrics => read::<ExportMetricsServiceRequest>(body),
        Signal::Logs => read::<ExportLogsServiceRequest>(body),
    }
}

/// Drops members that say nothing, as exporters do: `null`, and the empty text, the empty list and
/// zero where that is the default. A value of an attribute or a point is said even when it is empty.
pub(super) fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, member| !says_nothing(key, member));
            members.values_mut().for_each(prune);
        }
        Value::Array(elements) => elements.iter_mut().for_each(prune),
        _ => {}
    }
}

fn says_nothing(key: &str, member: &Value) -> bool {
    match member {
        Value::Null => true,
        Value::String(text) => text.is_empty() && key != "stringValue",
        Value::Array(elements) => elements.is_empty() && key != "values",
        // Doubles with presence (sum, min, max) are written with a fraction, so they are kept.
        Value::Number(number) => number.as_u64() == Some(0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_nothing_is_dropped_and_values_are_kept() {
        let mut value = json!({
            "status": null, "flags": 0, "traceState": "", "links": [], "name": "n", "sum": 0.0,
            "attributes": [
                {"key": "a", "value": {"stringValue": ""}},
                {"key": "b", "value": {"boolValue": false}},
                {"key": "c", "value": {"arrayValue": {"values": []}}},
            ],
        });
        prune(&mut value);
        assert_eq!(
            value,
            json!({
                "name": "n", "sum": 0.0,
                "attributes": [
                    {"key": "a", "value": {"stringValue": ""}},
                    {"key": "b", "value": {"boolValue": false}},
                    {"key": "c", "value": {"arrayValue": {"values": []}}},
                ],
            })
        );
    }
}
