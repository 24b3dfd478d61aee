//! The layers laid over one another: default, file, others' variables, our variables, flags.

use std::{cmp::Reverse, path::PathBuf};

use super::{
    draft::Draft,
    environment::{Environment, is_of_kubernetes},
    file,
    model::Config,
    otel,
    problem::{Complaint, Errors, Problem},
    read::{self, Parsed},
    schema::{self, Key},
    shown::Shown,
    source::Origin,
    state,
    substitute::expand_node,
    suggest,
    tree::{Node, Tree},
};

/// Variables that are ours and set no key.
const OTHER_VARIABLES: [&str; 1] = ["OTLP_CONFIG_PATH"];

/// Where the service manager keeps the state of the process.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// What to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The file that `--config` names. It has to exist.
    pub file: Option<PathBuf>,
    /// `key=value` texts of `--set`, the last one winning.
    pub set: Vec<String>,
    /// Files to look for where neither `--config` nor `OTLP_CONFIG_PATH` names one.
    /// Default: `./otlp.toml`, `/etc/otlp/otlp.toml`.
    pub search: Vec<PathBuf>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        let search = ["otlp.toml", "/etc/otlp/otlp.toml"];
        Self {
            file: None,
            set: Vec::new(),
            search: search.map(PathBuf::from).into(),
        }
    }
}

/// A configuration, and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What an operator should know, each a sentence.
    pub warnings: Vec<String>,
    /// Every key, its value and where that came from, in the order of the schema.
    pub settings: Vec<Setting>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// The value of a key.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// Its value, where it has one; a secret's is hidden.
    pub value: Option<Shown>,
    /// Where the value came from.
    pub origin: Origin,
}

/// Loads the configuration.
///
/// # Errors
///
/// Everything that is wrong, found in one pass; of a file that does not parse, the first place.
pub fn load(options: &LoadOptions, env: &Environment) -> Result<Loaded, Errors> {
    let mut layers = Layers::default();
    layers.add_surroundings(env);
    let path = file::find(options.file.as_deref(), env, &options.search);
    if let Some(path) = &path {
        layers.add_file(file::parse(path)?, env);
    }
    // Flags before variables: others' variables stand back for either.
    layers.add_flags(&options.set);
    layers.add_variables(env);
    layers.resolve(path)
}

/// Who sets a value; a later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Surroundings,
    File,
    OthersVariable,
    OurVariable,
    Flag,
}

/// A value that somebody gives to a key.
#[derive(Debug)]
struct Candidate {
    key: &'static Key,
    /// The layer, and within it the place of the name among the key's names.
    rank: (Layer, Reverse<usize>),
    node: Node,
}

#[derive(Debug, Default)]
struct Layers {
    candidates: Vec<Candidate>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Layers {
    fn add(&mut self, key: &'static Key, layer: Layer, name: usize, node: Node) {
        self.candidates.push(Candidate {
            key,
            rank: (layer, Reverse(name)),
            node,
        });
    }

    /// What the process is started in knows, and whatever anybody sets wins over.
    fn add_surroundings(&mut self, env: &Environment) {
        let directory = env.get(STATE_DIRECTORY).and_then(|all| {
            // Source: systemd.exec(5): several are separated by colons.
            all.split(':').find(|one| one.starts_with('/'))
        });
        if let (Some(directory), Some(key)) = (directory, schema::find("spool.directory")) {
            let origin = Origin::Variable(STATE_DIRECTORY.to_owned());
            let path = format!("{}/spool", directory.trim_end_matches('/'));
            self.add(key, Layer::Surroundings, 0, Node::text(path, origin));
        }
    }

    fn add_file(&mut self, root: Node, env: &Environment) {
        for mut found in file::values(root, &mut self.problems) {
            expand_node(found.key, &mut found.node, env, &mut self.problems);
            if !matches!(found.node.value, Tree::Nothing) {
                self.add(
                    found.key,
                    Layer::File,
                    usize::from(found.by_alias),
                    found.node,
                );
            }
        }
    }

    fn add_variables(&mut self, env: &Environment) {
        for key in schema::all() {
            for (index, name) in key.own_variables().enumerate() {
                if let Some(value) = env
                    .get(&name)
                    .filter(|value| !is_of_kubernetes(&name, value))
                {
                    let node = Node::text(value, Origin::Variable(name));
                    self.add(key, Layer::OurVariable, index, node);
                }
            }
            for (index, name) in key.fallbacks.iter().enumerate() {
                let ours = self.is_set_by_us(key);
                let Some(value) = env.get(name).filter(|_| !ours) else {
                    continue;
                };
                let origin = Origin::Variable((*name).to_owned());
                match otel::value_of(name, value) {
                    Ok(value) => {
                        let node = Node::text(value, origin);
                        self.add(key, Layer::OthersVariable, index, node);
                    }
                    Err(complaint) => {
                        self.problems
                            .push(Problem::new(key.path, &origin, complaint));
                    }
                }
            }
        }
        let known = |name: &str| {
            OTHER_VARIABLES.contains(&name)
                || schema::all().any(|key| key.own_variables().any(|own| own == name))
        };
        for (name, value) in env.iter() {
            if name.starts_with("OTLP_") && !known(name) && !is_of_kubernetes(name, value) {
                let hint = suggest::variable(name)
                    .map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
                self.warnings
                    .push(format!("the variable {name} sets no key{hint}"));
            }
        }
        let endpoint_is_ours = schema::find("endpoint").is_some_and(|key| self.is_set_by_us(key));
        otel::judge_others(
            env,
            endpoint_is_ours,
            &mut self.problems,
            &mut self.warnings,
        );
    }

    /// Whether a flag or a variable of ours sets the key.
    fn is_set_by_us(&self, key: &Key) -> bool {
        self.candidates.iter().any(|candidate| {
            candidate.key.path == key.path && candidate.rank.0 >= Layer::OurVariable
        })
    }

    fn add_flags(&mut self, set: &[String]) {
        for text in set {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let (name, value) = (name.trim(), value.trim());
            let origin = Origin::Flag(name.to_owned());
            if !text.contains('=') {
                let complaint = Complaint::new("there is no = in it", "write --set key=value");
                self.problems.push(Problem::new(name, &origin, complaint));
            } else if let Some(key) = schema::find(name) {
                let index = usize::from(key.path != name);
                self.add(key, Layer::Flag, index, Node::text(value, origin));
            } else {
                self.problems.push(file::unknown(name, &origin));
            }
        }
    }

    fn resolve(mut self, file: Option<PathBuf>) -> Result<Loaded, Errors> {
        // Stable: of two flags for one key the later one stays last.
        self.candidates.sort_by_key(|candidate| candidate.rank);
        let candidates = std::mem::take(&mut self.candidates);
        let mut draft = Draft::new();
        let mut settings = Vec::new();
        for key in schema::all() {
            let mut value = None;
            for candidate in candidates
                .iter()
                .filter(|candidate| candidate.key.path == key.path)
            {
                // Every value is checked, also one that a stronger layer covers.
                if let Some(parsed) = read::read(key, &candidate.node, &mut self.problems) {
                    value = Some((parsed, candidate.node.origin.clone()));
                }
            }
            if value.is_none() && !key.default.is_empty() {
                let node = Node::text(key.default, Origin::Default);
                value = read::read(key, &node, &mut self.problems)
                    .map(|parsed| (parsed, Origin::Default));
            }
            let (shown, origin) = match value {
                Some((Parsed { shown, apply }, origin)) => {
                    apply(&mut draft);
                    (
                        Some(if key.secret { shown.redacted() } else { shown }),
                        origin,
                    )
                }
                None => (None, Origin::Default),
            };
            settings.push(Setting {
                key,
                value: shown,
                origin,
            });
        }
        state::judge(&settings, &mut self.problems, &mut self.warnings);
        let origin_of = |path: &str| {
            let setting = settings.iter().find(|setting| setting.key.path == path);
            setting.map_or(Origin::Default, |setting| setting.origin.clone())
        };
        let config = draft.finish(&origin_of, &mut self.problems, &mut self.warnings);
        if self.problems.is_empty() {
            Ok(Loaded {
                config,
                warnings: self.warnings,
                settings,
                file,
            })
        } else {
            Err(Errors::new(self.problems))
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
