//! gzip and zstd, in and out, within a bound, with contexts and buffers that are used again.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod gzip;
mod pack;
mod pieces;
mod scratch;
mod unpack;
mod zstd;

pub use pack::Packer;
pub use scratch::SCRATCH_BYTES_KEPT;
pub use unpack::{UnpackError, Unpacker};
pub use zstd::WINDOW_LOG_MAX;

#[cfg(test)]
mod tests;
