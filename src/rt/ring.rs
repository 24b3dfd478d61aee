//! Makes the runtime's rings with a flag that it does not know: completions wait until the thread
//! is in the kernel anyway, and do not interrupt it.
//!
//! Without it, bytes that come in while a shard computes make the kernel interrupt it from the
//! core that they came on, once for each connection: in a virtual machine a third of all that a
//! shard spends (docs/benchmarks.md). A shard makes a system call for each request, so nothing
//! waits longer for it; a timer's interrupt on the shard's own core counts as one.
//!
//! The runtime makes its rings with fixed flags, through a function in C. The linker replaces it
//! by the one here (`build.rs`). Where it does not, as for a crate that uses this library without
//! that build script, all works, at the old price.

use std::{
    ffi::{c_int, c_uint},
    sync::atomic::{AtomicU32, Ordering},
};

/// `IORING_SETUP_COOP_TASKRUN`, of Linux 5.19.
const COOP_TASKRUN: u32 = 1 << 8;

/// `struct io_uring_params`, as the words of 32 bits that it is made of.
type Params = [u32; 30];

/// Where `flags` is among them.
const FLAGS: usize = 2;

/// How many rings have the flag: only so can a test see whether the linker did its part.
static COOPERATIVE: AtomicU32 = AtomicU32::new(0);

/// What the runtime's library calls to make a ring; -1 and `errno` where the kernel refuses.
///
/// A ring that asks for flags of its own is left as it is.
#[unsafe(export_name = "__wrap___sys_io_uring_setup")]
#[expect(
    unsafe_code,
    reason = "the name is the linker's, and no other symbol has it"
)]
extern "C" fn setup(entries: c_uint, params: &mut Params) -> c_int {
    if params[FLAGS] == 0 {
        params[FLAGS] = COOP_TASKRUN;
        let ring = io_uring_setup(entries, params);
        if ring >= 0 {
            COOPERATIVE.fetch_add(1, Ordering::Relaxed);
            return ring;
        }
        // An older kernel knows no such flag. What else is wrong, the second call tells.
        params[FLAGS] = 0;
    }
    io_uring_setup(entries, params)
}

fn io_uring_setup(entries: c_uint, params: &mut Params) -> c_int {
    // SAFETY: the kernel reads and writes `struct io_uring_params`, which is 120 bytes, as
    // `Params` is, and keeps no pointer to it. It returns a descriptor, which the caller owns, or
    // -1, so the value fits.
    #[expect(unsafe_code, reason = "a system call without a safe wrapper")]
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries, params.as_mut_ptr()) };
    c_int::try_from(ring).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::{ThreadOptions, start};

    #[test]
    fn the_rings_of_an_executor_do_not_interrupt_it_where_the_kernel_can() {
        let mut builder: io_uring::Builder = io_uring::IoUring::builder();
        builder.setup_coop_taskrun();
        let can = builder.build(2).is_ok();
        let before = COOPERATIVE.load(Ordering::Relaxed);
        let options = ThreadOptions {
            name: "rings".to_owned(),
            core: None,
            blocking_threads: 1,
        };
        start(options, || async {}).unwrap().join().unwrap();
        let made = COOPERATIVE.load(Ordering::Relaxed) - before;
        assert_eq!(made >= 2, can, "{made} rings");
    }

    #[test]
    fn a_ring_that_cannot_be_made_says_so() {
        let mut params = Params::default();
        assert_eq!(setup(0, &mut params), -1);
        let error = std::io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert_eq!(params[FLAGS], 0);
    }
}
