//! Log records.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};

use super::attributes::{any, boolean, double, int, text, texts};
use super::request::Entry;
use super::rng::Rng;
use super::shop::{BASE, OWN_SCOPE, SCOPES, Shop};

/// So many records of the instances given.
pub(super) fn generate(
    shop: &Shop,
    at: &[usize],
    count: usize,
    rng: &mut Rng,
) -> Vec<Entry<LogRecord>> {
    let mut now = BASE + rng.between(0, 60_000_000_000);
    let mut trace_id = rng.bytes(16);
    (0..count)
        .map(|_| {
            now += rng.between(1_000, 9_000_000);
            if rng.percent(30) {
                trace_id = rng.bytes(16);
            }
            let instance = *rng.pick(at);
            let mut record = record(now, shop.instances[instance].service.name, rng);
            if rng.percent(70) {
                record.trace_id.clone_from(&trace_id);
                record.span_id = rng.bytes(8);
                record.flags = 1;
            }
            Entry {
                instance,
                scope: if rng.percent(80) {
                    OWN_SCOPE
                } else {
                    rng.size(0, SCOPES - 1)
                },
                item: record,
            }
        })
        .collect()
}

fn record(now: u64, service: &str, rng: &mut Rng) -> LogRecord {
    use SeverityNumber::{Debug, Error, Fatal, Info, Warn};
    let (severity, name) = *rng.pick(&[
        (Info, "INFO"),
        (Info, "INFO"),
        (Info, "INFO"),
        (Info, "INFO"),
        (Debug, "DEBUG"),
        (Debug, "DEBUG"),
        (Warn, "WARN"),
        (Error, "ERROR"),
    ]);
    let (severity, name) = if rng.percent(1) {
        (Fatal, "FATAL")
    } else {
        (severity, name)
    };
    let structured = rng.percent(15);
    LogRecord {
        time_unix_nano: now,
        observed_time_unix_nano: now + rng.between(20_000, 4_000_000),
        severity_number: severity.into(),
        severity_text: name.to_owned(),
        body: Some(if structured {
            structured_body(rng)
        } else {
            any(Value::StringValue(body(rng)))
        }),
        attributes: attributes(service, rng),
        event_name: if structured {
            "shop.order.changed".to_owned()
        } else {
            String::new()
        },
        ..LogRecord::default()
    }
}

/// 80 to 400 bytes of text.
fn body(rng: &mut Rng) -> String {
    let length = rng.size(80, 400);
    let mut text = String::with_capacity(length + 80);
    while text.len() < length {
        if !text.is_empty() {
            text.push_str("; ");
        }
        let id = rng.hex(8);
        let amount = rng.between(1, 5_000);
        text.push_str(&match rng.size(0, 6) {
            0 => format!("order O-{id} accepted, {amount} items reserved at warehouse FRA-2"),
            1 => format!(
                "request {id} took {amount} ms, of which {} ms waiting",
                amount / 3
            ),
            2 => format!("retrying charge {id} after attempt {}", amount % 5 + 1),
            3 => format!("cache miss for product {amount}, reading from the database"),
            4 => format!(
                "connection to 10.3.7.{} closed by peer: broken pipe",
                amount % 250
            ),
            5 => format!(
                "consumer lag is {amount} messages on partition {}",
                amount % 12
            ),
            _ => format!("session {id} of customer {amount} renewed"),
        });
    }
    text.truncate(length);
    text
}

fn structured_body(rng: &mut Rng) -> AnyValue {
    any(Value::KvlistValue(KeyValueList {
        values: vec![
            double("amount", rng.thousandths(990, 400_000)),
            text("currency", "EUR"),
            text("order", format!("O-{}", rng.hex(8))),
            text(
                "state",
                *rng.pick(&["placed", "paid", "packed", "shipped", "returned"]),
            ),
            texts(
                "warehouses",
                &["FRA-2", *rng.pick(&["FRA-3", "MUC-1", "HAM-4"])],
            ),
        ],
    }))
}

fn attributes(service: &str, rng: &mut Rng) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("code.file.path", format!("src/{service}/handlers.rs")),
        int("code.line.number", rng.int(12, 1_400)),
        text("log.logger", format!("shop.{service}.handlers")),
        int("thread.id", rng.int(1, 64)),
    ];
    if rng.percent(50) {
        attributes.push(text("enduser.id", format!("c-{}", rng.hex(10))));
    }
    if rng.percent(30) {
        attributes.push(boolean("shop.customer.returning", rng.percent(60)));
    }
    if rng.percent(30) {
        attributes.push(double("shop.elapsed", rng.thousandths(1, 90_000)));
    }
    attributes
}
