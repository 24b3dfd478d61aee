//! Processes: started, pinned to cores, priced in CPU, memory and system calls, ended.
//!
//! Each child runs in a process group of its own and dies with its parent, however that ends. It
//! is priced by what `/proc` says of its group: what it starts itself is counted with it.

mod child;
mod command;
mod http;
mod machine;
mod meter;
mod others;
mod ports;
mod procfs;
mod ready;
mod syscalls;

pub use child::{Child, Order, Output};
pub use command::{become_command, pin};
pub use http::{Answer, get, put};
pub use machine::{machine, utc};
pub use meter::Meter;
pub use others::Work;
pub use ports::{free_ports, lasting_ports};
pub use ready::{Ready, wait_until_ready};
pub use syscalls::SystemCalls;
