//! gRPC's statuses, as both ends of the load test know them: codes, and the delays of refusals.

mod code;
pub(crate) mod status;

pub use code::Code;
pub(crate) use status::Status;
