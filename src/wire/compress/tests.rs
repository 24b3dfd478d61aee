//! The laws of compression: the same bytes come back, and nothing more than the bound.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that goes out of bounds fails, as it should"
)]

use std::{io::Write as _, sync::Arc};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use proptest::prelude::*;

use super::*;
use crate::encoding::Encoding;

const PACKED: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

/// Packed by the libraries' own streams, as a sender would.
fn packed(encoding: Encoding, text: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => text.to_vec(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => ::zstd::stream::encode_all(text, 3).unwrap(),
    }
}

fn cut(bytes: &[u8], piece: usize) -> Vec<Bytes> {
    bytes.chunks(piece).map(Bytes::copy_from_slice).collect()
}

fn unpack(
    unpacker: &mut Unpacker,
    encoding: Encoding,
    packed: &[Bytes],
    bytes_max: usize,
) -> Result<(Vec<u8>, usize), UnpackError> {
    unpacker.unpack(encoding, packed, bytes_max, |body, members| {
        (body.clone(), members)
    })
}

#[test]
fn a_body_in_pieces_of_any_size_unpacks_to_what_was_packed() {
    let text = b"telemetry ".repeat(20_000);
    let mut unpacker = Unpacker::new();
    for encoding in Encoding::ALL {
        let packed = packed(encoding, &text);
        for piece in [1, 7, 1000, usize::MAX] {
            let got = unpack(&mut unpacker, encoding, &cut(&packed, piece), text.len());
            assert_eq!(got, Ok((text.clone(), 1)), "{encoding} {piece}");
        }
    }
}

#[test]
fn every_member_and_frame_is_read_and_counted() {
    let mut unpacker = Unpacker::new();
    for encoding in PACKED {
        let parts = [
            packed(encoding, b"one"),
            packed(encoding, b""),
            packed(encoding, b"two"),
        ];
        for piece in [1, 5, usize::MAX] {
            let got = unpack(&mut unpacker, encoding, &cut(&parts.concat(), piece), 6);
            assert_eq!(got, Ok((b"onetwo".to_vec(), 3)), "{encoding} {piece}");
        }
    }
}

#[test]
fn the_bound_is_exact_and_holds_for_bombs_and_lies() {
    let mut unpacker = Unpacker::new();
    let text = vec![0; 1 << 20];
    for encoding in PACKED {
        let packed = packed(encoding, &text);
        assert!(packed.len() < 10_000);
        for piece in [64, usize::MAX] {
            let pieces = cut(&packed, piece);
            for bytes_max in [0, 1, 100_000, text.len() - 1] {
                let got = unpack(&mut unpacker, encoding, &pieces, bytes_max);
                assert_eq!(got, Err(UnpackError::TooLarge), "{encoding} {bytes_max}");
                assert!(unpacker.scratch_bytes() <= text.len() + 1, "{encoding}");
            }
            let got = unpack(&mut unpacker, encoding, &pieces, text.len());
            assert_eq!(got, Ok((text.clone(), 1)), "{encoding}");
        }
    }
    // A frame that says it holds 2^62 bytes: magic, an eight-byte length, and an empty last block.
    let lie = [
        0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0,
    ];
    let got = unpack(&mut unpacker, Encoding::Zstd, &cut(&lie, 99), 1 << 16);
    assert!(got.is_err(), "{got:?}");
    assert!(unpacker.scratch_bytes() <= SCRATCH_BYTES_KEPT + 1);
}

#[test]
fn a_buffer_that_grew_beyond_what_is_kept_is_given_back() {
    let mut unpacker = Unpacker::new();
    for encoding in PACKED {
        let text = vec![7; SCRATCH_BYTES_KEPT * 2];
        let packed = packed(encoding, &text);
        let got = unpack(&mut unpacker, encoding, &cut(&packed, 16_384), text.len());
        assert!(got.is_ok_and(|(body, _)| body == text), "{encoding}");
        assert_eq!(unpacker.scratch_bytes(), 0);
    }
    let common = packed(Encoding::Gzip, &vec![7; 50_000]);
    for _ in 0..3 {
        assert!(unpack(&mut unpacker, Encoding::Gzip, &cut(&common, 999), 1 << 20).is_ok());
        assert_eq!(unpacker.scratch_bytes(), 65_536, "the buffer is used again");
    }
}

#[test]
fn what_is_broken_cut_or_followed_by_anything_is_malformed_and_harms_no_later_body() {
    let mut unpacker = Unpacker::new();
    for encoding in PACKED {
        let sound = packed(encoding, b"telemetry");
        let mut bad: Vec<Vec<u8>> = (1..sound.len()).map(|end| sound[..end].to_vec()).collect();
        bad.push(b"not packed at all".to_vec());
        bad.push([sound.as_slice(), b"garbage"].concat());
        bad.push([sound.as_slice(), &[0]].concat());
        bad.push([sound.as_slice(), &sound[..sound.len() - 1]].concat());
        for bad in bad {
            for piece in [1, 3, usize::MAX] {
                let got = unpack(&mut unpacker, encoding, &cut(&bad, piece), 100);
                assert_eq!(got, Err(UnpackError::Malformed), "{encoding}: {bad:02x?}");
            }
            let got = unpack(&mut unpacker, encoding, &cut(&sound, 4), 100);
            assert_eq!(got, Ok((b"telemetry".to_vec(), 1)), "{encoding}");
        }
    }
}

#[test]
fn a_gzip_member_is_checked_against_its_sum_and_its_length() {
    let sound = packed(Encoding::Gzip, b"telemetry");
    let mut unpacker = Unpacker::new();
    for at in sound.len() - 8..sound.len() {
        let mut bad = sound.clone();
        bad[at] ^= 1;
        let got = unpack(&mut unpacker, Encoding::Gzip, &cut(&bad, 99), 100);
        assert_eq!(got, Err(UnpackError::Malformed), "byte {at}");
    }
}

#[test]
fn a_gzip_header_may_have_every_part_and_no_unknown_one() {
    let mut encoder = GzBuilder::new()
        .extra(vec![1; 300])
        .filename("a name")
        .comment("a comment")
        .mtime(7)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(b"telemetry").unwrap();
    let full = encoder.finish().unwrap();
    let mut unpacker = Unpacker::new();
    for piece in [1, 13, usize::MAX] {
        let got = unpack(&mut unpacker, Encoding::Gzip, &cut(&full, piece), 9);
        assert_eq!(got, Ok((b"telemetry".to_vec(), 1)));
    }
    // The sum of the header, right and wrong.
    let plain = packed(Encoding::Gzip, b"telemetry");
    let mut header = plain[..10].to_vec();
    header[3] = 2;
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = crc.sum().to_le_bytes();
    for (low, fits) in [(sum[0], true), (sum[0] ^ 1, false)] {
        let body = [&header[..], &[low, sum[1]], &plain[10..]].concat();
        let got = unpack(&mut unpacker, Encoding::Gzip, &cut(&body, 99), 9);
        assert_eq!(got.is_ok(), fits, "{got:?}");
    }
    let mut unknown = plain;
    unknown[3] = 0x80;
    let got = unpack(&mut unpacker, Encoding::Gzip, &cut(&unknown, 99), 9);
    assert_eq!(got, Err(UnpackError::Malformed));
}

#[test]
fn a_zstd_window_over_the_bound_is_refused() {
    let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut unpacker = Unpacker::new();
    for (window_log, fits) in [(WINDOW_LOG_MAX, true), (WINDOW_LOG_MAX + 1, false)] {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        // A flush before the end: the frame cannot tell its length, so its window counts.
        encoder.write_all(&text[..1000]).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(&text[1000..]).unwrap();
        let packed = encoder.finish().unwrap();
        let got = unpack(
            &mut unpacker,
            Encoding::Zstd,
            &cut(&packed, 16_384),
            text.len(),
        );
        let expected = if fits {
            Ok((text.clone(), 1))
        } else {
            Err(UnpackError::WindowTooLarge)
        };
        assert!(got == expected, "{window_log}");
    }
}

#[test]
fn each_level_packs_one_member_that_every_reader_reads() {
    let text = b"telemetry of one kind and another ".repeat(3_000);
    for (encoding, levels) in [(Encoding::Gzip, 1..=9), (Encoding::Zstd, 1..=19)] {
        for level in levels {
            let mut packer = Packer::new(encoding, level);
            for piece in [1000, 16_384, usize::MAX] {
                let (said, slices) = packer.pack(cut(&text, piece).into());
                assert_eq!((said, slices.len()), (encoding, 1), "{encoding} {level}");
                let unpacked = match encoding {
                    Encoding::Gzip => {
                        let mut unpacked = Vec::new();
                        let mut reader = flate2::read::GzDecoder::new(&slices[0][..]);
                        std::io::copy(&mut reader, &mut unpacked).unwrap();
                        unpacked
                    }
                    _ => ::zstd::stream::decode_all(&slices[0][..]).unwrap(),
                };
                assert!(unpacked == text, "{encoding} {level} {piece}");
                assert!(slices[0].len() < text.len() / 10);
                let again = packer.pack(cut(&text, piece).into()).1;
                assert!(again == slices, "no body leaves a trace in the next");
            }
        }
    }
}

#[test]
fn what_is_not_to_be_packed_stays_as_it_is() {
    let slices: Arc<[Bytes]> = Arc::new([Bytes::from_static(b"as it is")]);
    let (said, same) = Packer::new(Encoding::Identity, 0).pack(Arc::clone(&slices));
    assert_eq!(said, Encoding::Identity);
    assert!(Arc::ptr_eq(&slices, &same));
}

proptest! {
    /// Whatever is packed, however it lies, one reader after the other reads it back.
    #[test]
    fn packing_and_unpacking_are_each_other_s_reverse(
        texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..6),
        piece in 1_usize..2000,
    ) {
        let mut unpacker = Unpacker::new();
        for encoding in PACKED {
            let mut packer = Packer::new(encoding, 3);
            for text in &texts {
                let (_, packed) = packer.pack(cut(text, piece).into());
                let pieces = cut(&packed.concat(), piece);
                let got = unpack(&mut unpacker, encoding, &pieces, text.len());
                prop_assert_eq!(got, Ok((text.clone(), 1)));
            }
        }
    }

    /// No bytes make a reader panic or go over the bound.
    #[test]
    fn any_bytes_are_read_or_refused(
        start in 0_usize..12,
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        piece in 1_usize..50,
    ) {
        let mut unpacker = Unpacker::new();
        for encoding in PACKED {
            let mut bytes = packed(encoding, b"telemetry telemetry");
            bytes.truncate(start);
            bytes.extend(&noise);
            if let Ok((body, _)) = unpack(&mut unpacker, encoding, &cut(&bytes, piece), 1000) {
                prop_assert!(body.len() <= 1000);
            }
        }
    }
}
