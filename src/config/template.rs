//! The configuration file with every key at its default: deploy/otlp.toml.

use super::{
    read,
    schema::{self, Key, Section, State},
    source::Origin,
    tree::Node,
};

/// Columns of a line.
const WIDTH: usize = 96;

const HEAD: &str = "\
Configuration of otlp: every key, with its unit, range, default and cost.

A line such as #batch_size = 8192 is a default: remove the # and change the value. A line that is \
marked as an example has no default. otlp check says what is wrong with a file, otlp config shows \
every value and where it came from. The order of the keys does not matter.

Each key is also a variable (OTLP_ and the key in upper case, dots as underscores) and a flag \
(--set key=value). Flags win over variables, variables over this file. Texts may hold ${env:NAME}, \
${env:NAME:-default} and ${file:PATH}; a dollar sign is $$.";

/// The text of the file.
#[must_use]
pub fn template() -> String {
    let mut out = String::new();
    for paragraph in HEAD.split('\n') {
        comment(&mut out, paragraph);
    }
    for section in schema::sections() {
        out.push_str(&format!("\n# ==== {} ====\n", section.title));
        let shared = shared_state(section);
        if let Some(state) = shared.and_then(note) {
            comment(&mut out, &state);
        }
        for key in section.keys {
            out.push('\n');
            describe(&mut out, key, shared.is_none());
        }
    }
    out
}

/// The state that all keys of a section have.
pub fn shared_state(section: &Section) -> Option<State> {
    let first = section.keys.first()?.state;
    section
        .keys
        .iter()
        .all(|key| key.state == first)
        .then_some(first)
}

/// What a state has to say.
pub fn note(state: State) -> Option<String> {
    match state {
        State::InEffect => None,
        State::NotInEffect(instead) => Some(format!("Not in effect in this version: {instead}.")),
        State::Refused(why, fix) => Some(format!("Refused: {why}. Instead: {fix}.")),
    }
}

fn describe(out: &mut String, key: &Key, with_state: bool) {
    comment(out, key.doc);
    if !key.cost.is_empty() {
        comment(out, &format!("Cost: {}", key.cost));
    }
    if let Some(state) = note(key.state).filter(|_| with_state) {
        comment(out, &state);
    }
    let tail = if key.default.is_empty() {
        " Not set by default; an example:"
    } else {
        ""
    };
    comment(out, &format!("Value: {}.{tail}", key.describe()));
    out.push_str(&format!("#{} = {}\n", key.path, literal(key)));
}

/// The default of a key, or else its example, in TOML.
pub fn literal(key: &Key) -> String {
    let text = if key.default.is_empty() {
        key.example
    } else {
        key.default
    };
    let value = read::read(key, &Node::text(text, Origin::Default), &mut Vec::new());
    value.map_or_else(String::new, |value| value.shown.to_toml())
}

/// Writes a text as comment lines of bounded width.
fn comment(out: &mut String, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = "#".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
