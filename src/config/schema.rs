//! The schema: one row per key, from which files, variables, flags, checks, `otlp config`,
//! deploy/otlp.toml and docs/configuration.md all derive.

use std::{net::SocketAddr, time::Duration};

use http::HeaderName;

use super::{
    draft::{Draft, Trigger},
    environment::variable_of,
    keys,
    problem::Complaint,
    source::Origin,
    units::{show_bytes, show_duration},
    url::Url,
};

/// A group of keys that are explained together.
#[derive(Debug)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// The keys, in the order in which they are shown.
    pub keys: &'static [Key],
}

/// One row: everything that is known about a key.
#[derive(Debug)]
pub struct Key {
    /// Its name in a file, with dots between tables.
    pub path: &'static str,
    /// A second name in a file and for `--set`; the path wins over it.
    pub alias: Option<&'static str>,
    /// What its values are, and where they go.
    pub kind: Kind,
    /// The default, as a variable would spell it; empty for none.
    pub default: &'static str,
    /// A value for the documents where there is no default.
    pub example: &'static str,
    /// What one of a whole number is.
    pub unit: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// What a larger or smaller value costs; empty for nothing worth a word.
    pub cost: &'static str,
    /// Further variables of our own; the mechanical one wins over them.
    pub variables: &'static [&'static str],
    /// Variables that others defined. They are taken where no flag and no variable of ours sets
    /// the key, and they win over the file.
    pub fallbacks: &'static [&'static str],
    /// Whether its values are never shown.
    pub secret: bool,
    /// Whether the program acts on it.
    pub state: State,
}

/// A row with nothing in it, to be completed.
pub const KEY: Key = Key {
    path: "",
    alias: None,
    kind: Kind::Bool(|_, _| {}),
    default: "",
    example: "",
    unit: "",
    doc: "",
    cost: "",
    variables: &[],
    fallbacks: &[],
    secret: false,
    state: State::InEffect,
};

/// Whether the program acts on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    InEffect,
    /// The value is checked and then not used; the sentence says what happens instead.
    NotInEffect(&'static str),
    /// A value is an error; the sentences say why and what to do.
    Refused(&'static str, &'static str),
}

/// Words and what each of them does.
pub type Words = &'static [(&'static str, fn(&mut Draft))];

/// What the values of a key are, and where a value goes.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool(fn(&mut Draft, bool)),
    /// A whole number.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
        /// Where it goes.
        set: fn(&mut Draft, u64),
    },
    /// A number with a fraction.
    Decimal {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// Where it goes.
        set: fn(&mut Draft, f64),
    },
    /// A duration with units.
    Duration {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
        /// Where it goes.
        set: fn(&mut Draft, Duration),
    },
    /// A number of bytes with or without a unit.
    Bytes {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
        /// Where it goes.
        set: fn(&mut Draft, u64),
    },
    /// One of a few words.
    Choice {
        /// The words and what each does.
        words: Words,
        /// Words that are known elsewhere, and why they are refused here.
        refused: &'static [(&'static str, &'static str)],
    },
    /// Some of a few words.
    Choices {
        /// The words.
        words: &'static [&'static str],
        /// Where they go; each word is one of `words`.
        set: fn(&mut Draft, &[String]),
    },
    /// A text.
    Text {
        /// What it has to be, in words.
        form: &'static str,
        /// Checks it and brings it into its one form.
        parse: fn(&str) -> Result<String, Complaint>,
        /// Where it goes.
        set: fn(&mut Draft, String),
    },
    /// `address:port`, or `off`.
    Address(fn(&mut Draft, Option<SocketAddr>)),
    /// One collector's URL or several.
    Urls(fn(&mut Draft, Vec<(Url, Origin)>)),
    /// A table of HTTP headers.
    Headers(fn(&mut Draft, Vec<(String, String)>)),
    /// Names of HTTP headers.
    HeaderNames(fn(&mut Draft, Vec<HeaderName>)),
    /// A list of `{ type, threshold }`.
    Triggers(fn(&mut Draft, Vec<Trigger>)),
}

impl Kind {
    /// The kind and its range, in words.
    #[must_use]
    pub fn describe(&self, unit: &str) -> String {
        let quoted = |word: &str| format!("{word:?}");
        match self {
            Self::Bool(_) => "true or false".to_owned(),
            Self::Integer { min, max, .. } if unit.is_empty() => {
                format!("a whole number from {min} to {max}")
            }
            Self::Integer { min, max, .. } => {
                format!("a whole number of {unit} from {min} to {max}")
            }
            Self::Decimal { min, max, .. } => format!("a number from {min} to {max}"),
            Self::Duration { min, max, .. } => {
                let (min, max) = (show_duration(*min), show_duration(*max));
                format!("a duration from {min} to {max}")
            }
            Self::Bytes { min, max, .. } => {
                format!("a size from {} to {}", show_bytes(*min), show_bytes(*max))
            }
            Self::Choice { words, .. } => {
                let words: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
                words.join(" or ")
            }
            Self::Choices { words, .. } => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                format!("a list of {}", words.join(", "))
            }
            Self::Text { form, .. } => (*form).to_owned(),
            Self::Address(_) => "an address and a port, or \"off\"".to_owned(),
            Self::Urls(_) => "a URL or a list of URLs".to_owned(),
            Self::Headers(_) => "a table of texts".to_owned(),
            Self::HeaderNames(_) => "a header name or a list of header names".to_owned(),
            Self::Triggers(_) => {
                "a list of { type = \"high_error_rate\", threshold = over 0, to 1 } or \
                 { type = \"high_latency\", threshold = 1ms to 1h }"
                    .to_owned()
            }
        }
    }
}

impl Key {
    /// The key's own variable.
    #[must_use]
    pub fn variable(&self) -> String {
        variable_of(self.path)
    }

    /// Every variable of ours that sets the key, the strongest first.
    pub fn own_variables(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.variable())
            .chain(self.alias.map(variable_of))
            .chain(self.variables.iter().map(|name| (*name).to_owned()))
    }

    /// The first part of the path: the name of its table, or of itself.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.path.split('.').next().unwrap_or(self.path)
    }

    /// What the value has to be, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        self.kind.describe(self.unit)
    }
}

/// Every section.
#[must_use]
pub fn sections() -> &'static [Section] {
    keys::SECTIONS
}

/// Every key.
pub fn all() -> impl Iterator<Item = &'static Key> {
    sections().iter().flat_map(|section| section.keys)
}

/// The key of a path or of a second name.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    all()
        .find(|key| key.path == path)
        .or_else(|| all().find(|key| key.alias == Some(path)))
}

/// Whether a path is a table of keys.
#[must_use]
pub fn is_table(path: &str) -> bool {
    all().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_and_no_variable_stands_for_two_keys() {
        let names: Vec<&str> = all()
            .flat_map(|key| [Some(key.path), key.alias])
            .flatten()
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let variables: Vec<String> = all()
            .flat_map(|key| {
                key.own_variables()
                    .chain(key.fallbacks.iter().map(|name| (*name).to_owned()))
            })
            .collect();
        assert_eq!(
            variables.iter().collect::<BTreeSet<_>>().len(),
            variables.len()
        );
    }

    #[test]
    fn every_key_says_what_it_does_and_shows_a_value() {
        for key in all() {
            assert!(key.doc.ends_with('.'), "{}", key.path);
            assert!(
                !key.default.is_empty() || !key.example.is_empty(),
                "{}",
                key.path
            );
        }
    }
}
