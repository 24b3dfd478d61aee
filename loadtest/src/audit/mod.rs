//! Acknowledged against arrived, item by item.
//!
//! Each sender keeps an [`Acknowledged`]: what it was promised of the items that it gave out. A
//! collector keeps [`Arrivals`]: what came. Both save to a file, and [`compare`] finds what is lost,
//! duplicated, altered, foreign, or came unpromised. An item is acknowledged once any attempt at it
//! is accepted, whatever came of the others.

mod acknowledged;
mod arrivals;
mod compare;
mod file;

pub use acknowledged::Acknowledged;
pub use arrivals::Arrivals;
pub use compare::compare;
