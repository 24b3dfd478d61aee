//! What the terminal can show.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};

use crate::results::Results;

use super::summary::summary;

/// Columns where nobody says how many there are: a pipe, a file.
const COLUMNS: usize = 80;

/// Where a summary is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Whether it shows colours, and they are wanted.
    pub colour: bool,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
}

impl Screen {
    /// What standard output is.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let columns = rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0);
        Self {
            width: columns.unwrap_or(COLUMNS),
            colour: stdout.is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            unicode: unicode(|name| std::env::var_os(name)),
        }
    }

    /// The closing summary, in what this screen can show.
    #[must_use]
    pub fn summary(self, results: &Results) -> String {
        let text = summary(results, self.width, self.colour);
        if self.unicode { text } else { ascii(&text) }
    }
}

/// Whether the locale is one of UTF-8; the first variable that is set decides.
fn unicode<T: AsRef<OsStr>>(variable: impl Fn(&str) -> Option<T>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable)
        .map(|value| value.as_ref().to_string_lossy().to_ascii_lowercase())
        .find(|value| !value.is_empty())
        .is_some_and(|value| value.contains("utf-8") || value.contains("utf8"))
}

/// The same text in ASCII, each character by one, so that columns stay where they are.
fn ascii(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '✓' => '+',
            '✗' | '×' => 'x',
            'µ' => 'u',
            '–' | '·' | '─' => '-',
            '±' => '~',
            '…' => '.',
            character if character.is_ascii() => character,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let locale = |all: &'static str, lang: &'static str| {
            move |name: &str| match name {
                "LC_ALL" => Some(all),
                "LANG" => Some(lang),
                _ => None,
            }
        };
        assert!(unicode(locale("", "en_GB.UTF-8")));
        assert!(unicode(locale("C.utf8", "C")));
        assert!(!unicode(locale("C", "en_GB.UTF-8")));
        assert!(!unicode(|_| None::<&str>));
    }

    #[test]
    fn ascii_keeps_the_columns() {
        let text = "✓ 1.20–1.31 µs · 2.00× ±4 %";
        let plain = ascii(text);
        assert!(plain.is_ascii());
        assert_eq!(plain.chars().count(), text.chars().count());
        assert_eq!(plain, "+ 1.20-1.31 us - 2.00x ~4 %");
    }
}
