//! Every fault of a collector, and what it must come to.
//!
//! - Source: OTLP 1.11.0, "Failures" of OTLP/gRPC and of OTLP/HTTP.

use std::time::Duration;

use h2::Reason;

use super::{
    act::{Act, RetryAfter},
    collector::Wire,
};

/// What one attempt comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expect {
    /// The data is accepted.
    Taken,
    /// The data is accepted but for so many items, and is never sent again.
    TakenBut(i64),
    /// It is worth another attempt, no sooner than after this time.
    Again(Duration),
    /// It is refused for good, and is never sent again.
    Never,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) act: Act,
    pub(super) wire: Wire,
    pub(super) expect: Expect,
    /// The collector cannot have processed it, so that it may be sent again at once, once in an
    /// attempt.
    pub(super) unprocessed: bool,
}

/// The delay that a `RetryInfo` names.
const RETRY_INFO: Duration = Duration::from_millis(300);

/// Names of the gRPC codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for wire in Wire::ALL {
        rows.extend(of_the_connection(wire));
    }
    rows.extend(of_grpc());
    rows.extend(of_http());
    rows
}

fn row(wire: Wire, name: &str, act: Act, expect: Expect) -> Row {
    Row {
        name: format!("{} over {}", name, wire.protocol()),
        act,
        wire,
        expect,
        unprocessed: false,
    }
}

const AGAIN: Expect = Expect::Again(Duration::ZERO);

/// What both protocols have: sockets, time, bodies.
fn of_the_connection(wire: Wire) -> Vec<Row> {
    let row = |name, act, expect| row(wire, name, act, expect);
    // A page for people says nothing of a gRPC call; over HTTP a 2xx is a success, whatever is
    // in it.
    let page = match wire {
        Wire::Grpc => Expect::Never,
        Wire::Http1 => Expect::Taken,
    };
    vec![
        Row {
            unprocessed: true,
            ..row("closed at accept", Act::CloseAtAccept, AGAIN)
        },
        row("no answer", Act::Hang, AGAIN),
        row("an answer that stops", Act::HangMidAnswer, AGAIN),
        row("a reset instead of an answer", Act::Reset, AGAIN),
        row("an end instead of an answer", Act::Close, AGAIN),
        row("an answer that is cut", Act::CutAnswer, AGAIN),
        row(
            "a slow answer",
            Act::Slow(Duration::from_millis(100)),
            Expect::Taken,
        ),
        row("the last one of a connection", Act::LastOne, Expect::Taken),
        row("a partial success", Act::Partial(1), Expect::TakenBut(1)),
        row("an answer over the limit", Act::Huge, AGAIN),
        row("a page", Act::Page, page),
        // The collector said that it has the data: what else it says cannot undo that.
        row("a message that is cut", Act::CutMessage, Expect::Taken),
    ]
}

fn of_grpc() -> Vec<Row> {
    let row = |name: &str, act, expect| row(Wire::Grpc, name, act, expect);
    let mut rows = vec![
        row(
            "GOAWAY with an error",
            Act::GoAway(Reason::INTERNAL_ERROR),
            AGAIN,
        ),
        row(
            "GOAWAY, calm down",
            Act::GoAway(Reason::ENHANCE_YOUR_CALM),
            AGAIN,
        ),
        Row {
            unprocessed: true,
            ..row(
                "RST_STREAM, refused",
                Act::ResetStream(Reason::REFUSED_STREAM),
                AGAIN,
            )
        },
        row(
            "RST_STREAM, error",
            Act::ResetStream(Reason::INTERNAL_ERROR),
            AGAIN,
        ),
        row(
            "RST_STREAM, cancel",
            Act::ResetStream(Reason::CANCEL),
            AGAIN,
        ),
    ];
    for (code, name) in (1_u8..).zip(CODES.iter().skip(1)) {
        for delay in [None, Some(RETRY_INFO)] {
            let expect = match (code, delay) {
                (1 | 4 | 10 | 11 | 14 | 15, delay) => Expect::Again(delay.unwrap_or_default()),
                (8, Some(delay)) => Expect::Again(delay),
                _ => Expect::Never,
            };
            let with = if delay.is_some() {
                " with RetryInfo"
            } else {
                ""
            };
            rows.push(row(
                &format!("{name}{with}"),
                Act::Grpc(code, delay),
                expect,
            ));
        }
    }
    for status in [429, 502, 503, 504] {
        rows.push(row(
            &format!("HTTP {status}"),
            Act::Http(status, None),
            AGAIN,
        ));
    }
    for status in [401, 403, 404, 500] {
        rows.push(row(
            &format!("HTTP {status}"),
            Act::Http(status, None),
            Expect::Never,
        ));
    }
    rows
}

fn of_http() -> Vec<Row> {
    let row = |name: &str, act, expect| row(Wire::Http1, name, act, expect);
    let mut rows = Vec::new();
    for status in [429, 502, 503, 504] {
        rows.push(row(&status.to_string(), Act::Http(status, None), AGAIN));
        for (after, least) in [
            (RetryAfter::Seconds(1), Duration::from_secs(1)),
            // A second of it may pass before it is read.
            (RetryAfter::Date(2), Duration::from_secs(1)),
        ] {
            let name = format!("{status} with Retry-After {after:?}");
            rows.push(row(
                &name,
                Act::Http(status, Some(after)),
                Expect::Again(least),
            ));
        }
    }
    for status in [400, 401, 403, 404, 405, 408, 413, 415, 422, 500, 501] {
        for after in [None, Some(RetryAfter::Seconds(1))] {
            let name = format!("{status} with Retry-After {after:?}");
            rows.push(row(&name, Act::Http(status, after), Expect::Never));
        }
    }
    rows
}
