//! A collector's URL: `http://host:port/path` or `host:port`.

use std::net::Ipv6Addr;

use super::problem::Complaint;

/// The parts of a collector's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path without a trailing slash; empty for none.
    pub path: String,
}

/// Why TLS is refused, in one place for every key that could ask for it.
pub const NO_TLS: &str = "TLS is not part of this version: data would travel in the clear";

/// Parses a URL.
///
/// # Errors
///
/// What is wrong, and how to write it. A URL that holds a password is not shown.
pub fn parse(text: &str) -> Result<Url, Complaint> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    match scheme.to_ascii_lowercase().as_str() {
        "" | "http" => {}
        "https" | "grpcs" => {
            return Err(Complaint::new(
                format!("{} is refused: {NO_TLS}", shown(text)),
                "write http:// for a collector on a trusted network, \
                 or put a proxy that speaks TLS in between",
            )
            .hide(text));
        }
        other => {
            return Err(Complaint::new(
                format!("the scheme {other:?} is not known"),
                "write http://host:port",
            )
            .hide(text));
        }
    }
    let (authority, path) = rest
        .find('/')
        .map_or((rest, ""), |slash| rest.split_at(slash));
    if authority.contains('@') {
        return Err(Complaint::new(
            "a URL with a user name or password is refused",
            "move the credentials to headers, for example authorization = \"Basic …\"",
        )
        .secret());
    }
    if rest.contains(['?', '#']) || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Complaint::new(
            "the URL has a query, a fragment or a character that a path cannot hold",
            "write http://host:port/path in ASCII, other characters percent-encoded",
        )
        .secret());
    }
    let (host, port) = split_authority(authority, text)?;
    Ok(Url {
        host,
        port,
        path: path.trim_end_matches('/').to_owned(),
    })
}

fn split_authority(authority: &str, text: &str) -> Result<(String, u16), Complaint> {
    let no_port = || {
        Complaint::new(
            format!("{text:?} has no port"),
            "write it out: 4317 is the custom for gRPC, 4318 for OTLP/HTTP, 80 for plain HTTP",
        )
    };
    let no_host = || {
        Complaint::new(
            format!("{text:?} does not name a host"),
            "write http://host:port, an IPv6 address in brackets: http://[::1]:4317",
        )
    };
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or_else(no_host)?;
        host.parse::<Ipv6Addr>().map_err(|_| no_host())?;
        (host, after.strip_prefix(':').ok_or_else(no_port)?)
    } else {
        let (host, port) = authority.split_once(':').ok_or_else(no_port)?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        // Source: RFC 1035, section 2.3.4: a name has at most 255 octets on the wire.
        if host.is_empty() || host.len() > 253 || port.contains(':') || !host.bytes().all(known) {
            return Err(no_host());
        }
        (host, port)
    };
    if port.is_empty() {
        return Err(no_port());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host.to_ascii_lowercase(), port)),
        _ => Err(Complaint::new(
            format!("the port {port:?} of {text:?} is not a number from 1 to 65535"),
            "write the collector's port, for example 4317",
        )),
    }
}

/// The URL in quotes, or a stand-in where it may hold a password.
fn shown(text: &str) -> String {
    if text.contains('@') {
        "a URL with credentials".to_owned()
    } else {
        format!("{text:?}")
    }
}

impl Complaint {
    /// The same complaint, with the line hidden where the URL may hold a password.
    fn hide(self, text: &str) -> Self {
        if text.contains('@') {
            self.secret()
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(host: &str, port: u16, path: &str) -> Url {
        Url {
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        }
    }

    #[test]
    fn urls_and_bare_addresses_are_read() {
        assert_eq!(
            parse("http://collector:4317").unwrap(),
            url("collector", 4317, "")
        );
        assert_eq!(
            parse("Collector.local:4318/").unwrap(),
            url("collector.local", 4318, "")
        );
        assert_eq!(
            parse("http://[::1]:4318/otlp/").unwrap(),
            url("::1", 4318, "/otlp")
        );
        assert_eq!(parse("10.0.0.1:1").unwrap(), url("10.0.0.1", 1, ""));
    }

    #[test]
    fn each_wrong_url_is_refused_with_its_own_reason() {
        for (text, reason) in [
            ("https://c:4317", "TLS is not part"),
            ("unix://x", "scheme"),
            ("http://c", "has no port"),
            ("c:", "has no port"),
            ("c:0", "from 1 to 65535"),
            ("c:70000", "from 1 to 65535"),
            (":4317", "does not name a host"),
            ("::1:4317", "does not name a host"),
            ("[::g]:4317", "does not name a host"),
            ("c:1/?a", "query"),
            ("", "has no port"),
        ] {
            let complaint = parse(text).unwrap_err();
            assert!(
                complaint.what.contains(reason),
                "{text:?}: {}",
                complaint.what
            );
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "http://u:hunter2@c:1",
            "https://u:hunter2@c:1",
            "ftp://u:hunter2@c:1",
            "u:hunter2@c:1",
        ] {
            let complaint = parse(text).unwrap_err();
            assert!(
                complaint.secret && !complaint.what.contains("hunter2"),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            drop(parse(&text));
        }
    }
}
