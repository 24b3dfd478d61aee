//! Rows: where data goes and how.

use super::{ms, secs, size, word};
use crate::{
    config::{
        model::{HttpVersion, Protocol},
        schema::{KEY, Key, Kind, Section, Words},
    },
    encoding::Encoding,
    signal::Signal,
};

pub(super) const NO_JSON: (&str, &str) = (
    "http/json",
    "data is forwarded as it is received, in binary protobuf, and never turned into JSON",
);

pub(super) const COLLECTORS: Section = Section {
    title: "Collectors",
    keys: &[
        Key {
            path: "endpoint",
            kind: Kind::Urls(|draft, urls| draft.urls = urls),
            example: "http://collector:4317",
            doc: "Where every signal goes that has no endpoint of its own. With several, each \
                  batch goes to one of them. For OTLP/HTTP the path of the signal is appended \
                  (/v1/traces and so on). Without any endpoint the process prints what it receives.",
            fallbacks: &["OTEL_EXPORTER_OTLP_ENDPOINT"],
            ..KEY
        },
        Key {
            path: "traces_endpoint",
            kind: Kind::Urls(|draft, urls| draft.signal_urls[Signal::Traces.index()] = urls),
            example: "http://collector:4318/v1/traces",
            doc: "Where traces go instead. For OTLP/HTTP the URL is used as it is, path included.",
            fallbacks: &["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
            ..KEY
        },
        Key {
            path: "metrics_endpoint",
            kind: Kind::Urls(|draft, urls| draft.signal_urls[Signal::Metrics.index()] = urls),
            example: "http://collector:4318/v1/metrics",
            doc: "Where metrics go instead; see traces_endpoint.",
            fallbacks: &["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"],
            ..KEY
        },
        Key {
            path: "logs_endpoint",
            kind: Kind::Urls(|draft, urls| draft.signal_urls[Signal::Logs.index()] = urls),
            example: "http://collector:4318/v1/logs",
            doc: "Where logs go instead; see traces_endpoint.",
            fallbacks: &["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"],
            ..KEY
        },
        Key {
            path: "profiles_endpoint",
            kind: Kind::Urls(|draft, urls| draft.signal_urls[Signal::Profiles.index()] = urls),
            example: "http://collector:4318/v1development/profiles",
            doc: "Where profiles go instead; see traces_endpoint.",
            fallbacks: &["OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT"],
            ..KEY
        },
        Key {
            path: "protocol",
            kind: Kind::Choice {
                words: &[
                    ("grpc", |draft| draft.protocol = Some(Protocol::Grpc)),
                    ("http/protobuf", |draft| {
                        draft.protocol = Some(Protocol::HttpProtobuf);
                    }),
                ],
                refused: &[NO_JSON],
            },
            example: "grpc",
            doc: "What is spoken with the collectors. When it is not set, the port of each URL \
                  decides: 4318 is http/protobuf, every other port is grpc.",
            fallbacks: &["OTEL_EXPORTER_OTLP_PROTOCOL"],
            ..KEY
        },
        signal_protocol(
            "traces_protocol",
            "What is spoken for traces instead of protocol.",
            &[
                ("grpc", |d| d.signal_protocols[0] = Some(Protocol::Grpc)),
                ("http/protobuf", |d| {
                    d.signal_protocols[0] = Some(Protocol::HttpProtobuf);
                }),
            ],
            &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"],
        ),
        signal_protocol(
            "metrics_protocol",
            "What is spoken for metrics instead of protocol.",
            &[
                ("grpc", |d| d.signal_protocols[1] = Some(Protocol::Grpc)),
                ("http/protobuf", |d| {
                    d.signal_protocols[1] = Some(Protocol::HttpProtobuf);
                }),
            ],
            &["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"],
        ),
        signal_protocol(
            "logs_protocol",
            "What is spoken for logs instead of protocol.",
            &[
                ("grpc", |d| d.signal_protocols[2] = Some(Protocol::Grpc)),
                ("http/protobuf", |d| {
                    d.signal_protocols[2] = Some(Protocol::HttpProtobuf);
                }),
            ],
            &["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"],
        ),
        signal_protocol(
            "profiles_protocol",
            "What is spoken for profiles instead of protocol.",
            &[
                ("grpc", |d| d.signal_protocols[3] = Some(Protocol::Grpc)),
                ("http/protobuf", |d| {
                    d.signal_protocols[3] = Some(Protocol::HttpProtobuf);
                }),
            ],
            &["OTEL_EXPORTER_OTLP_PROFILES_PROTOCOL"],
        ),
        Key {
            path: "http_version",
            kind: Kind::Choice {
                words: &[
                    ("1.1", |draft| draft.http_version = HttpVersion::Http1),
                    ("2", |draft| draft.http_version = HttpVersion::Http2),
                ],
                refused: &[],
            },
            default: "1.1",
            doc: "The HTTP version for http/protobuf; 2 is spoken with prior knowledge. gRPC is \
                  always HTTP/2.",
            ..KEY
        },
    ],
};

const fn signal_protocol(
    path: &'static str,
    doc: &'static str,
    words: Words,
    fallbacks: &'static [&'static str],
) -> Key {
    Key {
        path,
        kind: Kind::Choice {
            words,
            refused: &[NO_JSON],
        },
        example: "http/protobuf",
        doc,
        fallbacks,
        ..KEY
    }
}

pub(super) const SENDING: Section = Section {
    title: "Sending",
    keys: &[
        Key {
            path: "headers",
            kind: Kind::Headers(|draft, headers| draft.config.export.headers = headers),
            example: "x-tenant=a",
            doc: "Headers of every request to a collector. In a variable: name=value,name2=value2, \
                  values percent-encoded.",
            fallbacks: &["OTEL_EXPORTER_OTLP_HEADERS"],
            secret: true,
            ..KEY
        },
        Key {
            path: "forward_headers",
            kind: Kind::HeaderNames(|draft, names| draft.config.forward_headers = names),
            example: "x-scope-orgid",
            doc: "Headers of a sender's request that go on with it, such as the one that names its \
                  tenant. Only requests with the same values share a batch. Where headers has the \
                  same name, its value is sent and not the sender's. Headers that the forwarder \
                  itself writes (content-type, te, host, grpc-timeout and so on) cannot be named; \
                  authorization can, and is then kept in the spool as well.",
            cost: "A batch for each set of values: name headers that have few, not one that differs \
                   with each request. limits.header_sets bounds their number. The headers named \
                   here take up to 8 KiB of a request, and are refused beyond it.",
            ..KEY
        },
        Key {
            path: "compression",
            kind: Kind::Choice {
                words: &[
                    ("none", |draft| {
                        draft.config.export.compression = Encoding::Identity;
                    }),
                    ("gzip", |draft| {
                        draft.config.export.compression = Encoding::Gzip;
                    }),
                    ("zstd", |draft| {
                        draft.config.export.compression = Encoding::Zstd;
                    }),
                ],
                refused: &[],
            },
            default: "none",
            doc: "Compression of what is sent. A request that comes in this very compression is \
                  inflated once, to prove and to count it, and its bytes go on unchanged, as a \
                  request of its own; every other request is merged with others and compressed.",
            cost: "gzip takes several times the processor time of everything else together, zstd \
                   half of gzip's and saves more; both on the core of the connection. A sender \
                   that compresses the same way spares it: unpacking costs half of compressing \
                   or less.",
            fallbacks: &["OTEL_EXPORTER_OTLP_COMPRESSION"],
            ..KEY
        },
        Key {
            path: "compression_level",
            kind: Kind::Integer {
                min: 1,
                max: 19,
                set: |draft, n| draft.compression_level = Some(word(n)),
            },
            example: "1",
            doc: "How hard compression tries: gzip 1 to 9, zstd 1 to 19. When it is not set: \
                  gzip 1, zstd 1.",
            cost: "Processor time; docs/benchmarks.md has it for each level, with what it saves.",
            ..KEY
        },
        Key {
            path: "merge_compressed",
            kind: Kind::Urls(|draft, urls| draft.merge_urls = urls),
            example: "http://collector:4317",
            doc: "Collectors that read every gzip member or zstd frame of a body, as their URLs \
                  stand in the endpoint keys. Requests that come in the compression that is sent \
                  are then joined into larger ones without being unpacked, for signals all of whose \
                  collectors are listed. The OpenTelemetry Collector reads every member; many \
                  others read the first alone and would lose the rest without an error.",
            cost: "Larger requests cost the collector less for each item. A collector that is \
                   listed wrongly loses data.",
            ..KEY
        },
        Key {
            path: "connection_pool_size",
            kind: Kind::Integer {
                min: 1,
                max: 1024,
                set: |draft, n| draft.config.export.connection_pool_size = Some(size(n)),
            },
            example: "4",
            unit: "connections",
            doc: "Connections that each core keeps to each collector at the most. When it is not set, \
                  4 over HTTP/2, where each carries many requests, and max_concurrent_requests over \
                  HTTP/1.1, where each carries one.",
            cost: "A socket and its buffers for each, here and at the collector: cores × \
                   collectors × this many.",
            ..KEY
        },
        Key {
            path: "max_concurrent_requests",
            kind: Kind::Integer {
                min: 1,
                max: 65_536,
                set: |draft, n| draft.config.export.max_concurrent_requests = size(n),
            },
            default: "16",
            unit: "requests",
            doc: "Requests in flight from each core to each collector at the most. Over HTTP/2, sixteen \
                  compressed requests that go on as they came count as one.",
            cost: "Each holds a batch in memory, up to batch_bytes, until it is answered.",
            ..KEY
        },
    ],
};

pub(super) const TIMEOUTS: Section = Section {
    title: "Timeouts towards collectors",
    keys: &[
        Key {
            path: "timeout.connect_timeout",
            kind: Kind::Duration {
                min: ms(1),
                max: secs(300),
                set: |draft, time| draft.config.export.timeouts.connect = time,
            },
            default: "5s",
            doc: "From the first address tried to an open connection.",
            ..KEY
        },
        Key {
            path: "timeout.read_timeout",
            kind: Kind::Duration {
                min: ms(1),
                max: secs(3600),
                set: |draft, time| draft.config.export.timeouts.read = time,
            },
            default: "30s",
            doc: "Without a byte from a collector that owes an answer.",
            ..KEY
        },
        Key {
            path: "timeout.write_timeout",
            kind: Kind::Duration {
                min: ms(1),
                max: secs(3600),
                set: |draft, time| draft.config.export.timeouts.write = time,
            },
            default: "30s",
            doc: "Without progress in sending to a collector.",
            ..KEY
        },
        Key {
            path: "timeout.operation_timeout",
            alias: Some("timeout"),
            kind: Kind::Duration {
                min: ms(1),
                max: secs(3600),
                set: |draft, time| draft.config.export.timeouts.operation = time,
            },
            default: "60s",
            doc: "From the seal of a batch to its answer. The short form is timeout = \"60s\"; where \
                  one place sets both, this longer name wins.",
            cost: "While a collector is silent, what waits for it stays in memory this long.",
            fallbacks: &["OTEL_EXPORTER_OTLP_TIMEOUT"],
            ..KEY
        },
    ],
};
