//! Bytes and nothing else: the protobuf walk, thinning, framing, statuses, compression. Pure: no
//! socket, no clock.

mod compress;
pub mod grpc;
mod message;
mod response;
mod rope;
mod schema;
mod splice;
mod status;
mod thin;
mod walk;

pub use compress::{Packer, SCRATCH_BYTES_KEPT, UnpackError, Unpacker, WINDOW_LOG_MAX};
pub use message::Message;
pub use response::ExportResponse;
pub use rope::Rope;
pub use status::{Status, retry_after_seconds};
pub use thin::{Thinned, Threshold, thin_logs, thin_traces};
pub use walk::{Malformed, inspect, inspect_whole};
