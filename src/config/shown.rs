//! A value as it is shown: as TOML that reads back, or as JSON.

use serde_json::Value;

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(u64),
    /// A number with a fraction.
    Decimal(f64),
    /// A text, or a value with a unit.
    Text(String),
    /// Texts in order.
    List(Vec<String>),
    /// Named texts in order.
    Table(Vec<(String, String)>),
}

impl Shown {
    /// The same shape without what it holds.
    #[must_use]
    pub fn redacted(self) -> Self {
        match self {
            Self::Table(pairs) => Self::Table(
                pairs
                    .into_iter()
                    .map(|(name, _)| (name, REDACTED.to_owned()))
                    .collect(),
            ),
            Self::List(texts) => Self::List(texts.iter().map(|_| REDACTED.to_owned()).collect()),
            _ => Self::Text(REDACTED.to_owned()),
        }
    }

    /// The value in TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        match self {
            Self::Bool(flag) => flag.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => format!("{number:?}"),
            Self::Text(text) => quote(text),
            Self::List(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Table(pairs) if pairs.is_empty() => "{}".to_owned(),
            Self::Table(pairs) => {
                let pair =
                    |(name, text): &(String, String)| format!("{} = {}", bare(name), quote(text));
                let pairs: Vec<String> = pairs.iter().map(pair).collect();
                format!("{{ {} }}", pairs.join(", "))
            }
        }
    }

    /// The value in JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::from(*flag),
            Self::Integer(number) => Value::from(*number),
            Self::Decimal(number) => Value::from(*number),
            Self::Text(text) => Value::from(text.as_str()),
            Self::List(texts) => Value::from(texts.as_slice()),
            Self::Table(pairs) => pairs
                .iter()
                .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
                .collect(),
        }
    }
}

/// A name as a key of TOML, in quotes where it has to be.
fn bare(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        quote(name)
    }
}

/// A text as a basic string of TOML.
fn quote(text: &str) -> String {
    // JSON's escapes are TOML's, but for the one character that JSON leaves bare.
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
