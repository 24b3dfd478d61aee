//! Spans: traces that cross the shop's services.

mod operations;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::attributes::{int, text};
use super::request::Entry;
use super::rng::Rng;
use super::shop::{BASE, OWN_SCOPE, Service, Shop};

const MILLISECOND: u64 = 1_000_000;

/// Most spans of one trace.
const LONGEST: usize = 12;

/// What a span is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Serve,
    Call,
    Query,
    Publish,
    Consume,
    Compute,
}

/// A span of a trace in the making.
struct Node {
    instance: usize,
    operation: Operation,
    span_id: Vec<u8>,
    parent: Option<usize>,
    start: u64,
    end: u64,
}

/// So many spans, in traces, at the instances given.
pub(super) fn generate(shop: &Shop, at: &[usize], count: usize, rng: &mut Rng) -> Vec<Entry<Span>> {
    let mut spans: Vec<Entry<Span>> = Vec::with_capacity(count);
    while spans.len() < count {
        let length = rng.size(3, LONGEST).min(count - spans.len());
        let earlier = spans.last().map(|entry| entry.item.clone());
        let trace_id = rng.bytes(16);
        let nodes = trace(at, length, rng);
        for node in &nodes {
            let service = shop.instances[node.instance].service;
            let mut span = span(node, service, rng);
            span.trace_id.clone_from(&trace_id);
            span.parent_span_id = match node.parent {
                Some(parent) => nodes[parent].span_id.clone(),
                // A trace begins here, or at a caller whose spans are exported elsewhere.
                None if rng.percent(50) => rng.bytes(8),
                None => Vec::new(),
            };
            if node.operation == Operation::Consume {
                span.links
                    .extend(earlier.as_ref().map(|produced| link(produced, rng)));
            }
            spans.push(Entry {
                instance: node.instance,
                scope: scope(node.operation),
                item: span,
            });
        }
    }
    spans
}

fn scope(operation: Operation) -> usize {
    match operation {
        Operation::Serve | Operation::Call => 0,
        Operation::Query | Operation::Publish | Operation::Consume => 1,
        Operation::Compute => OWN_SCOPE,
    }
}

/// The shape of a trace: who called whom, when.
fn trace(at: &[usize], length: usize, rng: &mut Rng) -> Vec<Node> {
    use Operation::{Call, Compute, Consume, Publish, Query, Serve};
    let start = BASE + rng.between(0, 60_000 * MILLISECOND);
    let mut nodes = vec![Node {
        instance: *rng.pick(at),
        operation: if rng.percent(15) { Consume } else { Serve },
        span_id: rng.bytes(8),
        parent: None,
        start,
        end: start + rng.between(5 * MILLISECOND, 400 * MILLISECOND),
    }];
    while nodes.len() < length {
        let parent = rng.size(nodes.len().saturating_sub(4), nodes.len() - 1);
        let above = &nodes[parent];
        let (instance, operation) = match above.operation {
            Call => (*rng.pick(at), Serve),
            _ => (
                above.instance,
                *rng.pick(&[Call, Call, Query, Query, Publish, Compute]),
            ),
        };
        // Within the parent's time, as spans of synchronous calls are.
        let quarter = (above.end - above.start) / 4;
        let start = above.start + rng.between(0, quarter);
        let node = Node {
            instance,
            operation,
            span_id: rng.bytes(8),
            parent: Some(parent),
            start,
            end: start + quarter + rng.between(0, quarter),
        };
        nodes.push(node);
    }
    nodes
}

fn span(node: &Node, service: &Service, rng: &mut Rng) -> Span {
    let failed = rng.percent(6);
    let (kind, name, mut attributes) = match node.operation {
        Operation::Serve => operations::serve(service, failed, rng),
        Operation::Call => operations::call(failed, rng),
        Operation::Query => operations::query(service, failed, rng),
        Operation::Publish => operations::message(SpanKind::Producer, rng),
        Operation::Consume => operations::message(SpanKind::Consumer, rng),
        Operation::Compute => operations::compute(rng),
    };
    attributes.push(thread(rng));
    let mut events = Vec::new();
    if failed {
        attributes.push(text("error.type", "deadline_exceeded"));
        events.push(exception(node, rng));
    } else if rng.percent(20) {
        events.push(milestone(node, rng));
    }
    Span {
        span_id: node.span_id.clone(),
        trace_state: if rng.percent(10) {
            "shop=t61rcWkgMzE".into()
        } else {
            String::new()
        },
        flags: if node.parent.is_some() { 0x101 } else { 0x301 },
        name,
        kind: kind.into(),
        start_time_unix_nano: node.start,
        end_time_unix_nano: node.end,
        attributes,
        events,
        status: status(failed, rng),
        ..Span::default()
    }
}

fn thread(rng: &mut Rng) -> KeyValue {
    int("thread.id", rng.int(1, 64))
}

fn status(failed: bool, rng: &mut Rng) -> Option<Status> {
    let (code, message) = match failed {
        true => (StatusCode::Error, "upstream request timed out"),
        false if rng.percent(20) => (StatusCode::Ok, ""),
        false => return None,
    };
    Some(Status {
        message: message.to_owned(),
        code: code.into(),
    })
}

fn exception(node: &Node, rng: &mut Rng) -> Event {
    Event {
        time_unix_nano: rng.between(node.start, node.end),
        name: "exception".to_owned(),
        attributes: vec![
            text(
                "exception.message",
                "context deadline exceeded while awaiting headers",
            ),
            text(
                "exception.stacktrace",
                "at send (client.rs:211)\nat charge (payment.rs:64)",
            ),
            text("exception.type", "TimeoutError"),
        ],
        ..Event::default()
    }
}

fn milestone(node: &Node, rng: &mut Rng) -> Event {
    Event {
        time_unix_nano: rng.between(node.start, node.end),
        name: (*rng.pick(&["cache.miss", "retry", "lock.acquired"])).to_owned(),
        attributes: vec![int("shop.attempt", rng.int(1, 3))],
        ..Event::default()
    }
}

fn link(to: &Span, rng: &mut Rng) -> Link {
    Link {
        trace_id: to.trace_id.clone(),
        span_id: to.span_id.clone(),
        attributes: vec![int("messaging.batch.index", rng.int(0, 20))],
        flags: 0x301,
        ..Link::default()
    }
}
