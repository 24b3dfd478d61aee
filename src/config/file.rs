//! The configuration file: which one it is, its text, and which of its values belong to which key.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    environment::Environment,
    problem::{Complaint, Errors, Problem},
    schema::{self, Key},
    source::{Origin, SourceFile},
    suggest, toml_file,
    tree::{Entry, Node, Tree},
    yaml_file,
};

/// Bytes of a configuration file. Chosen: a thousand times the longest that is useful.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file that is named, or else the first of `search` that exists. One that cannot be looked at
/// counts as existing, so that the reason is reported.
#[must_use]
pub fn find(named: Option<&Path>, env: &Environment, search: &[PathBuf]) -> Option<PathBuf> {
    named
        .map(Path::to_owned)
        .or_else(|| env.get("OTLP_CONFIG_PATH").map(PathBuf::from))
        .or_else(|| {
            search
                .iter()
                .find(|path| path.try_exists().unwrap_or(true))
                .cloned()
        })
}

/// Reads and parses a file.
///
/// # Errors
///
/// Why it cannot be read, or the first place that is not of its syntax.
pub fn parse(path: &Path) -> Result<Node, Errors> {
    let origin = Origin::Path(path.to_owned());
    let refuse = |what: String, fix: &str| {
        Errors::from(Problem::new("", &origin, Complaint::new(what, fix)))
    };
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_toml = match extension {
        Some("toml") => true,
        Some("yaml" | "yml") => false,
        _ => {
            return Err(refuse(
                "the file's name does not say whether it is TOML or YAML".to_owned(),
                "give it the ending .toml, .yaml or .yml",
            ));
        }
    };
    let text = read(path).map_err(|why| {
        refuse(
            format!("the configuration file cannot be read: {why}"),
            "name a readable UTF-8 file of at most 1 MiB with --config or OTLP_CONFIG_PATH",
        )
    })?;
    let file = Arc::new(SourceFile::new(path.to_owned(), text));
    if is_toml {
        toml_file::parse(&file)
    } else {
        yaml_file::parse(&file)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let text = read_at_most(path, FILE_BYTES_MAX)?.ok_or("it is over 1 MiB")?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

/// Reads a UTF-8 file; `None` where it is longer than `bytes_max`.
pub(super) fn read_at_most(path: &Path, bytes_max: u64) -> Result<Option<String>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    // One byte over the bound tells "over it" from "at it".
    let taken = file
        .take(bytes_max + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let over = u64::try_from(taken).map_or(true, |taken| taken > bytes_max);
    Ok((!over).then_some(text))
}

/// A value that a file gives to a key.
#[derive(Debug)]
pub struct Found {
    /// The key.
    pub key: &'static Key,
    /// Whether the file uses the key's second name.
    pub by_alias: bool,
    /// The value.
    pub node: Node,
}

/// The values of a file's tree by key; names that are unknown or doubled go to `problems`.
pub fn values(root: Node, problems: &mut Vec<Problem>) -> Vec<Found> {
    let mut found = Vec::new();
    match root.value {
        Tree::Table(entries) => walk("", entries, &mut found, problems),
        other => problems.push(Problem::about_key(
            "",
            &root.origin,
            Complaint::new(
                format!("the file is {}, not a table of keys", other.noun()),
                "write key: value in YAML, key = value in TOML",
            ),
        )),
    }
    found
}

fn walk(table: &str, entries: Vec<Entry>, found: &mut Vec<Found>, problems: &mut Vec<Problem>) {
    let mut seen: Vec<(String, bool, Origin)> = Vec::new();
    for Entry { name, origin, node } in entries {
        let path = if table.is_empty() {
            name.clone()
        } else {
            format!("{table}.{name}")
        };
        let key = schema::find(&path);
        let is_table = schema::is_table(&path);
        let as_table = is_table && matches!(node.value, Tree::Table(_));
        // A name that is a key and a table of keys may come once as each: `timeout` is one.
        let both = key.is_some() && is_table;
        let earlier = seen.iter().find(|(other, other_as_table, _)| {
            *other == name && !(both && *other_as_table != as_table)
        });
        if let Some((_, _, first)) = earlier {
            let complaint = Complaint::new(
                format!("the key is given twice, first at {first}"),
                "keep one",
            );
            problems.push(Problem::about_key(&path, &origin, complaint));
            continue;
        }
        seen.push((name, as_table, origin.clone()));
        match (key, node.value) {
            (_, Tree::Table(entries)) if is_table => walk(&path, entries, found, problems),
            (Some(_), Tree::Nothing) => {}
            (Some(key), value) => {
                let node = Node {
                    value,
                    origin: node.origin,
                };
                found.push(Found {
                    key,
                    by_alias: key.path != path,
                    node,
                });
            }
            (None, Tree::Nothing) if is_table => {}
            (None, value) if is_table => problems.push(Problem::about_key(
                &path,
                &origin,
                Complaint::new(
                    format!("{path} holds keys and cannot be {}", value.noun()),
                    format!("write one of its keys: {}", children(&path)),
                ),
            )),
            (None, _) => problems.push(unknown(&path, &origin)),
        }
    }
}

fn children(table: &str) -> String {
    let inside = |key: &'static Key| key.path.strip_prefix(table)?.strip_prefix('.');
    schema::all()
        .filter_map(inside)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The problem of a key that the schema does not have.
#[must_use]
pub fn unknown(path: &str, origin: &Origin) -> Problem {
    let fix = match (suggest::key(path), path.rsplit_once('.')) {
        (Some(meant), _) => format!("did you mean {meant}?"),
        (None, Some((table, _))) if schema::is_table(table) => {
            format!("the keys of {table} are: {}", children(table))
        }
        (None, _) => "docs/configuration.md lists the keys".to_owned(),
    };
    Problem::about_key(path, origin, Complaint::new("there is no such key", fix))
}
