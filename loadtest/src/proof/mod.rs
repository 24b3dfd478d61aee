//! Proofs by violence: the system under test is killed again and again, or its disk is taken away
//! from under it, while senders and collector live on; at the end everything that was acknowledged
//! must have arrived.
//!
//! - [`Round`] says what happens in a round; [`rounds`] draws them from a seed. Pure.
//! - [`Report`] is what a proof found; [`Ledger`](ledger) keeps one line of each.
//! - [`kill`] makes a proof: each life of the system [`End`]s with a kill or a power cut, and what
//!   it leaves on its disk is what the next one finds.

mod disk;
mod ends;
mod forwarder;
mod kill;
pub mod ledger;
mod report;
mod round;
mod scrape;

pub use disk::can_cut;
pub use forwarder::Acknowledge;
pub use kill::{End, Kills, kill};
pub use report::Report;
pub use round::{Moment, Round, Weather, rounds};
