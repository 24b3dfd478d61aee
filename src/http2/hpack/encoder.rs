//! Fields into header blocks that need no state.
//!
//! Nothing is added to the peer's table and nothing is Huffman-coded: the blocks sent here are
//! constant, built once and sent as they are, and a few dozen bytes on the wire are cheaper than
//! work on each message.

use bytes::BufMut;

use super::{integer, static_table::FIELDS};

/// Sets the peer's table to size 0, at the start of a block. In the first block of a connection it
/// stands for every change of the table's size that the peer may ask for.
///
/// - Source: RFC 7541, section 6.3, and RFC 9113, section 4.3.1.
pub const NO_TABLE: u8 = 0x20;

/// Writes one field. `name` is in lower case.
///
/// A `sensitive` field may not be put into a table by anyone that it passes: credentials.
///
/// - Source: RFC 7541, sections 6.1, 6.2.2, 6.2.3 and 7.1.
pub fn encode(name: &[u8], value: &[u8], sensitive: bool, out: &mut impl BufMut) {
    debug_assert!(
        !name.iter().any(u8::is_ascii_uppercase),
        "names are in lower case"
    );
    let is_same = |(known, its): &(&str, &str)| known.as_bytes() == name && its.as_bytes() == value;
    if !sensitive && let Some(place) = FIELDS.iter().position(is_same) {
        integer::write(place + 1, 7, 0x80, out);
        return;
    }
    let high = if sensitive { 0x10 } else { 0x00 };
    match FIELDS
        .iter()
        .position(|(known, _)| known.as_bytes() == name)
    {
        Some(place) => integer::write(place + 1, 4, high, out),
        None => {
            integer::write(0, 4, high, out);
            string(name, out);
        }
    }
    string(value, out);
}

fn string(text: &[u8], out: &mut impl BufMut) {
    integer::write(text.len(), 7, 0x00, out);
    out.put_slice(text);
}
