//! Builds realistic, distinct telemetry whose every item can be recognised, and reads it back.
//!
//! # Building
//!
//! [`Payloads`] makes export requests of an imagined online shop: twelve services with several
//! instances each, traces that cross them, metrics of every kind, logs that belong to traces. A
//! pool of requests is drawn from a seed and encoded once; [`Payloads::next`] copies one and writes
//! the ids and checksums into it. The same [`Workload`] gives the same bytes everywhere.
//!
//! An item is a span, a data point or a log record. Each carries, last among its attributes,
//! `loadtest.id`: twelve bytes, its [`ItemId`] and a CRC32C, both big-endian. The checksum covers
//! the item's place (the resource, scope and metric that it is under, schema URLs included) and
//! then the item's own protobuf encoding with the four bytes of the checksum zero.
//!
//! # Reading
//!
//! [`inspect`] counts the items of a request, and by [`Level`] collects their ids and verifies
//! their checksums. An item counts as altered when its meaning differs from what was sent, not when
//! only its encoding does. What a forwarder may do when it encodes anew:
//!
//! - put fields in another order, or repeat a singular field whose last value is the one sent;
//! - put attributes in another order (of resource, scope, item, event, link, exemplar, or a map);
//! - write varints longer than needed, write default values out, or pack or unpack numbers;
//! - write out a status, a value or buckets that hold nothing, or leave them out;
//! - add fields that the schema does not know, which reading drops;
//! - group items differently: split, merge and reorder requests, resources, scopes and metrics, as
//!   long as each item stays under an equal resource, scope and metric;
//! - translate between protobuf and JSON.
//!
//! Anything else counts: a value changed, an attribute, event or link added, dropped or (events,
//! links, buckets, array elements) reordered, an item moved under another resource, scope or metric,
//! text or numbers cut.

mod attributes;
mod canonical;
mod id;
mod inspect;
mod json;
mod logs;
mod metrics;
mod payloads;
mod place;
mod raw;
mod request;
mod rng;
mod shop;
mod signal;
mod spans;
mod template;

pub use id::ItemId;
pub use inspect::{Count, Found, Level, Undecodable, inspect};
pub use payloads::{Payload, Payloads, Workload};
pub(crate) use rng::Rng;
pub use signal::{Encoding, Mix, Signal};
