//! The timeline: colours in a terminal, plain text elsewhere.

use std::io::{IsTerminal, Write, stdout};

/// How something looks.
#[derive(Clone, Copy)]
pub enum Style {
    Title,
    Plain,
    Good,
    Bad,
    Note,
}

/// Where the timeline goes.
pub struct Screen {
    has_colours: bool,
}

impl Screen {
    pub fn new() -> Self {
        Self {
            has_colours: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// A line of the timeline, at once. A reader that has gone is no error.
    pub fn line(&self, style: Style, text: &str) {
        let code = match style {
            Style::Title => "1",
            Style::Plain => "0",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Note => "33",
        };
        let mut out = stdout().lock();
        let written = if self.has_colours {
            writeln!(out, "\x1b[{code}m{text}\x1b[0m")
        } else {
            writeln!(out, "{text}")
        };
        drop(written.and_then(|()| out.flush()));
    }
}
