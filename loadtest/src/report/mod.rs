//! Results as people read them: a closing summary for the terminal, a page, a table.
//!
//! Everything here is a pure function of [`crate::results`]; what is computed of them is in
//! [`crate::figures`]. The page needs no network and no script.

mod format;
mod judged;
mod layout;
mod load;
mod markdown;
mod page;
mod plot;
mod rows;
mod screen;
mod summary;
mod warnings;

pub use load::{Unreadable, merge, parse};
pub use markdown::markdown;
pub use page::page;
pub use screen::Screen;
pub use summary::summary;
