//! One value of a key: from the tree's texts to its type, within its range.

use std::net::SocketAddr;

use super::{
    draft::Draft,
    problem::{Complaint, Problem},
    read_many::Reader,
    schema::{Key, Kind},
    shown::Shown,
    tree::{Node, Tree},
    units::{parse_bytes, parse_duration, show_bytes, show_duration},
};

/// A value that holds: how it is shown, and how it enters the configuration.
pub struct Parsed {
    /// How it is shown.
    pub shown: Shown,
    /// Puts it into the configuration.
    pub apply: Box<dyn FnOnce(&mut Draft)>,
}

impl Parsed {
    /// A value that is shown as `shown` and entered by `apply`.
    pub fn new(shown: Shown, apply: impl FnOnce(&mut Draft) + 'static) -> Self {
        Self {
            shown,
            apply: Box::new(apply),
        }
    }
}

/// Reads a value of `key`; what is wrong with it goes to `problems`.
pub fn read(key: &Key, node: &Node, problems: &mut Vec<Problem>) -> Option<Parsed> {
    let mut reader = Reader { key, problems };
    match &key.kind {
        Kind::Urls(set) => reader.urls(node, *set),
        Kind::Choices { words, set } => reader.choices(node, words, *set),
        Kind::Headers(set) => reader.headers(node, *set),
        Kind::HeaderNames(set) => reader.header_names(node, *set),
        Kind::Triggers(set) => reader.triggers(node, *set),
        kind => {
            let Tree::Scalar(text) = &node.value else {
                let what = format!("{} is no value for this key", node.value.noun());
                return reader.refuse(&node.origin, Complaint::new(what, reader.wanted()));
            };
            match scalar(key, kind, text.trim()) {
                Ok(parsed) => Some(parsed),
                Err(complaint) => reader.refuse(&node.origin, complaint),
            }
        }
    }
}

/// Reads a value that is one text.
fn scalar(key: &Key, kind: &Kind, text: &str) -> Result<Parsed, Complaint> {
    let wanted = || format!("write {}", key.describe());
    let not = |what: &str| Complaint::new(format!("{text:?} is not {what}"), wanted());
    let out_of_range = |shown: String| {
        Complaint::new(
            format!("{shown} is out of range"),
            format!("write {}", key.describe()),
        )
    };
    match kind {
        Kind::Bool(set) => {
            let set = *set;
            let flag = text.parse::<bool>().map_err(|_| not("true or false"))?;
            Ok(Parsed::new(Shown::Bool(flag), move |draft| {
                set(draft, flag);
            }))
        }
        Kind::Integer { min, max, set } => {
            let set = *set;
            let number: i128 = text.parse().map_err(|_| not("a whole number"))?;
            let number = u64::try_from(number)
                .ok()
                .filter(|number| (min..=max).contains(&number));
            let number = number.ok_or_else(|| out_of_range(text.to_owned()))?;
            Ok(Parsed::new(Shown::Integer(number), move |draft| {
                set(draft, number);
            }))
        }
        Kind::Decimal { min, max, set } => {
            let set = *set;
            let number: f64 = text.parse().map_err(|_| not("a number"))?;
            if !(*min..=*max).contains(&number) {
                return Err(out_of_range(text.to_owned()));
            }
            Ok(Parsed::new(Shown::Decimal(number), move |draft| {
                set(draft, number);
            }))
        }
        Kind::Duration { min, max, set } => {
            let set = *set;
            let duration = parse_duration(text)?;
            if !(min..=max).contains(&&duration) {
                return Err(out_of_range(text.to_owned()));
            }
            let shown = Shown::Text(show_duration(duration));
            Ok(Parsed::new(shown, move |draft| set(draft, duration)))
        }
        Kind::Bytes { min, max, set } => {
            let set = *set;
            let bytes = parse_bytes(text)?;
            if !(min..=max).contains(&&bytes) {
                return Err(out_of_range(text.to_owned()));
            }
            Ok(Parsed::new(shown_bytes(bytes), move |draft| {
                set(draft, bytes);
            }))
        }
        Kind::Choice { words, refused } => {
            if let Some((word, set)) = words.iter().find(|(word, _)| *word == text) {
                let set = *set;
                return Ok(Parsed::new(Shown::Text((*word).to_owned()), set));
            }
            Err(match refused.iter().find(|(word, _)| *word == text) {
                Some((_, why)) => Complaint::new(format!("{text:?} is refused: {why}"), wanted()),
                None => not(&key.describe()),
            })
        }
        Kind::Text { parse, set, .. } => {
            let set = *set;
            let text = parse(text)?;
            Ok(Parsed::new(Shown::Text(text.clone()), move |draft| {
                set(draft, text);
            }))
        }
        Kind::Address(set) => {
            let set = *set;
            let address = address(text)?;
            let shown = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
            Ok(Parsed::new(Shown::Text(shown), move |draft| {
                set(draft, address);
            }))
        }
        Kind::Choices { .. }
        | Kind::Urls(_)
        | Kind::Headers(_)
        | Kind::HeaderNames(_)
        | Kind::Triggers(_) => Err(not(&key.describe())),
    }
}

/// A byte count as the largest unit that divides it, or as a bare number.
fn shown_bytes(bytes: u64) -> Shown {
    let text = show_bytes(bytes);
    if text.ends_with('B') {
        Shown::Text(text)
    } else {
        Shown::Integer(bytes)
    }
}

fn address(text: &str) -> Result<Option<SocketAddr>, Complaint> {
    if text == "off" {
        return Ok(None);
    }
    let numeric = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    if let Ok(address) = numeric.as_deref().unwrap_or(text).parse() {
        return Ok(Some(address));
    }
    let port = text.rsplit(':').next().unwrap_or_default();
    let port = port
        .parse::<u16>()
        .map_or_else(|_| "4317".to_owned(), |port| port.to_string());
    Err(Complaint::new(
        format!("{text:?} is not an address and a port"),
        format!(
            "write 127.0.0.1:{port} for this machine, 0.0.0.0:{port} for every IPv4 address, \
             [::]:{port} for every address, or off"
        ),
    ))
}
