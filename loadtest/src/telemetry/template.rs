//! A request encoded once, to be copied and stamped with new ids.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::memmem;

use super::id::Stamp;
use super::inspect::{Located, locate};
use super::raw;
use super::request::Request;
use super::signal::{Encoding, Signal};

/// Characters of a stamp in base64.
const BASE64_LENGTH: usize = Stamp::LENGTH / 3 * 4;

/// What is ahead of a stamp in JSON whose members are sorted.
const AHEAD_IN_JSON: &[u8] = br#""key":"loadtest.id","value":{"bytesValue":""#;

/// An encoded request with blank stamps, and where they are.
#[derive(Debug)]
pub(super) struct Template {
    body: Vec<u8>,
    slots: Vec<Slot>,
    /// For JSON, the same request in protobuf, which is what the checksums are of.
    protobuf: Option<Bytes>,
}

/// Where one item's stamp goes.
#[derive(Debug)]
struct Slot {
    /// Its offset in the body.
    at: usize,
    /// The checksum of all that is ahead of it: the item's place and the start of the item.
    before: u32,
    /// The rest of the item behind it, in the request's protobuf.
    after: Range<usize>,
}

impl Template {
    pub fn new(signal: Signal, encoding: Encoding, request: &Request) -> Self {
        let protobuf = Bytes::from(request.to_protobuf());
        let mut slots = slots(signal, &protobuf);
        match encoding {
            Encoding::Protobuf => Self {
                body: protobuf.into(),
                slots,
                protobuf: None,
            },
            Encoding::Json => {
                let body = request
                    .to_json()
                    .expect("generated telemetry has a form in JSON");
                let found = memmem::find_iter(&body, AHEAD_IN_JSON);
                for (slot, ahead) in slots.iter_mut().zip(found) {
                    slot.at = ahead + AHEAD_IN_JSON.len();
                }
                Self {
                    body,
                    slots,
                    protobuf: Some(protobuf),
                }
            }
        }
    }

    /// The request with consecutive ids from `first`.
    pub fn stamped(&self, first: u64) -> Vec<u8> {
        let mut body = self.body.clone();
        for (id, slot) in (first..).zip(&self.slots) {
            let source = self.protobuf.as_deref().unwrap_or(&self.body);
            let checksum = Stamp::checksum(id, slot.before, &source[slot.after.clone()]);
            let stamp = Stamp { id, checksum }.to_bytes();
            if self.protobuf.is_none() {
                body[slot.at..slot.at + Stamp::LENGTH].copy_from_slice(&stamp);
            } else {
                let place = &mut body[slot.at..slot.at + BASE64_LENGTH];
                STANDARD
                    .encode_slice(stamp, place)
                    .expect("12 bytes are 16 characters");
            }
        }
        body
    }
}

/// The stamps of a request in protobuf, in the order of the bytes.
fn slots(signal: Signal, body: &Bytes) -> Vec<Slot> {
    let mut slots = Vec::new();
    raw::visit(signal, body, &mut |place, kind, item| {
        if let Located::At(at, _) = locate(kind, item) {
            // Items are views of the body, so their addresses tell their offsets.
            let start = item.as_ptr() as usize - body.as_ptr() as usize;
            slots.push(Slot {
                at: start + at,
                before: crc32c::crc32c_append(place.as_is(), &item[..at]),
                after: start + at + Stamp::LENGTH..start + item.len(),
            });
        }
        Ok(())
    })
    .expect("generated telemetry reads back");
    slots
}
