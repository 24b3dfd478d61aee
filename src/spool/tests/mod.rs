//! Proofs of the spool over a simulated disk.

mod basics;
mod rig;
