//! A request's head: read strictly, because what programs read differently hides one request in
//! another.

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request::Parts};
use httparse::{EMPTY_HEADER, Error, Status};

/// Fields that a head may have at the most.
///
/// - Source: chosen: several times what senders and the proxies before them write.
pub const FIELDS_MAX: usize = 100;

/// The longest target that can be read.
///
/// - Source: the `http` crate's.
const TARGET_BYTES_MAX: usize = 65_534;

/// A request that cannot be read: how it is answered before the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status that says so.
    pub status: StatusCode,
    /// What is wrong, and what to do about it.
    pub message: &'static str,
}

impl Problem {
    /// What the sender wrote is no request.
    pub(super) const fn bad(message: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message,
        }
    }

    /// The head is longer than it may be.
    pub(super) const TOO_LONG: Self = Self {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        message: "the request's head is over limits.header_bytes: send fewer or shorter headers, \
                  or raise it",
    };

    /// The head takes longer than it may.
    pub(super) const TOO_SLOW: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        message: "the request's head did not arrive within limits.request_timeout",
    };

    const TOO_MANY: Self = Self {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        message: "the request has over 100 header fields; send fewer",
    };

    const TARGET_TOO_LONG: Self = Self {
        status: StatusCode::URI_TOO_LONG,
        message: "the request's target is over 65534 bytes; send to /v1/traces, /v1/metrics or \
                  /v1/logs",
    };

    const VERSION: Self = Self {
        status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        message: "the request's version is not served; send HTTP/1.1, or HTTP/2 from its first \
                  byte on",
    };

    const CODING: Self = Self {
        status: StatusCode::NOT_IMPLEMENTED,
        message: "Transfer-Encoding names another coding than chunked; send chunked alone, and \
                  compress with Content-Encoding",
    };
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length; 0 where there is none.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// A request's head.
#[derive(Debug)]
pub struct Head {
    /// Method, target, fields.
    pub parts: Parts,
    /// How its body is delimited.
    pub framing: Framing,
    /// The length of the body, where the sender declared it.
    pub length: Option<u64>,
    /// Whether another request may follow.
    pub keeps_alive: bool,
    /// Whether the sender waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// Where the digits of the only `Content-Length` lie in the head.
    pub(super) digits: Option<(usize, usize)>,
}

/// Where the head ends that the input begins with; `None` when its end is not there. The first
/// `scanned` bytes are known to have no end.
///
/// # Errors
///
/// A line ends with LF alone.
pub(super) fn end(input: &[u8], scanned: usize) -> Result<Option<usize>, Problem> {
    let mut from = scanned;
    while let Some(next) = input
        .get(from..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
    {
        let at = from + next;
        match input.get(..at) {
            Some([.., b'\n', b'\r']) => return Ok(Some(at + 1)),
            Some([.., b'\r']) => from = at + 1,
            _ => {
                return Err(Problem::bad("a line of the head does not end with CR LF"));
            }
        }
    }
    Ok(None)
}

/// What the fields say about the connection and the body.
#[derive(Debug, Default)]
struct Said {
    length: Option<u64>,
    lengths: usize,
    digits: Option<(usize, usize)>,
    /// Whether there is a coding, whether the last is `chunked`, how many are not, and how many are.
    last_is_chunked: Option<bool>,
    foreign: usize,
    chunked: usize,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    hosts: usize,
}

impl Head {
    /// Reads a head, up to and with its empty line.
    ///
    /// # Errors
    ///
    /// The connection cannot be used any more: where the request ends is not certain.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(bytes) {
            Ok(Status::Complete(len)) if len == bytes.len() => {}
            Ok(_other) => return Err(Problem::bad("the head does not end where it should")),
            Err(error) => return Err(not_parsed(error)),
        }
        let mut parts = http::Request::new(()).into_parts().0;
        let old = request.version == Some(0);
        parts.version = if old {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        };
        let method = request.method.unwrap_or_default();
        parts.method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Problem::bad("the method is no token"))?;
        let target = request.path.unwrap_or_default();
        if target.len() > TARGET_BYTES_MAX {
            return Err(Problem::TARGET_TOO_LONG);
        }
        parts.uri =
            Uri::try_from(target).map_err(|_| Problem::bad("the target is no path and no URL"))?;
        let mut said = Said::default();
        parts.headers.reserve(request.headers.len());
        for field in &*request.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes())
                .map_err(|_| Problem::bad(FIELD_NAME))?;
            let value =
                HeaderValue::from_bytes(field.value).map_err(|_| Problem::bad(FIELD_VALUE))?;
            let at = field.value.as_ptr().addr() - bytes.as_ptr().addr();
            said.hear(&name, field.value, at)?;
            parts.headers.append(name, value);
        }
        said.head(parts, old)
    }
}

const FIELD_NAME: &str = "a header field's name is no token, or blanks come before it or its colon";
const FIELD_VALUE: &str = "a header field's value has a character that it must not have";

const fn not_parsed(error: Error) -> Problem {
    match error {
        Error::TooManyHeaders => Problem::TOO_MANY,
        Error::Version => Problem::VERSION,
        Error::HeaderName => Problem::bad(FIELD_NAME),
        Error::HeaderValue => Problem::bad(FIELD_VALUE),
        Error::NewLine => Problem::bad("a line of the head does not end with CR LF"),
        Error::Token | Error::Status => Problem::bad("the request line is malformed"),
    }
}

impl Said {
    /// Takes a field whose value lies at `at` in the head.
    fn hear(&mut self, name: &HeaderName, value: &[u8], at: usize) -> Result<(), Problem> {
        match *name {
            header::CONTENT_LENGTH => {
                let length = number(value).ok_or(Problem::bad(
                    "Content-Length is no number, or one that does not fit 64 bits",
                ))?;
                if self.length.is_some_and(|known| known != length) {
                    return Err(Problem::bad("there are several different Content-Lengths"));
                }
                self.length = Some(length);
                self.lengths += 1;
                self.digits = (self.lengths == 1).then_some((at, at + value.len()));
            }
            header::TRANSFER_ENCODING => {
                for coding in tokens(value) {
                    let chunked = coding.eq_ignore_ascii_case(b"chunked");
                    self.last_is_chunked = Some(chunked);
                    self.chunked += usize::from(chunked);
                    self.foreign += usize::from(!chunked);
                }
            }
            header::CONNECTION => {
                for option in tokens(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            header::EXPECT => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            header::HOST => {
                self.hosts += 1;
                if self.hosts > 1 {
                    return Err(Problem::bad("there are several Host fields"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The head, where what was said fits together.
    ///
    /// - Source: RFC 9112, section 6.3.
    fn head(self, parts: Parts, old: bool) -> Result<Head, Problem> {
        let framing = match self.last_is_chunked {
            None => Framing::Length(self.length.unwrap_or(0)),
            Some(_) if old => {
                return Err(Problem::bad("HTTP/1.0 has no Transfer-Encoding"));
            }
            Some(_) if self.length.is_some() => {
                return Err(Problem::bad(
                    "there are both Content-Length and Transfer-Encoding; send one of them",
                ));
            }
            Some(false) => {
                return Err(Problem::bad(
                    "the last coding of Transfer-Encoding is not chunked",
                ));
            }
            Some(true) if self.chunked > 1 => {
                return Err(Problem::bad("Transfer-Encoding names chunked twice"));
            }
            Some(true) if self.foreign > 0 => return Err(Problem::CODING),
            Some(true) => Framing::Chunked,
        };
        Ok(Head {
            parts,
            framing,
            length: self.length,
            keeps_alive: !self.close && (!old || self.keep_alive),
            expects_continue: self.expects_continue && !old && framing != Framing::Length(0),
            digits: self.digits,
        })
    }
}

/// The elements of a list; an empty one is an element too.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits and nothing else as a number.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<Head, Problem> {
        let text = lines.join("\r\n") + "\r\n\r\n";
        assert_eq!(end(text.as_bytes(), 0), Ok(Some(text.len())), "{text}");
        Head::parse(text.as_bytes())
    }

    fn post(fields: &[&str]) -> Result<Head, Problem> {
        let lines = [&["POST /v1/traces HTTP/1.1", "Host: it"], fields].concat();
        parse(&lines)
    }

    #[test]
    fn a_head_is_read() {
        let head = post(&["Content-Type: a", "content-LENGTH:\t012 ", "X: 1", "x: 2"]).unwrap();
        assert_eq!(head.parts.method, Method::POST);
        assert_eq!(head.parts.uri.path(), "/v1/traces");
        assert_eq!(head.parts.headers.get_all("x").iter().count(), 2);
        assert_eq!(head.framing, Framing::Length(12));
        assert_eq!(head.length, Some(12));
        assert!(head.keeps_alive && !head.expects_continue);
        let absolute = parse(&["GET http://here/v1/logs?x HTTP/1.1"]).unwrap();
        assert_eq!(absolute.parts.uri.path(), "/v1/logs");
        assert_eq!(absolute.framing, Framing::Length(0));
        assert_eq!(absolute.length, None);
    }

    #[test]
    fn the_end_of_a_head_is_found_from_anywhere() {
        let text = b"GET / HTTP/1.1\r\nA: b\r\n\r\nGET";
        let found = text.len() - 3;
        for scanned in 0..found {
            assert_eq!(end(text, scanned), Ok(Some(found)), "{scanned}");
            assert_eq!(end(&text[..found - 1], scanned), Ok(None));
        }
        for bare in [
            &b"GET / HTTP/1.1\n"[..],
            b"GET / HTTP/1.1\r\nA: b\n\r\n",
            b"\n",
        ] {
            assert_eq!(end(bare, 0).unwrap_err().status, 400);
        }
    }

    #[test]
    fn a_connection_goes_on_or_not() {
        let keeps = |line: &str, fields: &[&str]| {
            let lines = [&[line], fields].concat();
            parse(&lines).unwrap().keeps_alive
        };
        let (new, old) = ("GET / HTTP/1.1", "GET / HTTP/1.0");
        assert!(keeps(new, &[]));
        assert!(!keeps(new, &["Connection: x, CLOSE"]));
        assert!(!keeps(
            new,
            &["Connection: close", "Connection: keep-alive"]
        ));
        assert!(!keeps(old, &[]));
        assert!(keeps(old, &["Connection: Keep-Alive"]));
        assert!(!keeps(old, &["Connection: keep-alive, close"]));
    }

    #[test]
    fn continue_is_expected_only_where_a_body_comes() {
        let expects = |fields: &[&str]| post(fields).unwrap().expects_continue;
        assert!(expects(&["Expect: 100-Continue", "Content-Length: 1"]));
        assert!(expects(&[
            "Expect: 100-continue",
            "Transfer-Encoding: chunked"
        ]));
        assert!(!expects(&["Expect: 100-continue"]));
        assert!(!expects(&["Expect: else", "Content-Length: 1"]));
        let old = parse(&[
            "POST / HTTP/1.0",
            "Expect: 100-continue",
            "Content-Length: 1",
        ]);
        assert!(!old.unwrap().expects_continue);
    }

    #[test]
    fn chunked_is_the_only_coding() {
        for fields in [
            &["Transfer-Encoding: chunked"][..],
            &["transfer-encoding:  CHUNKED  "],
        ] {
            assert_eq!(post(fields).unwrap().framing, Framing::Chunked);
        }
        let status = |fields: &[&str]| post(fields).unwrap_err().status.as_u16();
        assert_eq!(status(&["Transfer-Encoding: gzip, chunked"]), 501);
        assert_eq!(
            status(&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]),
            501
        );
        for wrong in [
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked,",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding:",
            "Transfer-Encoding: \x0Bchunked",
        ] {
            assert_eq!(status(&[wrong]), 400, "{wrong}");
        }
    }

    #[test]
    fn a_length_that_programs_read_differently_is_refused() {
        assert_eq!(
            post(&["Content-Length: 5", "Content-Length: 5"])
                .unwrap()
                .length,
            Some(5)
        );
        for wrong in [
            &["Content-Length: 5", "Content-Length: 6"][..],
            &["Content-Length: 5", "Transfer-Encoding: chunked"],
            &["Transfer-Encoding: chunked", "Content-Length: 5"],
            &["Content-Length: 5, 5"],
            &["Content-Length: +5"],
            &["Content-Length: -5"],
            &["Content-Length: 0x5"],
            &["Content-Length: 5 5"],
            &["Content-Length:"],
            &["Content-Length: 18446744073709551616"],
            &["Host: other"],
        ] {
            assert_eq!(post(wrong).unwrap_err().status, 400, "{wrong:?}");
        }
        let old = parse(&["POST / HTTP/1.0", "Transfer-Encoding: chunked"]);
        assert_eq!(old.unwrap_err().status, 400);
    }

    #[test]
    fn a_head_that_programs_read_differently_is_refused() {
        for wrong in [
            &["GET / HTTP/1.1", "Host : it"][..],
            &["GET / HTTP/1.1", " Host: it"],
            &["GET / HTTP/1.1", "A: b", " folded"],
            &["GET / HTTP/1.1", "A: b", "\tfolded"],
            &["GET / HTTP/1.1", "A: b\0c"],
            &["GET / HTTP/1.1", "A: b\rc"],
            &["GET / HTTP/1.1", ": b"],
            &["GET / HTTP/1.1", "A"],
            &["GET / HTTP/1.1", "A(: b"],
            &["GET  / HTTP/1.1"],
            &["GET / HTTP/1.1 "],
            &["GET /"],
            &["G(T / HTTP/1.1"],
            &["GET /\u{1} HTTP/1.1"],
        ] {
            let found = parse(wrong).map(|head| head.parts);
            assert_eq!(
                found.map_err(|it| it.status.as_u16()).err(),
                Some(400),
                "{wrong:?}"
            );
        }
        for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1"] {
            let status = parse(&[&format!("GET / {version}")]).unwrap_err().status;
            assert_eq!(status, 505, "{version}");
        }
    }

    #[test]
    fn fields_and_targets_have_bounds() {
        let with = |count: usize| {
            let fields = vec!["A: b"; count];
            parse(&[&["GET / HTTP/1.1"], fields.as_slice()].concat())
        };
        assert!(with(FIELDS_MAX).is_ok());
        assert_eq!(with(FIELDS_MAX + 1).unwrap_err().status, 431);
        let to = |bytes: usize| parse(&[&format!("GET /{} HTTP/1.1", "x".repeat(bytes))]);
        assert!(to(TARGET_BYTES_MAX - 1).is_ok());
        assert_eq!(to(TARGET_BYTES_MAX).unwrap_err().status, 414);
    }
}
