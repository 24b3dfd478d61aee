//! A body in chunks, read as it lies.

use std::fmt;

/// Bytes of chunk extensions, and of trailers, that a body may bring at the most. Both are skipped.
///
/// - Source: chosen: what a large request head is. Without a bound a peer could send for ever
///   without sending a body.
const OVERHEAD_BYTES_MAX: usize = 16 * 1024;

/// Digits of a chunk's size at the most: more would not fit 64 bits.
const SIZE_DIGITS_MAX: u8 = 15;

/// The chunks are wrong: where the body ends cannot be told any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chunked body is malformed: {}", self.0)
    }
}

/// What comes next of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'i> {
    /// Bytes of it, as they lie in the input; never empty.
    Data(&'i [u8]),
    /// Its end. What follows in the input is the next message.
    End,
}

/// Where in a chunked body the input stands.
///
/// Lines must end with CR LF: what ends them otherwise is read differently by different programs,
/// and one request could be hidden in another.
///
/// - Source: RFC 9112, section 7.1.
/// - Cost: no copy, no allocation.
#[derive(Clone, Debug)]
pub struct Chunked {
    state: State,
    /// Bytes of extensions, or of trailers, that came.
    overhead: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the size of a chunk, after so many digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// In blanks after the size.
    Blank {
        size: u64,
    },
    Extension {
        size: u64,
    },
    /// Before the LF of the line of a size.
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the beginning of a line after the last chunk.
    Trailer,
    InTrailer,
    TrailerLf,
    /// Before the LF of the empty line.
    EndLf,
    Ended,
}

impl Default for Chunked {
    fn default() -> Self {
        Self::new()
    }
}

impl Chunked {
    /// Before the first chunk.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            overhead: 0,
        }
    }

    /// The next piece in the input; `None` when all of it is taken and more is needed.
    ///
    /// # Errors
    ///
    /// [`Malformed`]: the connection cannot be used any more.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'i>>, Malformed> {
        loop {
            match self.state {
                State::Ended => return Ok(Some(Piece::End)),
                State::Data { left } => {
                    let room = usize::try_from(left).unwrap_or(usize::MAX);
                    let (data, after) = input.split_at(room.min(input.len()));
                    *input = after;
                    let came = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.state = match left.saturating_sub(came) {
                        0 => State::DataCr,
                        left => State::Data { left },
                    };
                    return Ok((!data.is_empty()).then_some(Piece::Data(data)));
                }
                _framing => {
                    let Some((&byte, after)) = input.split_first() else {
                        return Ok(None);
                    };
                    *input = after;
                    self.state = self.step(byte)?;
                }
            }
        }
    }

    /// Takes one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        Ok(match (self.state, byte) {
            (State::Size { digits: 1.., size } | State::Blank { size }, b'\r') => {
                State::SizeLf { size }
            }
            (State::Size { digits: 1.., size } | State::Blank { size }, b';') => {
                State::Extension { size }
            }
            (State::Size { digits: 1.., size } | State::Blank { size }, b' ' | b'\t') => {
                self.skipped()?;
                State::Blank { size }
            }
            (State::Size { size, digits }, digit) => {
                let value =
                    hex(digit).ok_or(Malformed("a chunk's size is no hexadecimal number"))?;
                if digits >= SIZE_DIGITS_MAX {
                    return Err(Malformed("a chunk's size has over 15 digits"));
                }
                State::Size {
                    size: size << 4 | value,
                    digits: digits + 1,
                }
            }
            (State::Extension { size }, b'\r') => State::SizeLf { size },
            (State::Extension { size }, byte) if is_text(byte) => {
                self.skipped()?;
                State::Extension { size }
            }
            (State::SizeLf { size: 0 }, b'\n') => {
                self.overhead = 0;
                State::Trailer
            }
            (State::SizeLf { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::DataCr | State::DataLf, _) => {
                return Err(Malformed("a chunk is longer than its size says"));
            }
            (State::Trailer, b'\r') => State::EndLf,
            (State::InTrailer, b'\r') => State::TrailerLf,
            (State::Trailer | State::InTrailer, byte) if is_text(byte) => {
                self.skipped()?;
                State::InTrailer
            }
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::EndLf, b'\n') => State::Ended,
            _wrong => return Err(Malformed("a line does not end with CR LF")),
        })
    }

    /// Counts a byte that means nothing.
    const fn skipped(&mut self) -> Result<(), Malformed> {
        self.overhead += 1;
        if self.overhead > OVERHEAD_BYTES_MAX {
            return Err(Malformed(
                "its chunk extensions or its trailers are over 16 KiB",
            ));
        }
        Ok(())
    }
}

/// The value of a hexadecimal digit.
const fn hex(digit: u8) -> Option<u64> {
    let value = match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => return None,
    };
    Some(value as u64)
}

/// Whether a byte may stand in an extension or a trailer.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole body, when the input comes in these two pieces, and what is left of the input.
    fn read(input: &[u8], split: usize) -> Result<(Option<Vec<u8>>, usize), Malformed> {
        let (mut chunked, mut body) = (Chunked::new(), Vec::new());
        let (first, second) = input.split_at(split);
        for (mut piece, rest) in [(first, second.len()), (second, 0)] {
            while let Some(next) = chunked.next(&mut piece)? {
                match next {
                    Piece::Data(data) => body.extend_from_slice(data),
                    Piece::End => return Ok((Some(body), piece.len() + rest)),
                }
            }
            assert!(piece.is_empty(), "all of the input is taken");
        }
        Ok((None, 0))
    }

    /// The same at every place where the input may be cut.
    fn read_all(input: &[u8]) -> Result<(Option<Vec<u8>>, usize), Malformed> {
        let whole = read(input, 0);
        for split in 1..=input.len() {
            assert_eq!(read(input, split), whole, "cut at {split}");
        }
        whole
    }

    #[test]
    fn a_body_is_put_together_and_ends_where_it_ends() {
        for input in [
            &b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nNEXT"[..],
            b"3;name=\"a;b\";x\r\nabc\r\n00002 \t;y\r\nde\r\n000\r\n\r\nNEXT",
            b"3 \r\nabc\r\n2\r\nde\r\n0;last\r\nExpires: never\r\nX: \xC3\xA4\r\n\r\nNEXT",
        ] {
            assert_eq!(read_all(input), Ok((Some(b"abcde".to_vec()), 4)));
        }
        let large = [b"Ff\r\n".as_slice(), &[7; 255], b"\r\n0\r\n\r\n"].concat();
        assert_eq!(read_all(&large), Ok((Some(vec![7; 255]), 0)));
        assert_eq!(read_all(b"0\r\n\r\n"), Ok((Some(Vec::new()), 0)));
        assert_eq!(read_all(b"2\r\nab"), Ok((None, 0)));
    }

    #[test]
    fn what_hides_a_request_in_another_is_malformed() {
        for (input, says) in [
            (&b"\r\n"[..], "hexadecimal"),
            (b"g\r\n", "hexadecimal"),
            (b"-1\r\n", "hexadecimal"),
            (b"+1\r\n", "hexadecimal"),
            (b"0x1\r\n", "hexadecimal"),
            (b" 1\r\n", "hexadecimal"),
            (b"1_0\r\n", "hexadecimal"),
            (b"1111111111111111\r\n", "15 digits"),
            (b"0000000000000000\r\n", "15 digits"),
            (b"1 1\r\n", "CR LF"),
            (b"1\n", "hexadecimal"),
            (b"1\rx", "CR LF"),
            (b"1;a\nb\r\n", "CR LF"),
            (b"1;a\0\r\n", "CR LF"),
            (b"1\r\nab\r\n", "longer"),
            (b"1\r\na\n", "longer"),
            (b"1\r\na\rb", "longer"),
            (b"0\r\n\n", "CR LF"),
            (b"0\r\nX: y\n\r\n", "CR LF"),
            (b"0\r\nX: y\r\r\n", "CR LF"),
            (b"0\r\n\rx", "CR LF"),
        ] {
            let error = read_all(input).expect_err(&String::from_utf8_lossy(input));
            assert!(error.0.contains(says), "{input:?}: {error}");
        }
    }

    #[test]
    fn extensions_and_trailers_have_a_bound_over_all_chunks() {
        let chunk = [b"1;".as_slice(), &[b'x'; 1024], b"\r\na\r\n"].concat();
        let end = b"0\r\n\r\n".as_slice();
        let read_once = |input: &[u8]| read(input, 0);
        assert!(read_once(&[chunk.repeat(16).as_slice(), end].concat()).is_ok());
        assert!(read_once(&[chunk.repeat(17).as_slice(), end].concat()).is_err());
        let trailers = |bytes| [b"0\r\n".as_slice(), &vec![b'x'; bytes], b"\r\n\r\n"].concat();
        assert!(read_once(&trailers(OVERHEAD_BYTES_MAX)).is_ok());
        assert!(read_once(&trailers(OVERHEAD_BYTES_MAX + 1)).is_err());
    }
}
