//! How the bytes of a body are packed, and what that is called on every wire.

use std::fmt;

/// The compression of a request's body.
///
/// - Source: the content codings of RFC 9110 (gzip) and RFC 8878 (zstd); gRPC uses the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity = 0,
    /// One gzip member or several.
    Gzip = 1,
    /// One zstd frame or several.
    Zstd = 2,
}

impl Encoding {
    /// Every encoding, in the order of [`Encoding::index`].
    pub const ALL: [Self; 3] = [Self::Identity, Self::Gzip, Self::Zstd];

    /// What a receiver takes, as a header says it.
    pub const ACCEPTED: &'static str = "identity,gzip,zstd";

    /// The encoding's place in an array of one slot an encoding: 0 to 2.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in `content-encoding` and `grpc-encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Whether the bytes have to be unpacked to be read.
    #[must_use]
    pub const fn is_packed(self) -> bool {
        !matches!(self, Self::Identity)
    }

    /// The encoding that a header names, in any case; an empty value names none.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        if name.is_empty() {
            return Some(Self::Identity);
        }
        Self::ALL
            .into_iter()
            .find(|encoding| name.eq_ignore_ascii_case(encoding.name().as_bytes()))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_in_any_case() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::ALL[encoding.index()], encoding);
            let upper = encoding.name().to_uppercase();
            assert_eq!(Encoding::from_name(upper.as_bytes()), Some(encoding));
        }
        assert_eq!(Encoding::from_name(b""), Some(Encoding::Identity));
        assert_eq!(Encoding::from_name(b"br"), None);
        let names = Encoding::ALL.map(Encoding::name).join(",");
        assert_eq!(names, Encoding::ACCEPTED);
    }
}
