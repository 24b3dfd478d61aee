//! Bodies that say which request they are, so that a collector knows whose data it has.

use bytes::{Buf, Bytes};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use otlp::{headers::Forwarded, signal::Signal, spool::sim::Random, wire::Message};
use prost::Message as _;

const MAGIC: u32 = 0x0b0e_5eed;
/// Magic, length and number.
const HEAD: usize = 16;

/// A body of about this length, in up to three slices.
pub fn opaque(id: u64, bytes: usize, random: &mut Random) -> Vec<Bytes> {
    let bytes = bytes.max(HEAD);
    let mut body = Vec::with_capacity(bytes);
    body.extend_from_slice(&MAGIC.to_le_bytes());
    body.extend_from_slice(&u32::try_from(bytes).unwrap().to_le_bytes());
    body.extend_from_slice(&id.to_le_bytes());
    body.resize(bytes, 0x5a);
    let body = Bytes::from(body);
    let cut = random.below(bytes);
    match random.below(3) {
        0 if cut > 0 => vec![body.slice(..cut), body.slice(cut..)],
        _ => vec![body],
    }
}

/// Spans or log records that can be thinned.
pub fn real(signal: Signal, items: u64, random: &mut Random) -> Vec<Bytes> {
    let items = 0..items;
    let body = match signal {
        Signal::Traces => {
            let spans = items.map(|_| Span {
                trace_id: [random.number(), random.number()]
                    .map(u64::to_be_bytes)
                    .concat(),
                span_id: random.number().to_be_bytes().to_vec(),
                ..Span::default()
            });
            let scope = ScopeSpans {
                spans: spans.collect(),
                ..ScopeSpans::default()
            };
            let resource = ResourceSpans {
                scope_spans: vec![scope],
                ..ResourceSpans::default()
            };
            ExportTraceServiceRequest {
                resource_spans: vec![resource],
            }
            .encode_to_vec()
        }
        _ => {
            let records = items.map(|_| LogRecord {
                severity_number: i32::try_from(random.below(25)).unwrap(),
                ..LogRecord::default()
            });
            let scope = ScopeLogs {
                log_records: records.collect(),
                ..ScopeLogs::default()
            };
            let resource = ResourceLogs {
                scope_logs: vec![scope],
                ..ResourceLogs::default()
            };
            ExportLogsServiceRequest {
                resource_logs: vec![resource],
            }
            .encode_to_vec()
        }
    };
    vec![Bytes::from(body)]
}

/// The headers that go on with a request: its number says whose it is, and some are nobody's.
pub fn headers(id: u64, tenants: u64) -> Forwarded {
    let lines = match id % (tenants + 1) {
        0 => String::new(),
        tenant => format!("x-tenant: {tenant}\r\n"),
    };
    Forwarded::parse(Bytes::from(lines)).expect("they are as they should be")
}

/// The bytes of a message.
pub fn bytes_of(message: &Message) -> Bytes {
    let mut body = message.http_body();
    body.copy_to_bytes(body.remaining())
}

/// The requests that lie in a body, one after the other and nothing else.
pub fn ids(mut body: Bytes) -> Vec<u64> {
    let mut ids = Vec::new();
    while !body.is_empty() {
        assert!(body.len() >= HEAD, "a body is cut short");
        let mut head = body.slice(..HEAD);
        assert_eq!(head.get_u32_le(), MAGIC, "bytes that no sender has sent");
        let length = usize::try_from(head.get_u32_le()).unwrap();
        let id = head.get_u64_le();
        assert!(body.len() >= length, "request {id} is cut short");
        let padding = body.split_to(length).split_off(HEAD);
        assert!(
            padding.iter().all(|byte| *byte == 0x5a),
            "request {id} is damaged"
        );
        ids.push(id);
    }
    ids
}

/// What a request's body begins with.
pub fn head(id: u64) -> [u8; 8] {
    id.to_le_bytes()
}
