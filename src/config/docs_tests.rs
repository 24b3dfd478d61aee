//! Keeps deploy/otlp.toml and docs/configuration.md in step with the schema.
//!
//! `UPDATE_DOCS=1 cargo test --lib config::docs` writes them anew.

use std::{fs, path::PathBuf};

use super::{
    Config, Environment, LoadOptions, load,
    schema::{self, Key, Section, State},
    template::{literal, note, shared_state, template},
};

fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a file with what it has to be, or writes it where that is asked for.
fn keep_in_step(path: &str, rendered: &str) {
    let path = in_repository(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, rendered).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == rendered,
        "{} is behind the schema: run UPDATE_DOCS=1 cargo test --lib config::docs",
        path.display()
    );
}

fn load_text(text: &str) -> super::Loaded {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("otlp.toml");
    fs::write(&path, text).unwrap();
    let options = LoadOptions {
        file: Some(path),
        ..LoadOptions::default()
    };
    load(&options, &Environment::default()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The template with the lines of these keys in force.
fn with_lines_of(wanted: impl Fn(&Key) -> bool) -> String {
    let line = |line: &str| {
        let key = line
            .strip_prefix('#')
            .and_then(|line| line.split(" = ").next());
        let key = key.and_then(|key| schema::all().find(|known| known.path == key));
        match key {
            Some(key) if wanted(key) => line.trim_start_matches('#').to_owned(),
            _ => line.to_owned(),
        }
    };
    template().lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_shipped_file_is_in_step_with_the_schema() {
    keep_in_step("deploy/otlp.toml", &template());
}

#[test]
fn the_shipped_file_loads_to_exactly_the_defaults() {
    let as_is = load_text(&template());
    assert_eq!(as_is.config, Config::default());
    assert!(as_is.warnings.is_empty());
    let in_force = load_text(&with_lines_of(|key| {
        key.state == State::InEffect && !key.default.is_empty()
    }));
    assert_eq!(in_force.config, Config::default());
    assert!(in_force.warnings.is_empty());
}

#[test]
fn every_example_of_the_shipped_file_loads() {
    let loaded = load_text(&with_lines_of(|key| {
        !matches!(key.state, State::Refused(..))
    }));
    assert_eq!(loaded.config.export.endpoints.len(), 1);
}

#[test]
fn the_manual_is_in_step_with_the_schema() {
    let path = "docs/configuration.md";
    let text = fs::read_to_string(in_repository(path)).unwrap();
    let mut rendered = String::new();
    let mut rest = text.as_str();
    for section in schema::sections() {
        let begin = format!("<!-- keys: {} -->\n", section.title);
        let (before, after) = rest
            .split_once(&begin)
            .unwrap_or_else(|| panic!("{path} has no line {begin:?} in the order of the schema"));
        let (_, after) = after.split_once("<!-- end -->\n").unwrap();
        rendered += &format!("{before}{begin}\n{}\n<!-- end -->\n", table(section));
        rest = after;
    }
    rendered += rest;
    keep_in_step(path, &rendered);
}

/// The keys of a section as a table of Markdown.
fn table(section: &Section) -> String {
    let shared = shared_state(section);
    let mut out = shared
        .and_then(note)
        .map_or_else(String::new, |note| format!("{note}\n\n"));
    out += "| key and variable | value | default | what it does |\n| --- | --- | --- | --- |\n";
    for key in section.keys {
        let default = if key.default.is_empty() {
            "–".to_owned()
        } else {
            format!("`{}`", literal(key))
        };
        let mut what = key.doc.to_owned();
        if !key.cost.is_empty() {
            what += &format!(" *Cost:* {}", key.cost);
        }
        if let Some(state) = note(key.state).filter(|_| shared.is_none()) {
            what += &format!(" **{state}**");
        }
        if key.default.is_empty() {
            what += &format!(" *Example:* `{}`", literal(key));
        }
        if !key.fallbacks.is_empty() {
            what += &format!(" *Else:* `{}`", key.fallbacks.join("`, `"));
        }
        let mut names = vec![format!("`{}`", key.path)];
        names.extend(key.alias.map(|alias| format!("`{alias}`")));
        names.extend(key.own_variables().map(|name| format!("`{name}`")));
        let cells = [names.join("<br>"), key.describe(), default, what];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out
}
