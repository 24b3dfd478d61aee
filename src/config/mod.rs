//! The configuration: one schema, parsed once, from a file, the environment and defaults.

mod model;

pub use model::{
    Acknowledge, Batch, Compression, Config, Endpoint, Export, HttpVersion, Limits, Listen,
    LogFormat, LogOutput, Logging, Monitoring, Protocol, Timeouts, Validate,
};
