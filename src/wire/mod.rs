//! Bytes and nothing else: the protobuf walk, framing, statuses. Pure: no socket, no clock.

mod schema;
mod walk;

pub use walk::{Malformed, inspect};
