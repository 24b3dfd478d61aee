//! Proofs of the spool over a simulated disk.

mod backlog;
mod basics;
mod crashes;
mod damage;
mod model;
mod order;
mod rig;
mod unread;
