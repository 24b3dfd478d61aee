//! One test from a file: what is started, how it is loaded, how it is judged.
//!
//! A file names the system under test, the collector behind it, one or several senders, events on
//! the run's clock, and objectives. [`execute`] makes one measured run of it.

mod accounts;
mod control;
mod event;
mod execute;
mod file;
mod honesty;
mod load;
mod places;
mod slo;
mod stage;
mod system;
mod units;

pub(crate) use control::Control;
pub use event::{Action, Event};
pub use execute::{Plan, execute};
pub use file::{Collector, Scenario};
pub use load::Load;
pub use places::Places;
pub use slo::Slo;
pub use system::{Presets, System};
