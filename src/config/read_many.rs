//! Values of a key that hold more than one text: URLs, words, headers, triggers.

use std::{borrow::Cow, time::Duration};

use http::HeaderName;

use super::{
    draft::{Draft, Trigger},
    headers,
    problem::{Complaint, Problem},
    read::Parsed,
    schema::Key,
    shown::Shown,
    source::Origin,
    toml_file,
    tree::{Entry, Node, Tree},
    units::parse_duration,
    url,
};

/// Reads the values of one key.
pub struct Reader<'a> {
    /// The key.
    pub key: &'a Key,
    /// What is wrong goes here.
    pub problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// What to write, in words.
    pub fn wanted(&self) -> String {
        format!("write {}", self.key.describe())
    }

    /// Reports what is wrong with the value from `origin`.
    pub fn refuse<T>(&mut self, origin: &Origin, complaint: Complaint) -> Option<T> {
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
        let node = &*as_list(node);
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

    /// Reads one URL or several.
    pub fn urls(
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
        (urls.len() == known).then(|| Parsed::new(shown, move |draft| set(draft, urls)))
    }

    /// Reads some of a few words.
    pub fn choices(
        &mut self,
        node: &Node,
        words: &[&str],
        set: fn(&mut Draft, &[String]),
    ) -> Option<Parsed> {
        let mut shown = Vec::new();
        for (text, origin) in self.texts(node)? {
            if !words.contains(&text.as_str()) {
                let what = format!("{text:?} is not one of the words of this key");
                return self.refuse(&origin, Complaint::new(what, self.wanted()));
            }
            shown.push(text);
        }
        let words = shown.clone();
        Some(Parsed::new(Shown::List(shown), move |draft| {
            set(draft, &words);
        }))
    }

    /// Reads a table of headers, or its form as one text.
    pub fn headers(
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
        Some(Parsed::new(Shown::Table(headers.clone()), move |draft| {
            set(draft, headers);
        }))
    }

    /// Reads names of headers.
    pub fn header_names(
        &mut self,
        node: &Node,
        set: fn(&mut Draft, Vec<HeaderName>),
    ) -> Option<Parsed> {
        let mut names = Vec::new();
        for (text, origin) in self.texts(node)? {
            match headers::check_name(&text, &names) {
                Ok(name) => names.push(name),
                Err(complaint) => return self.refuse(&origin, complaint),
            }
        }
        let shown = names.iter().map(ToString::to_string).collect();
        Some(Parsed::new(Shown::List(shown), move |draft| {
            set(draft, names);
        }))
    }

    /// Reads triggers with their thresholds.
    pub fn triggers(&mut self, node: &Node, set: fn(&mut Draft, Vec<Trigger>)) -> Option<Parsed> {
        let mut shown = Vec::new();
        let mut triggers = Vec::new();
        for (text, origin) in self.trigger_texts(node)? {
            let Some(trigger) = trigger(&text) else {
                let what = format!("{text:?} is not a trigger with its threshold");
                return self.refuse(&origin, Complaint::new(what, self.wanted()));
            };
            let kind = std::mem::discriminant(&trigger);
            if triggers.iter().any(|it| std::mem::discriminant(it) == kind) {
                let what = format!("{text:?} is a second trigger of its type");
                let complaint = Complaint::new(what, "give each type once");
                return self.refuse(&origin, complaint);
            }
            triggers.push(trigger);
            shown.push(text);
        }
        Some(Parsed::new(Shown::List(shown), move |draft| {
            set(draft, triggers);
        }))
    }

    /// The triggers as `type=threshold`, from a list of either or a text with commas.
    fn trigger_texts(&mut self, node: &Node) -> Option<Vec<(String, Origin)>> {
        let node = &*as_list(node);
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

/// A list that a variable or a flag gives in the form of a file.
fn as_list(node: &Node) -> Cow<'_, Node> {
    match &node.value {
        Tree::Scalar(text) if text.starts_with('[') => {
            toml_file::list(text, &node.origin).map_or(Cow::Borrowed(node), Cow::Owned)
        }
        _ => Cow::Borrowed(node),
    }
}

/// A trigger from `type=threshold`; `None` for what is none, or out of range.
fn trigger(text: &str) -> Option<Trigger> {
    let (kind, threshold) = text.split_once('=')?;
    let threshold = threshold.trim();
    match kind.trim() {
        "high_error_rate" => {
            let rate = threshold.parse().ok();
            // At 0 it would hold without a single failure.
            let rate = rate.filter(|rate: &f64| *rate > 0.0 && *rate <= 1.0);
            rate.map(Trigger::HighErrorRate)
        }
        "high_latency" => {
            let latency = parse_duration(threshold).ok();
            let range = Duration::from_millis(1)..=Duration::from_secs(3600);
            latency
                .filter(|latency| range.contains(latency))
                .map(Trigger::HighLatency)
        }
        _ => None,
    }
}
