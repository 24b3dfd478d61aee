//! What spans are of: their names and attributes, by the semantic conventions.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::super::attributes::{boolean, bytes, double, int, map, text, texts};
use super::super::rng::Rng;
use super::super::shop::{SERVICES, Service};

/// A span's kind, name and attributes.
type Described = (SpanKind, String, Vec<KeyValue>);

pub(super) fn serve(service: &Service, failed: bool, rng: &mut Rng) -> Described {
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

pub(super) fn call(failed: bool, rng: &mut Rng) -> Described {
    let service = rng.pick(&SERVICES);
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

pub(super) fn query(service: &Service, failed: bool, rng: &mut Rng) -> Described {
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

pub(super) fn message(kind: SpanKind, rng: &mut Rng) -> Described {
    let topic = *rng.pick(&[
        "orders.placed",
        "orders.paid",
        "stock.changed",
        "emails.due",
    ]);
    let name = if kind == SpanKind::Producer {
        "send"
    } else {
        "process"
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

pub(super) fn compute(rng: &mut Rng) -> Described {
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

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    "shop-ios/7.4.1 (iPhone; iOS 19.1)",
    "shop-android/7.3.9 (Android 16)",
];
