//! Has the linker hand the runtime's `io_uring_setup` to `src/rt/ring.rs`, which says why.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,--wrap=__sys_io_uring_setup");
}
