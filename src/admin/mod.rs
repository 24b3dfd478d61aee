//! What operators ask: whether the process lives, whether it is ready, and what it does.
//!
//! The answers are a pure function of a request's parts and of counters; the sockets are somebody
//! else's. Nothing here can reach a request of a sender.

mod answer;
mod health;
mod serve;
mod state;
mod words;

pub use answer::{PATHS, respond};
pub use health::{Health, Phase, Running};
pub use serve::serve;
pub use state::AdminState;
