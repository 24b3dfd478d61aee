//! HTTP headers that go to a collector: which may be set, and the text form of a list of them.

use http::{HeaderName, HeaderValue};

use super::problem::Complaint;
use crate::headers::is_own;

/// The pairs of `name=value,name2=value2`, values percent-decoded.
///
/// - Source: OpenTelemetry specification, "OTLP exporter", headers: the form of W3C Baggage
///   without its properties.
///
/// # Errors
///
/// The part that is not a pair. Values are not shown.
pub fn from_text(text: &str) -> Result<Vec<(String, String)>, Complaint> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                Complaint::new(
                    "a part of the list has no =",
                    "write name=value,name2=value2, a comma inside a value as %2C",
                )
                .secret()
            })?;
            let name = name.trim();
            let value = percent_decode(value.trim()).ok_or_else(|| {
                Complaint::new(
                    format!("the value of {name:?} is not percent-encoded UTF-8"),
                    "write a percent sign as %25",
                )
                .secret()
            })?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let code = digit(*digits.first()?)? * 16 + digit(*digits.last()?)?;
            bytes.push(u8::try_from(code).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The header's name in lower case, where the header may be set beside `others`.
///
/// # Errors
///
/// Why not, without the value.
pub fn check(name: &str, value: &str, others: &[(String, String)]) -> Result<String, Complaint> {
    let refuse = |what: String, fix: &str| Err(Complaint::new(what, fix).secret());
    let Ok(known) = HeaderName::from_bytes(name.as_bytes()) else {
        return refuse(
            format!("{name:?} is not a header name"),
            "use letters, digits and hyphens, for example x-tenant",
        );
    };
    let known = known.as_str();
    if is_own(known) {
        return refuse(
            format!("the header {known:?} is written by the forwarder itself"),
            "remove it",
        );
    }
    if HeaderValue::from_str(value).is_err() {
        return refuse(
            format!("the value of {known:?} holds a character that a header cannot hold"),
            "use printable ASCII",
        );
    }
    if others.iter().any(|(other, _)| other == known) {
        return refuse(
            format!("the header {known:?} is given twice (case does not matter)"),
            "keep one of the two",
        );
    }
    Ok(known.to_owned())
}

/// The name of a sender's header that goes on, where it may beside `others`.
///
/// # Errors
///
/// Why not.
pub fn check_name(name: &str, others: &[HeaderName]) -> Result<HeaderName, Complaint> {
    let Ok(known) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(Complaint::new(
            format!("{name:?} is not a header name"),
            "use letters, digits and hyphens, for example x-scope-orgid",
        ));
    };
    if is_own(known.as_str()) {
        return Err(Complaint::new(
            format!(
                "the header {:?} is written by the forwarder itself, so a sender's cannot go on",
                known.as_str()
            ),
            "remove it",
        ));
    }
    if others.contains(&known) {
        return Err(Complaint::new(
            format!(
                "the header {:?} is given twice (case does not matter)",
                known.as_str()
            ),
            "keep one of the two",
        ));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_headers_is_percent_decoded() {
        let pairs = from_text("api-key=a%2Cb%3D=, x = 1 ,").unwrap();
        assert_eq!(
            pairs,
            [
                ("api-key".to_owned(), "a,b==".to_owned()),
                ("x".to_owned(), "1".to_owned())
            ]
        );
        for text in ["key", "key=%", "key=%4", "key=%zz", "key=%ff"] {
            assert!(from_text(text).unwrap_err().secret, "{text:?}");
        }
    }

    #[test]
    fn a_header_that_the_forwarder_writes_cannot_be_set() {
        for name in ["Content-Type", "grpc-timeout", "host", "a b", ""] {
            assert!(check(name, "x", &[]).is_err(), "{name:?}");
        }
        let others = [("x-a".to_owned(), "1".to_owned())];
        assert!(check("X-A", "2", &others).is_err());
        assert!(check("x-b", "a\nb", &others).is_err());
        assert_eq!(check("X-B", "2", &others).unwrap(), "x-b");
    }

    #[test]
    fn a_header_that_the_forwarder_writes_cannot_go_on() {
        let own = [
            "Content-Type",
            "TE",
            "host",
            "grpc-timeout",
            "transfer-encoding",
            ":path",
            "a b",
            "",
        ];
        for name in own {
            assert!(check_name(name, &[]).is_err(), "{name:?}");
        }
        let known = check_name("X-Scope-OrgID", &[]).unwrap();
        assert_eq!(known.as_str(), "x-scope-orgid");
        assert!(check_name("x-scope-orgid", &[known]).is_err());
        assert_eq!(check_name("Authorization", &[]).unwrap(), "authorization");
    }
}
