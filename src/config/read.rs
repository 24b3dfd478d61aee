//! One value of a key: from the tree's texts to its type, within its range.

use std::net::SocketAddr;

use super::{
    draft::Draft,
    headers,
    problem::{Complaint, Problem},
    schema::{Key, Kind},
    shown::Shown,
    source::Origin,
    tree::{Entry, Node, Tree},
    units::{parse_bytes, parse_duration, show_bytes, show_duration},
    url,
};

/// A value that holds: how it is shown, and how it enters the configuration.
pub struct Parsed {
    /// How it is shown.
    pub shown: Shown,
    /// Puts it into the configuration.
    pub apply: Box<dyn FnOnce(&mut Draft)>,
}

fn parsed(shown: Shown, apply: impl FnOnce(&mut Draft) + 'static) -> Parsed {
    Parsed {
        shown,
        apply: Box::new(apply),
    }
}

/// Reads a value of `key`; what is wrong with it goes to `problems`.
pub fn read(key: &Key, node: &Node, problems: &mut Vec<Problem>) -> Option<Parsed> {
    let mut reader = Reader { key, problems };
    match &key.kind {
        Kind::Urls(set) => reader.urls(node, *set),
        Kind::Choices(words) => reader.choices(node, words),
        Kind::Headers(set) => reader.headers(node, *set),
        Kind::Triggers => reader.triggers(node),
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
            Ok(parsed(Shown::Bool(flag), move |draft| set(draft, flag)))
        }
        Kind::Integer { min, max, set } => {
            let set = *set;
            let number: i128 = text.parse().map_err(|_| not("a whole number"))?;
            let number = u64::try_from(number)
                .ok()
                .filter(|number| (min..=max).contains(&number));
            let number = number.ok_or_else(|| out_of_range(text.to_owned()))?;
            Ok(parsed(Shown::Integer(number), move |draft| {
                set(draft, number)
            }))
        }
        Kind::Decimal { min, max } => {
            let number: f64 = text.parse().map_err(|_| not("a number"))?;
            if !(*min..=*max).contains(&number) {
                return Err(out_of_range(text.to_owned()));
            }
            Ok(parsed(Shown::Decimal(number), |_| {}))
        }
        Kind::Duration { min, max, set } => {
            let set = *set;
            let duration = parse_duration(text)?;
            if !(min..=max).contains(&&duration) {
                return Err(out_of_range(text.to_owned()));
            }
            let shown = Shown::Text(show_duration(duration));
            Ok(parsed(shown, move |draft| set(draft, duration)))
        }
        Kind::Bytes { min, max, set } => {
            let set = *set;
            let bytes = parse_bytes(text)?;
            if !(min..=max).contains(&&bytes) {
                return Err(out_of_range(text.to_owned()));
            }
            Ok(parsed(Shown::Text(show_bytes(bytes)), move |draft| {
                set(draft, bytes)
            }))
        }
        Kind::Choice { words, refused } => {
            if let Some((word, set)) = words.iter().find(|(word, _)| *word == text) {
                let set = *set;
                return Ok(parsed(Shown::Text((*word).to_owned()), set));
            }
            Err(match refused.iter().find(|(word, _)| *word == text) {
                Some((_, why)) => Complaint::new(format!("{text:?} is refused: {why}"), wanted()),
                None => not(&key.describe()),
            })
        }
        Kind::Text { parse, set, .. } => {
            let set = *set;
            let text = parse(text)?;
            Ok(parsed(Shown::Text(text.clone()), move |draft| {
                set(draft, text)
            }))
        }
        Kind::Address(set) => {
            let set = *set;
            let address = address(text)?;
            let shown = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
            Ok(parsed(Shown::Text(shown), move |draft| set(draft, address)))
        }
        Kind::Choices(_) | Kind::Urls(_) | Kind::Headers(_) | Kind::Triggers => {
            Err(not(&key.describe()))
        }
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

struct Reader<'a> {
    key: &'a Key,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn wanted(&self) -> String {
        format!("write {}", self.key.describe())
    }

    fn refuse<T>(&mut self, origin: &Origin, complaint: Complaint) -> Option<T> {
        let complaint = if self.key.secret {
            complaint.secret()
        } else {
            complaint
        };
        self.problems
            .push(Problem::new(self.key.path, origin, complaint));
        None
    }

    /// The texts of a list, or of one text with commas.
    fn texts(&mut self, node: &Node) -> Option<Vec<(String, Origin)>> {
        let mut texts = Vec::new();
        let nodes = match &node.value {
            Tree::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for node in nodes {
            match &node.value {
                Tree::Scalar(text) => texts.extend(
                    text.split(',')
                        .map(str::trim)
                        .filter(|part| !part.is_empty())
                        .map(|part| (part.to_owned(), node.origin.clone())),
                ),
                Tree::Nothing => {}
                other => {
                    let what = format!("{} is no value for this key", other.noun());
                    return self.refuse(&node.origin, Complaint::new(what, self.wanted()));
                }
            }
        }
        Some(texts)
    }

    fn urls(
        &mut self,
        node: &Node,
        set: fn(&mut Draft, Vec<(url::Url, Origin)>),
    ) -> Option<Parsed> {
        let mut urls = Vec::new();
        let mut shown = Vec::new();
        let texts = self.texts(node)?;
        let known = texts.len();
        for (text, origin) in texts {
            match url::parse(&text) {
                Ok(url) => {
                    urls.push((url, origin));
                    shown.push(text);
                }
                Err(complaint) => self.refuse(&origin, complaint).unwrap_or_default(),
            }
        }
        let shown = match shown.as_slice() {
            [one] => Shown::Text(one.clone()),
            _ => Shown::List(shown),
        };
        (urls.len() == known).then(|| parsed(shown, move |draft| set(draft, urls)))
    }

    fn choices(&mut self, node: &Node, words: &[&str]) -> Option<Parsed> {
        let mut shown = Vec::new();
        for (text, origin) in self.texts(node)? {
            if !words.contains(&text.as_str()) {
                let what = format!("{text:?} is not one of the words of this key");
                return self.refuse(&origin, Complaint::new(what, self.wanted()));
            }
            shown.push(text);
        }
        Some(parsed(Shown::List(shown), |_| {}))
    }

    fn headers(
        &mut self,
        node: &Node,
        set: fn(&mut Draft, Vec<(String, String)>),
    ) -> Option<Parsed> {
        let pairs: Vec<(String, String, Origin)> = match &node.value {
            Tree::Scalar(text) => match headers::from_text(text) {
                Ok(pairs) => pairs
                    .into_iter()
                    .map(|(name, value)| (name, value, node.origin.clone()))
                    .collect(),
                Err(complaint) => return self.refuse(&node.origin, complaint),
            },
            Tree::Table(entries) => {
                let mut pairs = Vec::new();
                for Entry { name, origin, node } in entries {
                    match &node.value {
                        Tree::Scalar(value) => {
                            pairs.push((name.clone(), value.clone(), origin.clone()));
                        }
                        Tree::Nothing => {}
                        other => {
                            let what = format!("the value of {name:?} is {}", other.noun());
                            let fix = "write name = \"value\"";
                            return self.refuse(&node.origin, Complaint::new(what, fix));
                        }
                    }
                }
                pairs
            }
            other => {
                let complaint = Complaint::new(
                    format!("{} is no value for this key", other.noun()),
                    "write a table: name = \"value\"",
                );
                return self.refuse(&node.origin, complaint);
            }
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value, origin) in pairs {
            match headers::check(&name, &value, &headers) {
                Ok(name) => headers.push((name, value)),
                Err(complaint) => return self.refuse(&origin, complaint),
            }
        }
        Some(parsed(Shown::Table(headers.clone()), move |draft| {
            set(draft, headers)
        }))
    }

    fn triggers(&mut self, node: &Node) -> Option<Parsed> {
        let mut shown = Vec::new();
        for trigger in self.trigger_texts(node)? {
            let (text, origin) = trigger;
            let known = text
                .split_once('=')
                .is_some_and(|(kind, threshold)| match kind.trim() {
                    "high_error_rate" => threshold
                        .trim()
                        .parse()
                        .is_ok_and(|rate: f64| (0.0..=1.0).contains(&rate)),
                    "high_latency" => parse_duration(threshold.trim()).is_ok(),
                    _ => false,
                });
            if !known {
                let what = format!("{text:?} is not a trigger with its threshold");
                return self.refuse(&origin, Complaint::new(what, self.wanted()));
            }
            shown.push(text);
        }
        Some(parsed(Shown::List(shown), |_| {}))
    }

    /// The triggers as `type=threshold`, from a list of either or a text with commas.
    fn trigger_texts(&mut self, node: &Node) -> Option<Vec<(String, Origin)>> {
        let Tree::List(nodes) = &node.value else {
            return self.texts(node);
        };
        let mut texts = Vec::new();
        for node in nodes {
            if let Tree::Scalar(text) = &node.value {
                texts.push((text.clone(), node.origin.clone()));
                continue;
            }
            let field = |wanted: &str| match &node.value {
                Tree::Table(entries) if entries.len() == 2 => {
                    let entry = entries.iter().find(|entry| entry.name == wanted)?;
                    if let Tree::Scalar(text) = &entry.node.value {
                        Some(text)
                    } else {
                        None
                    }
                }
                _ => None,
            };
            let (Some(kind), Some(threshold)) = (field("type"), field("threshold")) else {
                let what = "a trigger is a type and a threshold, and nothing else";
                return self.refuse(&node.origin, Complaint::new(what, self.wanted()));
            };
            texts.push((format!("{kind}={threshold}"), node.origin.clone()));
        }
        Some(texts)
    }
}
