//! Path and headers in, a call out: what is sent, over which transport, how it is packed.

use std::time::Duration;

use http::{HeaderMap, Method, header, request::Parts};

use crate::{
    encoding::Encoding,
    metrics::Transport,
    outcome::{Reason, Refusal},
    signal::Signal,
    wire::grpc,
};

/// One Export from a sender, before its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub signal: Signal,
    pub transport: Transport,
    /// How the body is packed; over gRPC, how a compressed message would be.
    pub encoding: Encoding,
    /// The body's length, where the sender declared it.
    pub length: Option<usize>,
    /// How long the sender waits, where it says so.
    pub timeout: Option<Duration>,
}

/// How the answer to a call is to be written, known even where the call itself is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

impl Dialect {
    pub(super) const fn transport(self) -> Transport {
        match self {
            Self::Grpc => Transport::Grpc,
            Self::HttpProtobuf | Self::HttpJson => Transport::Http,
        }
    }

    /// The dialect of a request, by its content type.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let media_type = media_type(headers);
        if media_type.is_some_and(is_grpc) {
            Self::Grpc
        } else if media_type.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
            Self::HttpJson
        } else {
            Self::HttpProtobuf
        }
    }
}

/// The media type, without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

fn is_grpc(media: &str) -> bool {
    let Some((start, rest)) = media.split_at_checked("application/grpc".len()) else {
        return false;
    };
    start.eq_ignore_ascii_case("application/grpc") && (rest.is_empty() || rest.starts_with('+'))
}

impl Call {
    /// Opens a call.
    pub(super) fn open(dialect: Dialect, parts: &Parts) -> Result<Self, Refusal> {
        match dialect {
            Dialect::Grpc => Self::open_grpc(parts),
            Dialect::HttpProtobuf | Dialect::HttpJson => Self::open_http(dialect, parts),
        }
    }

    fn open_grpc(parts: &Parts) -> Result<Self, Refusal> {
        if parts.version != http::Version::HTTP_2 {
            return Err(Refusal::permanent(
                Reason::Unsupported,
                "gRPC needs HTTP/2; over HTTP/1.1 send application/x-protobuf",
            ));
        }
        let path = parts.uri.path();
        let signal = Signal::from_grpc_path(path).ok_or_else(|| {
            Refusal::permanent(Reason::UnknownPath, format!("{path} is no OTLP method"))
        })?;
        let media = media_type(&parts.headers).unwrap_or_default();
        if let Some((_, format)) = media.split_once('+')
            && !format.eq_ignore_ascii_case("proto")
        {
            return Err(Refusal::permanent(
                Reason::Unsupported,
                format!("messages of {media} are not served; send application/grpc+proto"),
            ));
        }
        let encoding = encoding(&parts.headers, "grpc-encoding")?;
        Ok(Self {
            signal,
            transport: Transport::Grpc,
            encoding,
            length: None,
            timeout: timeout(&parts.headers),
        })
    }

    fn open_http(dialect: Dialect, parts: &Parts) -> Result<Self, Refusal> {
        let path = parts.uri.path();
        let signal = Signal::from_http_path(path).ok_or_else(|| {
            Refusal::permanent(
                Reason::UnknownPath,
                format!(
                    "{path} is no OTLP path; these are: /v1/traces, /v1/metrics, /v1/logs, \
                     /v1development/profiles"
                ),
            )
        })?;
        if parts.method != Method::POST {
            return Err(Refusal::permanent(
                Reason::WrongMethod,
                format!("{} is not served at {path}; use POST", parts.method),
            ));
        }
        let media = media_type(&parts.headers).unwrap_or_default();
        if dialect == Dialect::HttpJson || !media.eq_ignore_ascii_case("application/x-protobuf") {
            return Err(Refusal::permanent(
                Reason::Unsupported,
                format!("the content type \"{media}\" is not served; send application/x-protobuf"),
            ));
        }
        let encoding = encoding(&parts.headers, header::CONTENT_ENCODING.as_str())?;
        let length = parts
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok());
        Ok(Self {
            signal,
            transport: Transport::Http,
            encoding,
            length,
            timeout: None,
        })
    }
}

/// The `grpc-timeout` of a call; one that cannot be read says nothing.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    grpc::decode_timeout(headers.get("grpc-timeout")?.as_bytes())
}

fn encoding(headers: &HeaderMap, name: &str) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(Encoding::Identity);
    };
    Encoding::from_name(value.as_bytes()).ok_or_else(|| {
        Refusal::permanent(
            Reason::Unsupported,
            format!(
                "the compression \"{}\" is not served; send gzip, zstd or none",
                String::from_utf8_lossy(value.as_bytes())
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn open(request: http::request::Builder) -> Result<Call, Refusal> {
        let parts = request.body(()).unwrap().into_parts().0;
        Call::open(Dialect::of(&parts.headers), &parts)
    }

    fn post(path: &str, media: &str) -> http::request::Builder {
        Request::post(path).header("content-type", media)
    }

    #[test]
    fn a_media_type_is_read_without_its_parameters_and_in_any_case() {
        for media in [
            "application/x-protobuf",
            "Application/X-Protobuf; charset=utf-8",
        ] {
            let call = open(post("/v1/logs", media)).unwrap();
            assert_eq!(
                (call.signal, call.transport),
                (Signal::Logs, Transport::Http)
            );
        }
        for media in [
            "application/grpc",
            "application/grpc+proto",
            "APPLICATION/GRPC",
        ] {
            let request = post(Signal::Metrics.grpc_path(), media).version(http::Version::HTTP_2);
            assert_eq!(open(request).unwrap().signal, Signal::Metrics);
        }
    }

    #[test]
    fn h9_each_wrong_request_has_its_own_status() {
        let status = |request| open(request).unwrap_err().http_status();
        assert_eq!(status(post("/v1/spans", "application/x-protobuf")), 404);
        assert_eq!(status(Request::get("/v1/traces")), 405);
        assert_eq!(status(post("/v1/traces", "text/plain")), 415);
        assert_eq!(status(Request::post("/v1/traces")), 415);
        assert_eq!(status(post("/v1/traces", "application/grpc")), 415);
        assert_eq!(
            status(post("/v1/traces", "application/x-protobuf").header("content-encoding", "br")),
            415
        );
    }

    #[test]
    fn g5_an_unknown_method_or_encoding_is_unimplemented() {
        let request = |path: &str| post(path, "application/grpc").version(http::Version::HTTP_2);
        let code = |request| open(request).unwrap_err().code().number();
        assert_eq!(code(request("/opentelemetry.proto.Nothing/Export")), 12);
        assert_eq!(
            code(request(Signal::Traces.grpc_path()).header("grpc-encoding", "snappy")),
            12
        );
    }
}
