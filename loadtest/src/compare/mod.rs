//! The same scenario against several systems, interleaved, with ratios pair by pair.
//!
//! A machine drifts: it warms up, others work on it. So the systems take turns, A B A B, and what
//! ran one after the other is compared with each other ([`crate::figures::ratios`]).

mod rounds;
mod systems;
mod verdicts;

pub use rounds::{Rounds, interleave};
pub use systems::{choose, read_systems};
pub use verdicts::{judge, kept};
