//! The parts of the example: who plays, and the story.

mod collector;
mod forwarder;
mod screen;
mod sender;
pub mod story;

/// Anything that keeps the example from running.
type Failure = Box<dyn std::error::Error>;
