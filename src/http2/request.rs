//! The fields of a request's header block as an HTTP request head.

use http::{HeaderName, HeaderValue, Method, Uri, Version, request::Parts};

/// The fields make no request: the stream is reset.
///
/// - Source: RFC 9113, section 8.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Takes the fields of one header block in their order.
#[derive(Debug)]
pub struct Builder {
    method: Option<Method>,
    scheme: Option<()>,
    path: Option<Uri>,
    authority: bool,
    rest: bool,
    malformed: bool,
    parts: Parts,
    length: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        let mut parts = http::Request::new(()).into_parts().0;
        parts.version = Version::HTTP_2;
        Self {
            method: None,
            scheme: None,
            path: None,
            authority: false,
            rest: false,
            malformed: false,
            parts,
            length: None,
        }
    }
}

impl Builder {
    /// Takes one field.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        self.malformed |= self.take(name, value).is_err();
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        if let [b':', pseudo @ ..] = name {
            return self.take_pseudo(pseudo, value);
        }
        self.rest = true;
        if name.iter().any(u8::is_ascii_uppercase) || is_of_a_connection(name, value) {
            return Err(Malformed);
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Malformed)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Malformed)?;
        if name == http::header::CONTENT_LENGTH {
            let text = value.to_str().map_err(|_| Malformed)?;
            let length = text.parse().map_err(|_| Malformed)?;
            if self.length.is_some_and(|known| known != length) {
                return Err(Malformed);
            }
            self.length = Some(length);
        }
        self.parts.headers.append(name, value);
        Ok(())
    }

    /// Each pseudo-header at most once, and before all others.
    fn take_pseudo(&mut self, pseudo: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let again = match pseudo {
            b"method" => {
                let method = Method::from_bytes(value).map_err(|_| Malformed)?;
                self.method.replace(method).is_some()
            }
            b"scheme" => self.scheme.replace(()).is_some(),
            b"path" => {
                let path = Uri::try_from(value).map_err(|_| Malformed)?;
                self.path.replace(path).is_some()
            }
            b"authority" => std::mem::replace(&mut self.authority, true),
            _unknown => return Err(Malformed),
        };
        if again || self.rest {
            return Err(Malformed);
        }
        Ok(())
    }

    /// The head, and the length of the body where the sender declared it.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when a field is not allowed or one that must be there is not.
    pub fn finish(self) -> Result<(Parts, Option<u64>), Malformed> {
        let mut parts = self.parts;
        match (self.malformed, self.method, self.scheme, self.path) {
            (false, Some(method), Some(()), Some(path)) => {
                parts.method = method;
                parts.uri = path;
                Ok((parts, self.length))
            }
            _ => Err(Malformed),
        }
    }
}

/// Fields that are about one connection of HTTP/1.1, which HTTP/2 does not allow.
///
/// - Source: RFC 9113, section 8.2.2.
fn is_of_a_connection(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade" => {
            true
        }
        b"te" => value != b"trailers",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PSEUDO: [(&str, &str); 4] = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/v1/traces"),
        (":authority", "here"),
    ];

    fn build(fields: &[(&str, &str)]) -> Result<(Parts, Option<u64>), Malformed> {
        let mut builder = Builder::default();
        for (name, value) in fields {
            builder.field(name.as_bytes(), value.as_bytes());
        }
        builder.finish()
    }

    #[test]
    fn a_request_is_put_together() {
        let mut fields = PSEUDO.to_vec();
        fields.extend([
            ("te", "trailers"),
            ("content-length", "7"),
            ("x", "1"),
            ("x", "2"),
        ]);
        let (parts, length) = build(&fields).unwrap();
        assert_eq!(parts.method, Method::POST);
        assert_eq!(parts.uri.path(), "/v1/traces");
        assert_eq!(parts.headers.get_all("x").iter().count(), 2);
        assert_eq!(length, Some(7));
    }

    #[test]
    fn what_http_2_forbids_is_malformed() {
        for wrong in [
            ("Upper", "case"),
            ("connection", "close"),
            ("te", "gzip"),
            (":status", "200"),
            (":path", "/twice"),
            ("content-length", "-1"),
            ("bad value", "x"),
        ] {
            let mut fields = PSEUDO.to_vec();
            fields.push(wrong);
            assert_eq!(build(&fields).err(), Some(Malformed), "{wrong:?}");
        }
        for missing in [":method", ":scheme", ":path"] {
            let fields: Vec<_> = PSEUDO
                .into_iter()
                .filter(|(name, _)| *name != missing)
                .collect();
            assert_eq!(build(&fields).err(), Some(Malformed), "{missing}");
        }
        let mut late = vec![("x", "1")];
        late.extend(PSEUDO);
        assert_eq!(build(&late).err(), Some(Malformed));
        let mut two = PSEUDO.to_vec();
        two.extend([("content-length", "1"), ("content-length", "2")]);
        assert_eq!(build(&two).err(), Some(Malformed));
    }
}
