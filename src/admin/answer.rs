//! Requests in, answers out: the paths, their types, and what is said where something is wrong.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{health::Phase, state::AdminState, words};
use crate::{metrics::View, rt};

/// Whether the process lives, for who restarts it.
const HEALTH: &str = "/health";
/// Whether the process takes data, for who sends it some.
const READY: &str = "/ready";
/// The metrics, in the Prometheus text format.
const METRICS: &str = "/metrics";
/// The status, in JSON.
const STATUS: &str = "/api/status";
/// The status page, and what it is made of.
const PAGE: &str = "/";
const PAGE_STYLE: &str = "/status.css";
const PAGE_SCRIPT: &str = "/status.js";

/// Every path that is served.
pub const PATHS: [&str; 7] = [
    PAGE,
    HEALTH,
    READY,
    METRICS,
    STATUS,
    PAGE_STYLE,
    PAGE_SCRIPT,
];

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// - Source: Prometheus documentation, "Exposition formats", text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the page may load and do: its own style, its own script, its own status.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers one request to the admin port. `accept` is the value of the `accept` header.
///
/// An answer to `HEAD` has the headers of the answer to `GET` and no body.
///
/// - Shard: none; it reads counters and never makes a shard wait.
/// - Cost: about 1 ms for the metrics, less for everything else.
#[must_use]
pub fn respond(
    state: &AdminState,
    method: &Method,
    path: &str,
    query: Option<&str>,
    accept: Option<&str>,
) -> Response<Bytes> {
    let known = PATHS.contains(&path);
    if known && *method != Method::GET && *method != Method::HEAD {
        let sentence = format!("{method} is not served; ask for {path} with GET or HEAD\n");
        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, sentence.into());
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = match path {
        HEALTH => health(state.health.phase()),
        READY => ready(state),
        METRICS => metrics(state, query),
        STATUS => status(state),
        PAGE if wants_json(accept) => status(state),
        PAGE => page("text/html; charset=utf-8", include_str!("page/status.html")),
        PAGE_STYLE => page("text/css; charset=utf-8", include_str!("page/status.css")),
        PAGE_SCRIPT => page(
            "text/javascript; charset=utf-8",
            include_str!("page/status.js"),
        ),
        _ => unknown(path),
    };
    if *method == Method::HEAD {
        response.body_mut().clear();
    }
    response
}

fn health(phase: Phase) -> Response<Bytes> {
    answer(code_of(phase.is_live()), TEXT, format!("{phase}\n").into())
}

/// Ready is a process that takes data. A collector that fails does not change that: another
/// process would see the same one. So what is known of collectors and spool is told beside it.
fn ready(state: &AdminState) -> Response<Bytes> {
    let phase = state.health.phase();
    let more = words::lines(&state.summary());
    answer(
        code_of(phase.is_ready()),
        TEXT,
        format!("{phase}\n{more}").into(),
    )
}

const fn code_of(good: bool) -> StatusCode {
    if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn metrics(state: &AdminState, query: Option<&str>) -> Response<Bytes> {
    if !state.metrics_enabled {
        let sentence = "metrics are switched off; set monitoring.metrics_enabled = true\n";
        return answer(
            StatusCode::NOT_FOUND,
            TEXT,
            Bytes::from_static(sentence.as_bytes()),
        );
    }
    match per_shard(query) {
        Some(per_shard) => {
            let text = state.registry.render(View { per_shard }, rt::unix_time());
            answer(StatusCode::OK, EXPOSITION, text.into())
        }
        None => {
            let sentence = "per_shard is true or false: /metrics?per_shard=true\n";
            answer(
                StatusCode::BAD_REQUEST,
                TEXT,
                Bytes::from_static(sentence.as_bytes()),
            )
        }
    }
}

/// The value of `per_shard` in a query; other names are not ours to judge.
fn per_shard(query: Option<&str>) -> Option<bool> {
    let mut pairs = query.unwrap_or_default().split('&');
    match pairs.find_map(|pair| pair.strip_prefix("per_shard=")) {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some(_) => None,
    }
}

fn status(state: &AdminState) -> Response<Bytes> {
    match state.status() {
        Ok(json) => answer(StatusCode::OK, JSON, json.into()),
        Err(error) => {
            let sentence = format!("the status cannot be written as JSON: {error}\n");
            answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, sentence.into())
        }
    }
}

/// Whether a client asks the page's path for JSON: it names JSON and not HTML.
fn wants_json(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains(JSON) && !accept.contains("text/html"))
}

fn page(content_type: &'static str, text: &'static str) -> Response<Bytes> {
    let mut response = answer(
        StatusCode::OK,
        content_type,
        Bytes::from_static(text.as_bytes()),
    );
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn unknown(path: &str) -> Response<Bytes> {
    let hint = if path.starts_with("/v1") {
        "; telemetry goes to the OTLP port, 4317 or 4318 where nothing else is set"
    } else {
        ""
    };
    let sentence = format!(
        "nothing is served here{hint}; ask for {PAGE}, {HEALTH}, {READY}, {METRICS} or {STATUS}\n"
    );
    answer(StatusCode::NOT_FOUND, TEXT, sentence.into())
}

fn answer(code: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests;
