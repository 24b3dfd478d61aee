//! Spans: traces that cross the shop's services.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::attributes::{boolean, bytes, double, int, map, text, texts};
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
        Operation::Serve => serve(service, failed, rng),
        Operation::Call => call(failed, rng),
        Operation::Query => query(service, failed, rng),
        Operation::Publish | Operation::Consume => message(node.operation, rng),
        Operation::Compute => compute(rng),
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

type Described = (SpanKind, String, Vec<KeyValue>);

fn serve(service: &Service, failed: bool, rng: &mut Rng) -> Described {
    let route = *rng.pick(service.routes);
    if !route.starts_with('/') {
        let method = format!("shop.{}.v1/{route}", service.name);
        return (SpanKind::Server, method, rpc(service.name, route, failed));
    }
    let method = *rng.pick(&["GET", "GET", "GET", "POST", "PUT"]);
    let attributes = vec![
        text("client.address", address(rng)),
        text("http.request.method", method),
        int("http.response.status_code", http_status(failed, rng)),
        text("http.route", route),
        text("network.protocol.version", "1.1"),
        text("server.address", "shop.example"),
        text(
            "url.path",
            route.replace("{id}", &rng.between(1, 90_000).to_string()),
        ),
        text("user_agent.original", *rng.pick(&AGENTS)),
    ];
    (SpanKind::Server, format!("{method} {route}"), attributes)
}

fn call(failed: bool, rng: &mut Rng) -> Described {
    let service = rng.pick(&super::shop::SERVICES);
    let route = *rng.pick(service.routes);
    if !route.starts_with('/') {
        let method = format!("shop.{}.v1/{route}", service.name);
        return (SpanKind::Client, method, rpc(service.name, route, failed));
    }
    let method = *rng.pick(&["GET", "GET", "POST"]);
    let mut attributes = vec![
        text("http.request.method", method),
        int("http.response.status_code", http_status(failed, rng)),
        text("network.peer.address", address(rng)),
        text("server.address", format!("{}.shop.svc", service.name)),
        int("server.port", 8080),
        text(
            "url.full",
            format!("http://{}.shop.svc:8080{route}", service.name),
        ),
    ];
    if rng.percent(30) {
        attributes.push(texts(
            "http.request.header.accept",
            &["application/json", "*/*"],
        ));
    }
    (SpanKind::Client, method.to_owned(), attributes)
}

fn rpc(service: &str, method: &str, failed: bool) -> Vec<KeyValue> {
    vec![
        int("rpc.grpc.status_code", if failed { 4 } else { 0 }),
        text("rpc.method", method),
        text("rpc.service", format!("shop.{service}.v1.{service}")),
        text("rpc.system", "grpc"),
        text("server.address", format!("{service}.shop.svc")),
        int("server.port", 50_051),
    ]
}

fn query(service: &Service, failed: bool, rng: &mut Rng) -> Described {
    let Service {
        database, table, ..
    } = service;
    let operation = *rng.pick(&["SELECT", "SELECT", "INSERT", "UPDATE"]);
    let statement = match operation {
        "SELECT" => format!("SELECT * FROM {table} WHERE id = $1"),
        "INSERT" => format!("INSERT INTO {table} VALUES ($1, $2)"),
        _ => format!("UPDATE {table} SET state = $2 WHERE id = $1"),
    };
    let attributes = vec![
        text("db.collection.name", *table),
        text("db.operation.name", operation),
        text("db.query.text", statement),
        int(
            "db.response.returned_rows",
            if failed { 0 } else { rng.int(0, 200) },
        ),
        text("db.system.name", *database),
        text("server.address", format!("{database}-0.data.svc")),
        boolean("shop.cache.hit", rng.percent(40)),
    ];
    (SpanKind::Client, format!("{operation} {table}"), attributes)
}

fn message(operation: Operation, rng: &mut Rng) -> Described {
    let topic = *rng.pick(&[
        "orders.placed",
        "orders.paid",
        "stock.changed",
        "emails.due",
    ]);
    let (kind, name) = match operation {
        Operation::Publish => (SpanKind::Producer, "send"),
        _ => (SpanKind::Consumer, "process"),
    };
    let attributes = vec![
        text("messaging.destination.name", topic),
        text(
            "messaging.destination.partition.id",
            rng.between(0, 11).to_string(),
        ),
        int("messaging.kafka.offset", rng.int(1_000_000, 90_000_000)),
        bytes("messaging.kafka.message.key", rng.bytes(12)),
        int("messaging.message.body.size", rng.int(120, 9_000)),
        text("messaging.operation.type", name),
        text("messaging.system", "kafka"),
        text(
            "server.address",
            format!("kafka-{}.data.svc", rng.between(0, 4)),
        ),
    ];
    (kind, format!("{name} {topic}"), attributes)
}

fn compute(rng: &mut Rng) -> Described {
    let function = *rng.pick(&[
        "price_cart",
        "apply_vouchers",
        "pick_warehouse",
        "render_email",
    ]);
    let attributes = vec![
        text("code.function.name", function),
        int("code.line.number", rng.int(20, 900)),
        text("shop.currency", *rng.pick(&["EUR", "EUR", "USD", "SEK"])),
        boolean("shop.customer.returning", rng.percent(60)),
        map(
            "shop.order",
            vec![
                text("id", format!("O-{}", rng.hex(8))),
                int("items", rng.int(1, 14)),
            ],
        ),
        double("shop.order.value", rng.thousandths(1_990, 900_000)),
        texts(
            "shop.vouchers",
            &["SPRING26", *rng.pick(&["WELCOME", "LOYAL", "FREESHIP"])],
        ),
    ];
    (SpanKind::Internal, function.to_owned(), attributes)
}

fn thread(rng: &mut Rng) -> KeyValue {
    int("thread.id", rng.int(1, 64))
}

fn http_status(failed: bool, rng: &mut Rng) -> i64 {
    if failed {
        *rng.pick(&[500, 503, 504])
    } else {
        *rng.pick(&[200, 200, 200, 201, 204, 304, 404])
    }
}

fn address(rng: &mut Rng) -> String {
    format!("10.3.{}.{}", rng.between(0, 255), rng.between(1, 254))
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

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    "shop-ios/7.4.1 (iPhone; iOS 19.1)",
    "shop-android/7.3.9 (Android 16)",
];
