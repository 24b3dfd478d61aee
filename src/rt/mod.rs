//! The runtime seam: spawn, sleep, sockets, files, blocking work, the clock.
//!
//! The only room that names the runtime. Everything here works on the executor of the calling
//! thread and stays on it: nothing is `Send`, nothing is locked. A second runtime stands behind
//! the same names.

mod clock;
mod executor;
mod file;
mod notify;
mod preflight;
mod tcp;
mod worker;

#[cfg(test)]
mod tests;

/// What of the runtime's own log is worth a line: it warns of registered buffers, which sockets do
/// not use, once a thread for every user but root.
pub const LOG_LEVEL: &str = "glommio=error";

pub use clock::{Elapsed, now, sleep, timeout, unix_time};
pub use executor::{Thread, ThreadOptions, blocking, resolve, spawn, start, yield_now};
pub use file::{Access, BLOCK_BYTES, File, FileWriter, aligned};
pub use notify::Notify;
pub use preflight::{NoRuntime, preflight};
pub use tcp::{Room, TcpListener, TcpStream};
pub use worker::Worker;
