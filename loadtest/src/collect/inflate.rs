//! Takes compression off a body. Pure.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

/// The largest body, plain or inflated.
pub(super) const LARGEST: usize = 64 << 20;

/// What compressed telemetry mostly grows to: saves moving while it is inflated.
const USUAL_GROWTH: usize = 8;

impl Coding {
    /// By the name that `grpc-encoding` and `content-encoding` use.
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The body without compression; several gzip members or zstd frames are one body.
    pub(super) fn inflate(self, body: Bytes) -> Result<Bytes, String> {
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => read(MultiGzDecoder::new(&*body), body.len(), "gzip"),
            Self::Zstd => {
                let decoder = zstd::Decoder::with_buffer(&*body);
                let decoder = decoder.map_err(|why| format!("the body is no zstd: {why}"))?;
                read(decoder, body.len(), "zstd")
            }
        }
    }
}

fn read(decoder: impl Read, compressed: usize, name: &str) -> Result<Bytes, String> {
    let mut plain = Vec::with_capacity((compressed * USUAL_GROWTH).min(LARGEST));
    // One byte more than allowed tells a body that is too large from one that just fits.
    match decoder.take(LARGEST as u64 + 1).read_to_end(&mut plain) {
        Err(why) => Err(format!("the body is no {name}: {why}")),
        Ok(_) if plain.len() > LARGEST => Err(format!(
            "the body inflates to more than {LARGEST} bytes: send less at once"
        )),
        Ok(_) => Ok(plain.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn several_members_are_one_body() {
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(Coding::Gzip.inflate(two.into()).unwrap(), "one two");
        let zstd = |plain: &[u8]| zstd::encode_all(plain, 3).unwrap();
        let two = [zstd(b"one "), zstd(b"two")].concat();
        assert_eq!(Coding::Zstd.inflate(two.into()).unwrap(), "one two");
    }

    #[test]
    fn a_body_that_is_cut_or_too_large_is_refused() {
        let mut cut = gzip(b"some text that is cut");
        cut.truncate(cut.len() - 9);
        assert!(
            Coding::Gzip
                .inflate(cut.into())
                .unwrap_err()
                .contains("no gzip")
        );
        let zstd = Coding::Zstd.inflate(Bytes::from_static(b"plain"));
        assert!(zstd.unwrap_err().contains("no zstd"));
        let large = gzip(&vec![0; LARGEST + 1]);
        assert!(
            Coding::Gzip
                .inflate(large.into())
                .unwrap_err()
                .contains("send less")
        );
    }

    #[test]
    fn codings_are_known_by_name() {
        assert_eq!(Coding::find("zstd"), Some(Coding::Zstd));
        assert_eq!(Coding::find("br"), None);
    }
}
