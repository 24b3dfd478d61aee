//! The console collector: prints a readable summary of what arrives.

mod items;
mod pace;
mod page;
mod profiles;
#[cfg(test)]
mod tests;
mod text;

use std::{
    env,
    io::{self, IsTerminal, Write},
    time::SystemTime,
};

use bytes::Bytes;
use prost::DecodeError;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use self::{pace::Pace, text::Paint};
use super::embedded::{Arrival, Collect, Embedded};
use crate::{
    outcome::{Outcome, Reason, Refusal},
    rt,
    signal::Signal,
};

/// Summaries that wait for a slow terminal at the most; what comes on top is not shown.
///
/// - Source: chosen: what [`Pace`] lets through in a few seconds.
const SUMMARIES_WAITING_MAX: usize = 512;

/// Starts a console collector on a free port.
pub(super) fn start() -> io::Result<Embedded> {
    let paint = Paint {
        on: io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()),
    };
    Embedded::start("otlp-console", 1, move || Console::new(paint, io::stdout()))
}

/// The summary of one request, as it was at a time, in lines.
///
/// # Errors
///
/// Where the body is not the message that it should be.
pub(super) fn summary(
    signal: Signal,
    body: Bytes,
    at: SystemTime,
    colours: bool,
) -> Result<String, DecodeError> {
    Ok(page::of(signal, body, at, Paint { on: colours })?.text)
}

/// Prints requests as summaries, and refuses those that cannot be read.
///
/// - Cost: a summary costs decoding the request; what [`Pace`] holds back is not decoded.
struct Console {
    paint: Paint,
    pace: Pace,
    out: NonBlocking,
    /// Ends the writing thread after what waits has been written.
    writer: Option<WorkerGuard>,
}

impl Console {
    fn new(paint: Paint, out: impl Write + Send + 'static) -> Self {
        let (out, writer) = NonBlockingBuilder::default()
            .buffered_lines_limit(SUMMARIES_WAITING_MAX)
            .thread_name("otlp-print")
            .finish(out);
        Self {
            paint,
            pace: Pace::new(rt::now()),
            out,
            writer: Some(writer),
        }
    }

    /// Says what was held back in the second that is over.
    fn tell_held(&mut self) {
        if let Some(held) = self.pace.turn(rt::now()) {
            let line = self.paint.dim(&format!("… {held}: too fast to print"));
            self.print(&format!("{line}\n"));
        }
    }

    /// Hands a whole summary over, so that log lines come before or after it.
    fn print(&mut self, text: &str) {
        // With standard output gone there is nobody left to show anything to.
        drop(self.out.write_all(text.as_bytes()));
    }
}

impl Collect for Console {
    fn collect(&mut self, arrival: Arrival) -> Outcome {
        let Arrival {
            signal,
            items,
            body,
        } = arrival;
        self.tell_held();
        if !self.pace.may_print() {
            self.pace.hold(signal, items);
            return Outcome::Accepted;
        }
        match page::of(signal, body, rt::unix_time(), self.paint) {
            Ok(page) => {
                self.pace.printed(page.lines);
                self.print(&page.text);
                Outcome::Accepted
            }
            Err(error) => {
                let message = format!("the console cannot read a {signal} request: {error}");
                self.pace.printed(1);
                self.print(&format!("{}\n", self.paint.red(&message)));
                Outcome::Refused(Refusal::permanent(Reason::Malformed, message))
            }
        }
    }

    fn tick(&mut self) {
        self.tell_held();
    }

    fn finish(&mut self) {
        if let Some(held) = self.pace.rest() {
            self.print(&format!("… {held}: too fast to print\n"));
        }
        drop(self.writer.take());
    }
}
