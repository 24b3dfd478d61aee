//! Compresses bodies before they are sent.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzEncoder;

use super::settings::Compression;

/// The body as it goes on the wire.
pub(super) fn compress(compression: Compression, body: Bytes) -> io::Result<Bytes> {
    match compression {
        Compression::None => Ok(body),
        Compression::Gzip(level) => {
            let room = Vec::with_capacity(body.len() / 4);
            let mut encoder = GzEncoder::new(room, flate2::Compression::new(level));
            encoder.write_all(&body)?;
            encoder.finish().map(Bytes::from)
        }
        Compression::Zstd(level) => zstd::bulk::compress(&body, level).map(Bytes::from),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn bodies_come_back() {
        let body = Bytes::from("telemetry ".repeat(1000));
        let plain = compress(Compression::None, body.clone()).unwrap();
        assert_eq!(plain, body);
        let gzip = compress(Compression::Gzip(6), body.clone()).unwrap();
        let mut inflated = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&gzip[..]);
        decoder.read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, body);
        let zstd = compress(Compression::Zstd(3), body.clone()).unwrap();
        assert_eq!(zstd::decode_all(&zstd[..]).unwrap(), body);
        assert!(gzip.len() < body.len() / 10 && zstd.len() < body.len() / 10);
    }

    #[test]
    fn levels_are_bounded() {
        assert_eq!(Compression::new("gzip", None), Ok(Compression::Gzip(6)));
        assert_eq!(
            Compression::new("zstd", Some(19)),
            Ok(Compression::Zstd(19))
        );
        for (name, level) in [
            ("gzip", Some(10)),
            ("zstd", Some(0)),
            ("none", Some(1)),
            ("lz4", None),
        ] {
            Compression::new(name, level).unwrap_err();
        }
    }
}
