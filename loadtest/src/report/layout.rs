//! Texts in the columns of a terminal.

/// A text over at most two lines.
pub(super) fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    const INDENT: &str = "  ";
    let fits = text
        .char_indices()
        .filter(|(_, character)| *character == ' ')
        .map(|(place, _)| place)
        .take_while(|place| text[..*place].chars().count() <= width)
        .last();
    let (first, second) = match fits {
        Some(place) if text.chars().count() > width => text.split_at(place),
        _ => (text, ""),
    };
    let second = (!second.is_empty()).then(|| cut(&format!("{INDENT}{}", second.trim()), width));
    std::iter::once(cut(first, width)).chain(second)
}

/// A text at the right of its column, one blank at least before it.
pub(super) fn right(text: &str, column: usize) -> String {
    let text = shortened(text, column.saturating_sub(1));
    format!("{text:>column$}")
}

/// A text that fits, with what is missing marked. Control characters are left out: a name must
/// not move the cursor.
pub(super) fn cut(text: &str, width: usize) -> String {
    let text: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    shortened(text.trim_end(), width)
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Colours, where they are wanted.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.with("1;33", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_fit_and_moves_no_cursor() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut("a\u{1b}[2Jb", 10), "a [2Jb");
        assert_eq!(right("ab", 4), "  ab");
    }

    #[test]
    fn a_long_text_goes_on_in_a_second_line() {
        let lines = |text, width| wrapped(text, width).collect::<Vec<_>>();
        assert_eq!(lines("one two", 7), ["one two"]);
        assert_eq!(lines("one two three", 9), ["one two", "  three"]);
        assert_eq!(lines("one two three four", 9), ["one two", "  three …"]);
        assert_eq!(lines("unbroken", 4), ["unb…"]);
    }

    #[test]
    fn colours_only_where_wanted() {
        assert_eq!(Paint { colour: false }.bad("x"), "x");
        assert_eq!(Paint { colour: true }.bad("x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
