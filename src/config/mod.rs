//! The configuration: one schema, parsed once, from a file, the environment and defaults.

mod collectors;
mod compression;
mod draft;
mod environment;
mod file;
mod headers;
mod keys;
mod ladder;
mod load;
mod model;
mod otel;
mod problem;
mod read;
mod read_many;
mod schema;
mod shown;
mod source;
mod state;
mod substitute;
mod suggest;
mod template;
mod toml_file;
mod tree;
mod units;
mod url;
mod yaml_file;

#[cfg(test)]
#[path = "docs_tests.rs"]
mod docs;

pub use environment::Environment;
pub use load::{LoadOptions, Loaded, Setting, load};
pub use model::{
    Acknowledge, Batch, CircuitBreaker, Config, Degradation, Endpoint, Export, HealthCheck,
    HttpVersion, Limits, Listen, LogFormat, LogOutput, Logging, Monitoring, OnFull, Protocol,
    ReplayOrder, Retry, RetryableErrors, Spool, Timeouts, Validate,
};
pub use problem::{Complaint, Errors, Problem};
pub use schema::{Key, State};
pub use shown::Shown;
pub use source::{Origin, Place};
pub use template::template;
pub use units::{parse_duration, show_duration};
