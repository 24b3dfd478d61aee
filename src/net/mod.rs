//! Between the runtime's streams and the HTTP libraries: gathered I/O and socket options.
//!
//! The only room that names tokio's and hyper's I/O traits.

mod buffers;
mod driver;
mod gate;
mod hyper_io;
mod io;
mod link;
mod listen;
mod task;

pub use buffers::{Buffers, READ_BYTES};
pub use driver::Driver;
pub use gate::{Gate, Hold};
pub use hyper_io::HyperIo;
pub use io::{Io, IoHandle};
pub use link::Link;
pub use listen::bind;
