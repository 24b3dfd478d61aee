//! Telemetry as text that is safe and short: escaped, cut, coloured where that helps.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

use crate::signal::Signal;

/// Characters of one value, a log body aside.
const VALUE_CHARS_MAX: usize = 60;

/// Attributes of one line.
const ATTRIBUTES_MAX: usize = 6;

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub on: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }
}

/// A text of bounded length in which nothing can move a cursor or hide.
#[derive(Debug)]
pub(super) struct Safe {
    text: String,
    left: usize,
    cut: bool,
}

impl Safe {
    pub(super) const fn new(chars_max: usize) -> Self {
        Self {
            text: String::new(),
            left: chars_max,
            cut: false,
        }
    }

    /// Appends text from telemetry.
    pub(super) fn push(&mut self, text: &str) {
        for character in text.chars() {
            if self.is_full() {
                return;
            }
            if is_harmless(character) {
                self.text.push(character);
                self.left -= 1;
            } else {
                let escape = character.escape_debug().to_string();
                let escape = if escape.starts_with('\\') {
                    escape
                } else {
                    character.escape_unicode().to_string()
                };
                self.left = self.left.saturating_sub(escape.len());
                self.text.push_str(&escape);
            }
        }
    }

    /// Whether nothing more fits; then whoever asks has more, and the text is marked as cut.
    fn is_full(&mut self) -> bool {
        self.cut |= self.left == 0;
        self.cut
    }

    pub(super) fn push_value(&mut self, value: Option<&AnyValue>) {
        match value.and_then(|value| value.value.as_ref()) {
            None => self.push("-"),
            Some(Value::StringValue(text)) => self.push(text),
            Some(Value::BoolValue(value)) => self.push(&value.to_string()),
            Some(Value::IntValue(value)) => self.push(&value.to_string()),
            Some(Value::DoubleValue(value)) => self.push(&value.to_string()),
            Some(Value::BytesValue(bytes)) => self.push(&format!("<{} bytes>", bytes.len())),
            Some(Value::StringValueStrindex(index)) => self.push(&format!("<string {index}>")),
            Some(Value::ArrayValue(array)) => {
                self.push_all(["[", "]"], &array.values, |safe, value| {
                    safe.push_value(Some(value));
                });
            }
            Some(Value::KvlistValue(list)) => {
                self.push_all(["{", "}"], &list.values, |safe, pair| {
                    safe.push(&pair.key);
                    safe.push("=");
                    safe.push_value(pair.value.as_ref());
                });
            }
        }
    }

    fn push_all<T>(&mut self, around: [&str; 2], all: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.push(around[0]);
        for (place, one) in all.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if place > 0 {
                self.push(", ");
            }
            each(self, one);
        }
        self.push(around[1]);
    }

    pub(super) fn finish(mut self) -> String {
        if self.cut {
            self.text.push('…');
        }
        self.text
    }
}

/// Whether a terminal shows the character as itself, in its place.
///
/// - Source: Unicode 16: the controls, the bidirectional formats of UAX #9, line and paragraph
///   separators, and characters of no width.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text from telemetry, safe and of at most `chars_max` characters.
pub(super) fn safe(text: &str, chars_max: usize) -> String {
    let mut safe = Safe::new(chars_max);
    safe.push(text);
    safe.finish()
}

/// The first attributes as `key=value`, and how many more there are.
pub(super) fn attributes(attributes: &[KeyValue]) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().take(ATTRIBUTES_MAX) {
        let mut pair = Safe::new(VALUE_CHARS_MAX);
        pair.push(&attribute.key);
        pair.push("=");
        pair.push_value(attribute.value.as_ref());
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&pair.finish());
    }
    let more = attributes.len().saturating_sub(ATTRIBUTES_MAX);
    if more > 0 {
        text.push_str(&format!(" +{more}"));
    }
    text
}

/// The text of the attribute with this key, where there is one.
pub(super) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let mut text = Safe::new(VALUE_CHARS_MAX);
    text.push_value(found.value.as_ref());
    Some(text.finish())
}

/// The first eight digits of an id.
pub(super) fn short_id(id: &[u8]) -> String {
    id.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Nanoseconds in the unit that reads best.
pub(super) fn duration(nanoseconds: u64) -> String {
    let (unit, size) = match nanoseconds {
        0..1_000 => return format!("{nanoseconds} ns"),
        1_000..1_000_000 => ("us", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let tenths = nanoseconds / (size / 10);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// The time of day of a Unix time in nanoseconds, UTC.
pub(super) fn clock(unix_nanoseconds: u64) -> String {
    let milliseconds = unix_nanoseconds / 1_000_000 % 86_400_000;
    let seconds = milliseconds / 1000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        milliseconds % 1000
    )
}

/// What one item of the signal is called.
pub(super) const fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "span",
        Signal::Metrics => "metric point",
        Signal::Logs => "log record",
        Signal::Profiles => "profile sample",
    }
}

/// A count with its noun.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
