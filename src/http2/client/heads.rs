//! Header blocks of answers: read, checked, and remembered, because collectors repeat them.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::rc::Rc;

use crate::http2::{
    fields::Fields,
    hpack::{Decoder, HpackError, TABLE_BYTES_DEFAULT},
    remembered::Remembered,
};

/// The fields of an answer's head, or of its trailers.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Three digits; a list without it is trailers.
    pub status: Option<u16>,
    /// What `content-length` says.
    pub length: Option<u64>,
    /// Without `:status`.
    pub fields: Rc<Fields>,
}

/// A head that is being read.
#[derive(Debug, Default)]
struct Reading {
    status: Option<u16>,
    length: Option<u64>,
    fields: Fields,
}

/// Why a block is no head: of this stream alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHead {
    /// Over the bound.
    TooLong,
    /// What is wrong.
    Malformed(&'static str),
}

/// Reads the header blocks of a connection: a collector's answers have the same over and over.
#[derive(Debug)]
pub(super) struct Heads {
    decoder: Decoder,
    remembered: Remembered<Head>,
}

impl Heads {
    pub(super) fn new(list_bytes_max: usize) -> Self {
        Self {
            decoder: Decoder::new(TABLE_BYTES_DEFAULT, list_bytes_max),
            remembered: Remembered::default(),
        }
    }

    /// Reads one block.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Result<Head, BadHead>, HpackError> {
        let generation = self.decoder.generation();
        if let Some(head) = self.remembered.find(block, generation) {
            return Ok(Ok(head.clone()));
        }
        let (mut reading, mut wrong) = (Reading::default(), None);
        let read = self.decoder.decode(block, |name, value| {
            if let Err(what) = reading.take(name, value) {
                wrong.get_or_insert(what);
            }
        });
        match read {
            Err(error) if error.is_of_message() => return Ok(Err(BadHead::TooLong)),
            read => read?,
        }
        if let Some(what) = wrong {
            return Ok(Err(BadHead::Malformed(what)));
        }
        let head = Head {
            status: reading.status,
            length: reading.length,
            fields: Rc::new(reading.fields),
        };
        if self.decoder.generation() == generation {
            self.remembered.add(block, generation, head.clone());
        }
        Ok(Ok(head))
    }
}

impl Reading {
    /// Takes the next field.
    ///
    /// - Source: RFC 9113, sections 8.2 and 8.3.
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if name == b":status" {
            let &[a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = value else {
                return Err("a :status that is no number of three digits");
            };
            let is_first = self.fields.iter().next().is_none() && self.status.is_none();
            let digit = |byte: u8| u16::from(byte.saturating_sub(b'0'));
            let tens = digit(a).saturating_mul(10).saturating_add(digit(b));
            self.status = Some(tens.saturating_mul(10).saturating_add(digit(c)));
            return if is_first {
                Ok(())
            } else {
                Err("a :status that is not the first field")
            };
        }
        check(name, value)?;
        if name == b"content-length" {
            let length = std::str::from_utf8(value)
                .ok()
                .and_then(|it| it.parse().ok());
            let length = length.ok_or("a content-length that is no number")?;
            if self
                .length
                .replace(length)
                .is_some_and(|known| known != length)
            {
                return Err("two content-lengths");
            }
        }
        self.fields.push(name, value);
        Ok(())
    }
}

/// Whether a field may stand in an answer.
fn check(name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    match name {
        b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade" => {
            return Err("a field that belongs to HTTP/1.1");
        }
        [] => return Err("a field without a name"),
        [b':', ..] => return Err("a pseudo-header that is not :status"),
        _ => {}
    }
    let is_bad =
        |&byte: &u8| byte <= b' ' || byte >= 0x7f || byte == b':' || byte.is_ascii_uppercase();
    if name.iter().any(is_bad) {
        return Err("a field name with a forbidden character");
    }
    if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err("a field value with a forbidden character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http2::hpack::encode;
    use crate::http2::remembered::BLOCKS_MAX;

    fn read(fields: &[(&str, &str)]) -> Result<Head, BadHead> {
        let mut block = Vec::new();
        for (name, value) in fields {
            // What our encoder would not write is spelt out.
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                block.extend([0, u8::try_from(name.len()).unwrap()]);
                block.extend(name.bytes());
                block.push(u8::try_from(value.len()).unwrap());
                block.extend(value.bytes());
            } else {
                encode(name.as_bytes(), value.as_bytes(), false, &mut block);
            }
        }
        Heads::new(1000).read(&block).unwrap()
    }

    #[test]
    fn a_head_has_its_status_and_its_fields() {
        let head = read(&[
            (":status", "503"),
            ("retry-after", "7"),
            ("content-length", "0"),
        ])
        .unwrap();
        assert_eq!((head.status, head.length), (Some(503), Some(0)));
        assert_eq!(head.fields.get("retry-after"), Some(&b"7"[..]));
        let trailers = read(&[("grpc-status", "0")]).unwrap();
        assert_eq!(trailers.status, None);
    }

    #[test]
    fn what_http_2_forbids_is_malformed() {
        for wrong in [
            &[(":status", "99")][..],
            &[(":status", "0200")],
            &[(":status", "2x0")],
            &[(":status", "200"), (":status", "200")],
            &[("a", "1"), (":status", "200")],
            &[(":path", "/")],
            &[("Upper", "1")],
            &[("a b", "1")],
            &[("", "1")],
            &[("a", "1\r\nb: 2")],
            &[("a", "\0")],
            &[("connection", "close")],
            &[("content-length", "-1")],
            &[("content-length", "1"), ("content-length", "2")],
        ] {
            assert!(
                matches!(read(wrong), Err(BadHead::Malformed(_))),
                "{wrong:?}"
            );
        }
        let long = "x".repeat(1000);
        assert_eq!(read(&[("a", &long)]).unwrap_err(), BadHead::TooLong);
    }

    #[test]
    fn a_block_is_remembered_while_the_table_stays() {
        let mut heads = Heads::new(1000);
        let insert = [0x88, 0x40, 1, b'a', 1, b'1'];
        heads.read(&insert).unwrap().unwrap();
        let first = heads.read(&[0x88, 0xbe]).unwrap().unwrap();
        let again = heads.read(&[0x88, 0xbe]).unwrap().unwrap();
        assert!(Rc::ptr_eq(&first.fields, &again.fields));
        heads.read(&[0x40, 1, b'b', 1, b'2']).unwrap().unwrap();
        let other = heads.read(&[0x88, 0xbe]).unwrap().unwrap();
        assert_eq!(other.fields.get("b"), Some(&b"2"[..]));
        for status in 0x88..0x90 {
            heads.read(&[status]).unwrap().unwrap();
        }
        assert!(heads.remembered.len() <= BLOCKS_MAX);
    }
}
