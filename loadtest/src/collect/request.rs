//! What a request says it is: signal, form, compression. Pure.

use http::{Method, header, request::Parts};

use super::{answer::Answer, inflate::Coding};
use crate::{
    rpc::Code,
    telemetry::{Encoding, Signal},
};

/// How a request is framed and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A gRPC call: length-prefixed message, status in trailers.
    Grpc,
    /// OTLP/HTTP in protobuf.
    Protobuf,
    /// OTLP/HTTP in JSON.
    Json,
}

impl Form {
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Grpc | Self::Protobuf => Encoding::Protobuf,
            Self::Json => Encoding::Json,
        }
    }

    /// The form that a request has by its content type, whatever else is wrong with it.
    fn of(parts: &Parts) -> Option<Self> {
        let value = parts.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media = value.split(';').next().unwrap_or_default().trim();
        Some(match media {
            "application/grpc" | "application/grpc+proto" => Self::Grpc,
            "application/x-protobuf" => Self::Protobuf,
            "application/json" => Self::Json,
            _ => return None,
        })
    }
}

/// The head of an export request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) form: Form,
    pub(super) signal: Signal,
    pub(super) coding: Coding,
}

const PATHS: [(Signal, &str, &str); 3] = [
    (
        Signal::Traces,
        "/v1/traces",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ),
    (
        Signal::Metrics,
        "/v1/metrics",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ),
    (
        Signal::Logs,
        "/v1/logs",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ),
];

impl Head {
    /// Reads it, or says what to answer to something that is no export request.
    pub(super) fn read(parts: &Parts) -> Result<Self, Box<Answer>> {
        let path = parts.uri.path();
        let form = Form::of(parts);
        let spoken = form.unwrap_or(Form::Json);
        let refuse = |code: Code, status: u16, message: String| {
            Box::new(Answer::refusal(spoken, code, status, &message, None))
        };
        let grpc = form == Some(Form::Grpc);
        let at = |it: &&(Signal, &str, &str)| path == if grpc { it.2 } else { it.1 };
        let Some((signal, ..)) = PATHS.iter().find(at) else {
            let message =
                format!("{path} is not known: known are /v1/traces, /v1/metrics, /v1/logs");
            return Err(refuse(Code::UNIMPLEMENTED, 404, message));
        };
        if parts.method != Method::POST {
            let message = format!("{} is not allowed: use POST", parts.method);
            return Err(refuse(Code::INTERNAL, 405, message));
        }
        let Some(form) = form else {
            let message = "content-type: give application/grpc, application/x-protobuf or \
                           application/json";
            return Err(refuse(Code::INTERNAL, 415, message.to_owned()));
        };
        let name = if grpc {
            "grpc-encoding"
        } else {
            "content-encoding"
        };
        let coding = parts.headers.get(name).map_or(Ok(""), |it| it.to_str());
        match coding.ok().and_then(Coding::find) {
            Some(coding) => Ok(Self {
                form,
                signal: *signal,
                coding,
            }),
            None => {
                let message = format!("{name}: give identity, gzip or zstd");
                Err(refuse(Code::UNIMPLEMENTED, 415, message))
            }
        }
    }
}

/// Length of the prefix of a gRPC message: a flag and four bytes of length.
pub(super) const PREFIX: usize = 5;

/// The length of a call's only message with its prefix, if the prefix is there.
pub(super) fn grpc_length(start: &[u8]) -> Option<usize> {
    let length = start.get(1..PREFIX)?.try_into().ok()?;
    Some(PREFIX + usize::try_from(u32::from_be_bytes(length)).ok()?)
}

/// Takes the prefix off the only message of a call; whether the message is compressed.
pub(super) fn grpc_message(mut body: bytes::Bytes) -> Result<(bytes::Bytes, bool), String> {
    match (grpc_length(&body), body.first()) {
        (Some(length), Some(flag @ 0..=1)) if length == body.len() => {
            let compressed = *flag == 1;
            Ok((body.split_off(PREFIX), compressed))
        }
        _ => Err(format!(
            "a body of {} bytes is not one gRPC message with its length before it",
            body.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;

    fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Head, u16> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Head::read(&parts).map_err(|answer| answer.status.as_u16())
    }

    #[test]
    fn each_signal_has_its_path_in_each_form() {
        for (signal, http, grpc) in PATHS {
            for (kind, path, form) in [
                ("application/grpc", grpc, Form::Grpc),
                ("application/grpc+proto", grpc, Form::Grpc),
                ("application/x-protobuf", http, Form::Protobuf),
                ("application/json; charset=utf-8", http, Form::Json),
            ] {
                let read = head("POST", path, &[("content-type", kind)]);
                let coding = Coding::Identity;
                assert_eq!(
                    read,
                    Ok(Head {
                        form,
                        signal,
                        coding
                    })
                );
            }
        }
    }

    #[test]
    fn compression_is_named_by_the_header_of_the_form() {
        let grpc = [
            ("content-type", "application/grpc"),
            ("grpc-encoding", "zstd"),
        ];
        assert_eq!(
            head("POST", PATHS[0].2, &grpc).unwrap().coding,
            Coding::Zstd
        );
        let http = [
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ];
        assert_eq!(
            head("POST", "/v1/logs", &http).unwrap().coding,
            Coding::Gzip
        );
    }

    #[test]
    fn what_is_no_export_is_refused() {
        let json = ("content-type", "application/json");
        assert_eq!(head("POST", "/v1/profiles", &[json]), Err(404));
        assert_eq!(head("GET", "/v1/traces", &[json]), Err(405));
        assert_eq!(head("POST", "/v1/traces", &[]), Err(415));
        let brotli = ("content-encoding", "br");
        assert_eq!(head("POST", "/v1/traces", &[json, brotli]), Err(415));
        // A gRPC call is refused within gRPC.
        let grpc = ("content-type", "application/grpc");
        assert_eq!(head("POST", "/v1/traces", &[grpc]), Err(200));
    }

    #[test]
    fn a_message_is_taken_out_of_its_frame() {
        let message = |body: &'static [u8]| grpc_message(Bytes::from_static(body));
        let plain = message(b"\0\0\0\0\x02hi");
        assert_eq!(plain, Ok((Bytes::from_static(b"hi"), false)));
        let compressed = message(b"\x01\0\0\0\x02hi");
        assert_eq!(compressed, Ok((Bytes::from_static(b"hi"), true)));
        for wrong in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\0\x02h",
            b"\0\0\0\0\x02high",
            b"\x02\0\0\0\x02hi",
        ] {
            assert!(grpc_message(Bytes::copy_from_slice(wrong)).is_err());
        }
    }
}
