//! Bytes and nothing else: the protobuf walk, framing, statuses. Pure: no socket, no clock.

pub mod grpc;
mod inflate;
mod response;
mod rope;
mod schema;
mod status;
mod walk;

pub use inflate::{InflateError, Inflater, gzip};
pub use response::ExportResponse;
pub use rope::Rope;
pub use status::{Status, retry_after_seconds};
pub use walk::{Malformed, inspect};
