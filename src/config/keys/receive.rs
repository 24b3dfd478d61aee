//! Rows: what is received, how it is batched, and what an OK means.

use super::{ms, secs, size, word};
use crate::config::{
    model::{Acknowledge, Validate},
    schema::{KEY, Key, Kind, Section},
};

pub(super) const BATCHES: Section = Section {
    title: "Batches",
    keys: &[
        Key {
            path: "batch_size",
            kind: Kind::Integer {
                min: 1,
                max: 1_000_000,
                set: |draft, n| draft.config.batch.items_max = n,
            },
            default: "8192",
            unit: "items",
            doc: "A batch is sent when it holds this many spans, data points or log records. A \
                  request is never cut: one that is larger goes on its own.",
            cost: "Larger batches cost the collector less for each item and hold more memory here.",
            ..KEY
        },
        Key {
            path: "batch_bytes",
            kind: Kind::Bytes {
                min: 1 << 10,
                max: 64 << 20,
                set: |draft, n| draft.config.batch.bytes_max = size(n),
            },
            default: "256KiB",
            doc: "A batch is sent when it holds this many bytes. It cannot be over \
                  limits.request_bytes. Many collectors refuse more than 4 MiB over gRPC.",
            cost: "Memory: this much for each open batch, one for each signal and core (and set of \
                   forward_headers), and for each request in flight. What fits the cache of a core costs least CPU \
                   (docs/benchmarks.md).",
            ..KEY
        },
        Key {
            path: "flush_interval",
            kind: Kind::Duration {
                min: ms(1),
                max: secs(60),
                set: |draft, time| draft.config.batch.flush_interval = time,
            },
            default: "200ms",
            doc: "The longest that a request waits in an open batch. A batch goes earlier when it is \
                  full or when a collector's connection is free.",
            cost: "With acknowledge = \"delivered\" a sender may wait this long on top of the \
                   collector's answer.",
            ..KEY
        },
    ],
};

pub(super) const PROMISE: Section = Section {
    title: "What an OK means",
    keys: &[
        Key {
            path: "acknowledge",
            kind: Kind::Choice {
                words: &[
                    ("delivered", |draft| {
                        draft.config.acknowledge = Acknowledge::Delivered;
                    }),
                    ("stored", |draft| {
                        draft.config.acknowledge = Acknowledge::Stored;
                    }),
                    ("queued", |draft| {
                        draft.config.acknowledge = Acknowledge::Queued;
                    }),
                ],
                refused: &[],
            },
            default: "delivered",
            doc: "When a sender hears OK. delivered: a collector has accepted the data. stored: the \
                  data is on this machine's disk, written and synced, in spool.directory. queued: \
                  the data is in this process's memory.",
            cost: "delivered makes the sender wait for the collector; stored makes it wait for the \
                   disk, and every byte is written; queued loses what is in memory when the process \
                   dies.",
            ..KEY
        },
        Key {
            path: "validate",
            kind: Kind::Choice {
                words: &[
                    ("items", |draft| draft.config.validate = Validate::Items),
                    ("full", |draft| draft.config.validate = Validate::Full),
                ],
                refused: &[],
            },
            default: "items",
            doc: "How much of a request is proven before it is taken. items: the structure down to \
                  spans, data points and log records. full: every length, wire type and text.",
            cost: "full reads every byte of a request; items skips over what is inside an item.",
            ..KEY
        },
    ],
};

pub(super) const LISTEN: Section = Section {
    title: "Ports",
    keys: &[
        Key {
            path: "listen.grpc",
            kind: Kind::Address(|draft, address| draft.config.listen.grpc = address),
            default: "127.0.0.1:4317",
            doc: "Where senders connect for gRPC; OTLP/HTTP is served here too.",
            ..KEY
        },
        Key {
            path: "listen.http",
            kind: Kind::Address(|draft, address| draft.config.listen.http = address),
            default: "127.0.0.1:4318",
            doc: "Where senders connect for OTLP/HTTP; gRPC is served here too.",
            ..KEY
        },
        Key {
            path: "listen.admin",
            kind: Kind::Address(|draft, address| draft.config.listen.admin = address),
            default: "127.0.0.1:8080",
            doc: "Health, metrics and status. In a container write 0.0.0.0:8080, so that probes \
                  reach it.",
            ..KEY
        },
    ],
};

pub(super) const LIMITS: Section = Section {
    title: "Limits on senders and answers",
    keys: &[
        Key {
            path: "limits.request_bytes",
            kind: Kind::Bytes {
                min: 1 << 10,
                max: 1 << 30,
                set: |draft, n| draft.config.limits.request_bytes = size(n),
            },
            default: "64MiB",
            doc: "Bytes of one request's body at the most, both as received and inflated.",
            cost: "One request may hold this much memory.",
            ..KEY
        },
        Key {
            path: "limits.response_bytes",
            kind: Kind::Bytes {
                min: 1 << 10,
                max: 64 << 20,
                set: |draft, n| draft.config.limits.response_bytes = size(n),
            },
            default: "4MiB",
            doc: "Bytes of one collector's answer at the most.",
            ..KEY
        },
        Key {
            path: "limits.header_bytes",
            kind: Kind::Bytes {
                min: 1 << 10,
                max: 1 << 20,
                set: |draft, n| draft.config.limits.header_bytes = word(n),
            },
            default: "16KiB",
            doc: "Bytes of one request's headers at the most.",
            ..KEY
        },
        Key {
            path: "limits.header_sets",
            kind: Kind::Integer {
                min: 1,
                max: 100_000,
                set: |draft, n| draft.config.limits.header_sets = size(n),
            },
            default: "1000",
            unit: "sets",
            doc: "Different sets of values of forward_headers in use at a time at the most, in each \
                  shard. A set is in use while a request with it is being read or has no outcome \
                  yet. A request with one more is refused with a delay.",
            cost: "Up to 8 KiB for each set, besides memory_limit, and an open batch of each signal.",
            ..KEY
        },
        Key {
            path: "limits.connections",
            kind: Kind::Integer {
                min: 0,
                max: 1_000_000,
                set: |draft, n| draft.config.limits.connections = size(n),
            },
            default: "0",
            unit: "connections",
            doc: "Open connections of senders at the most, over all cores. 0: three quarters of the \
                  process's open-file limit.",
            cost: "A file descriptor and buffers for each.",
            ..KEY
        },
        Key {
            path: "limits.streams",
            kind: Kind::Integer {
                min: 1,
                max: 65_536,
                set: |draft, n| draft.config.limits.streams = word(n),
            },
            default: "256",
            unit: "calls",
            doc: "Calls in flight on one HTTP/2 connection at the most.",
            ..KEY
        },
        Key {
            path: "limits.request_timeout",
            kind: Kind::Duration {
                min: ms(100),
                max: secs(3600),
                set: |draft, time| draft.config.limits.request_timeout = time,
            },
            default: "30s",
            doc: "The longest that a request's body may take to arrive; over HTTP/1.1 its head too.",
            ..KEY
        },
        Key {
            path: "limits.idle_timeout",
            kind: Kind::Duration {
                min: secs(1),
                max: secs(86_400),
                set: |draft, time| draft.config.limits.idle_timeout = time,
            },
            default: "10m",
            doc: "The longest that a connection may stay without a call.",
            ..KEY
        },
    ],
};
