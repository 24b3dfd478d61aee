//! What an answer means, by the OTLP specification.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, StatusCode};
use prost::Message;

use crate::rpc::{Code, Status};

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Acknowledged in full.
    Accepted,
    /// Acknowledged but for so many items.
    Partial(u64),
    /// Refused for now; a delay may be named.
    Refused(Option<Duration>),
    /// Refused for good.
    Rejected,
    /// No answer that can be understood.
    Unanswered,
}

/// An answer, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// Its name: `OK`, `UNAVAILABLE`, `HTTP 429`, `timeout`, …
    pub(super) status: Cow<'static, str>,
    pub(super) verdict: Verdict,
}

impl Answer {
    pub(super) fn unanswered(status: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: status.into(),
            verdict: Verdict::Unanswered,
        }
    }

    /// Of a gRPC call: the trailers (or the head, when there is nothing else) and the body.
    pub(super) fn grpc(trailers: &HeaderMap, body: &[u8]) -> Self {
        let code = trailers
            .get("grpc-status")
            .and_then(|code| code.to_str().ok());
        let Some(code) = code.and_then(|code| code.parse::<usize>().ok()) else {
            return Self::unanswered("no grpc-status");
        };
        let verdict = match code {
            0 => match message(body).map(accepted) {
                None | Some(Verdict::Unanswered) => {
                    return Self::unanswered("OK, undecodable answer");
                }
                Some(verdict) => verdict,
            },
            // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
            1 | 4 | 10 | 11 | 14 | 15 => Verdict::Refused(retry_info(trailers)),
            // RESOURCE_EXHAUSTED may be repeated only when a delay says when.
            8 => retry_info(trailers)
                .map_or(Verdict::Rejected, |after| Verdict::Refused(Some(after))),
            _ => Verdict::Rejected,
        };
        Self::named(code, verdict)
    }

    fn named(code: usize, verdict: Verdict) -> Self {
        let status = Code::all().nth(code).map_or_else(
            || format!("grpc-status {code}").into(),
            |code| code.name().into(),
        );
        Self { status, verdict }
    }

    /// Of an HTTP request, or of a gRPC call that was not answered by gRPC.
    pub(super) fn http(
        status: StatusCode,
        headers: &HeaderMap,
        body: Body<'_>,
        now: SystemTime,
    ) -> Self {
        let verdict = match status.as_u16() {
            200..=299 => match body {
                Body::Protobuf(body) => accepted(body),
                Body::Json(body) => accepted_json(body),
                Body::Foreign => Verdict::Unanswered,
            },
            429 | 502 | 503 | 504 => Verdict::Refused(retry_after(headers, now)),
            _ => Verdict::Rejected,
        };
        let status = if verdict == Verdict::Unanswered {
            format!("HTTP {}, undecodable answer", status.as_u16()).into()
        } else if status == StatusCode::OK {
            // The usual one, without making a string of it.
            "HTTP 200".into()
        } else {
            format!("HTTP {}", status.as_u16()).into()
        };
        Self { status, verdict }
    }
}

/// The body of an HTTP answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    Protobuf(&'a [u8]),
    Json(&'a [u8]),
    /// Not an OTLP answer at all.
    Foreign,
}

/// The one message of an answer: a length of five bytes before it, not compressed.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (&[0, a, b, c, d], message) = body.split_first_chunk()? else {
        return None;
    };
    (message.len() == u32::from_be_bytes([a, b, c, d]) as usize).then_some(message)
}

/// `Export…ServiceResponse`: the same for all signals but for the name of the count.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    message: String,
}

fn accepted(message: &[u8]) -> Verdict {
    // Acknowledged in full is the empty message: nothing to decode.
    if message.is_empty() {
        return Verdict::Accepted;
    }
    match ExportResponse::decode(message) {
        Ok(answer) => partial(answer.partial_success.map_or(0, |partial| partial.rejected)),
        Err(_) => Verdict::Unanswered,
    }
}

fn accepted_json(body: &[u8]) -> Verdict {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Verdict::Unanswered;
    };
    let Some(success) = answer.get("partialSuccess") else {
        return Verdict::Accepted;
    };
    let rejected = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"]
        .iter()
        .find_map(|key| success.get(key));
    partial(match rejected {
        Some(serde_json::Value::String(count)) => count.parse().unwrap_or(0),
        Some(count) => count.as_i64().unwrap_or(0),
        None => 0,
    })
}

fn partial(rejected: i64) -> Verdict {
    match u64::try_from(rejected) {
        Ok(rejected) if rejected > 0 => Verdict::Partial(rejected),
        _ => Verdict::Accepted,
    }
}

/// The delay of a `google.rpc.RetryInfo` in `grpc-status-details-bin`.
fn retry_info(trailers: &HeaderMap) -> Option<Duration> {
    use base64::{Engine, alphabet, engine};
    // Padding is optional in gRPC's binary headers.
    const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
        &alphabet::STANDARD,
        engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
    );
    let details = BASE64
        .decode(trailers.get("grpc-status-details-bin")?)
        .ok()?;
    Status::decode(&details[..]).ok()?.retry_delay()
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use http::HeaderValue;

    use super::*;
    use crate::rpc::status::{Any, Delay, RetryInfo};

    const OK: &[u8] = &[0, 0, 0, 0, 0];

    fn trailers(status: &str) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_str(status).unwrap());
        trailers
    }

    fn with_delay(status: &str, seconds: i64, nanos: i32, padded: bool) -> HeaderMap {
        let delay = Delay { seconds, nanos };
        let info = RetryInfo { delay: Some(delay) };
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: info.encode_to_vec(),
        };
        let status_ = Status {
            details: vec![any],
            ..Status::default()
        };
        let mut text = BASE64_STANDARD.encode(status_.encode_to_vec());
        if !padded {
            text = text.trim_end_matches('=').into();
        }
        let mut trailers = trailers(status);
        trailers.insert("grpc-status-details-bin", text.parse().unwrap());
        trailers
    }

    fn rejected(count: i64) -> Vec<u8> {
        let message = "too old".into();
        let partial_success = Some(PartialSuccess {
            rejected: count,
            message,
        });
        let message = ExportResponse { partial_success }.encode_to_vec();
        let mut body = vec![0];
        body.extend((message.len() as u32).to_be_bytes());
        body.extend(message);
        body
    }

    #[test]
    fn grpc_acknowledgements() {
        let answer = Answer::grpc(&trailers("0"), OK);
        assert_eq!((&*answer.status, answer.verdict), ("OK", Verdict::Accepted));
        assert_eq!(
            Answer::grpc(&trailers("0"), &rejected(7)).verdict,
            Verdict::Partial(7)
        );
        // A message alone is a warning, not a loss.
        assert_eq!(
            Answer::grpc(&trailers("0"), &rejected(0)).verdict,
            Verdict::Accepted
        );
        for body in [
            &b""[..],
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 1, 255],
        ] {
            let answer = Answer::grpc(&trailers("0"), body);
            assert_eq!(answer.verdict, Verdict::Unanswered, "{body:?}");
        }
        assert_eq!(
            Answer::grpc(&HeaderMap::new(), OK).verdict,
            Verdict::Unanswered
        );
    }

    #[test]
    fn grpc_refusals() {
        let second = Duration::from_secs(1);
        for (code, name) in Code::all().map(Code::name).enumerate().skip(1) {
            let code_ = code.to_string();
            let bare = Answer::grpc(&trailers(&code_), b"");
            assert_eq!(bare.status, name);
            let delayed = Answer::grpc(&with_delay(&code_, 1, 0, true), b"").verdict;
            match code {
                1 | 4 | 10 | 11 | 14 | 15 => {
                    assert_eq!(bare.verdict, Verdict::Refused(None));
                    assert_eq!(delayed, Verdict::Refused(Some(second)));
                }
                8 => {
                    assert_eq!(bare.verdict, Verdict::Rejected);
                    assert_eq!(delayed, Verdict::Refused(Some(second)));
                }
                _ => {
                    assert_eq!(bare.verdict, Verdict::Rejected);
                    assert_eq!(delayed, Verdict::Rejected);
                }
            }
        }
        let unpadded = Answer::grpc(&with_delay("14", 2, 500_000_000, false), b"");
        assert_eq!(
            unpadded.verdict,
            Verdict::Refused(Some(Duration::from_millis(2500)))
        );
        assert_eq!(Answer::grpc(&trailers("99"), b"").status, "grpc-status 99");
    }

    #[test]
    fn http_answers() {
        let now = SystemTime::now();
        let none = HeaderMap::new();
        let of = |status: u16, headers: &HeaderMap, body: Body<'_>| {
            let status = StatusCode::from_u16(status).unwrap();
            Answer::http(status, headers, body, now).verdict
        };
        let empty = Body::Protobuf(b"");
        assert_eq!(of(200, &none, empty), Verdict::Accepted);
        assert_eq!(
            of(200, &none, Body::Protobuf(&rejected(3)[5..])),
            Verdict::Partial(3)
        );
        assert_eq!(of(200, &none, Body::Protobuf(b"\xff")), Verdict::Unanswered);
        assert_eq!(of(200, &none, Body::Foreign), Verdict::Unanswered);
        assert_eq!(of(200, &none, Body::Json(b"{}")), Verdict::Accepted);
        assert_eq!(of(200, &none, Body::Json(b"<html>")), Verdict::Unanswered);
        for body in [
            &br#"{"partialSuccess":{"rejectedSpans":"4"}}"#[..],
            br#"{"partialSuccess":{"rejectedLogRecords":4,"errorMessage":"x"}}"#,
            br#"{"partialSuccess":{"rejectedDataPoints":"4"}}"#,
        ] {
            assert_eq!(of(200, &none, Body::Json(body)), Verdict::Partial(4));
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(of(status, &none, empty), Verdict::Refused(None));
        }
        for status in [400, 401, 404, 413, 500] {
            assert_eq!(of(status, &none, empty), Verdict::Rejected);
        }
    }

    #[test]
    fn retry_after_comes_in_seconds_or_as_a_date() {
        // HTTP dates have whole seconds.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(3));
        let past = httpdate::fmt_http_date(now - Duration::from_secs(3));
        for (value, delay) in [
            ("2", Some(2)),
            (&*date, Some(3)),
            (&*past, Some(0)),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().unwrap());
            assert_eq!(
                retry_after(&headers, now),
                delay.map(Duration::from_secs),
                "{value}"
            );
        }
    }
}
