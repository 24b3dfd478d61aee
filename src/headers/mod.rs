//! Headers of a sender's request that go on with it: which may, how they are written down, and the
//! sets of them that a shard has in use.
//!
//! A value may be a secret: nothing here shows one.
//!
//! | file | its one job |
//! | --- | --- |
//! | `forwarded` | the headers of one request as bytes, and back |
//! | `sets` | each set that is in use once, and not too many |

mod forwarded;
mod sets;

pub use forwarded::{FORWARDED_BYTES_MAX, Forwarded, TooLong, Unreadable};
pub use sets::{Full, HeaderSet, HeaderSets};

/// Headers that the forwarder itself writes or that belong to one connection.
const OWN: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Whether a header, named in lower case, is written by the forwarder itself: nobody else's goes on.
#[must_use]
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name) || name.starts_with("grpc-")
}
