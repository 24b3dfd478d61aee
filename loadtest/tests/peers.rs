//! The list of systems to compare with agrees with what starts them and with what is said of them.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn systems() -> Vec<toml::Table> {
    let file: toml::Table = read("systems.toml").parse().unwrap();
    let systems = file["system"].as_array().unwrap();
    assert!(!systems.is_empty());
    let tables = systems.iter().map(|system| system.as_table().unwrap());
    tables.cloned().collect()
}

fn name(system: &toml::Table) -> &str {
    system["name"].as_str().unwrap()
}

fn words<'s>(system: &'s toml::Table, key: &str) -> Vec<&'s str> {
    let words = system[key].as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn the_list_has_the_systems_that_the_script_starts() {
    let script = read("start.sh");
    let (_, starts) = script.split_once("case $system in").unwrap();
    let mut started: Vec<&str> = starts
        .lines()
        .filter_map(|line| line.split_once(')'))
        .map(|(label, _)| label.trim())
        .filter(|label| *label != "*")
        .collect();
    let systems = systems();
    let mut listed: Vec<&str> = systems.iter().map(name).collect();
    started.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, started);
}

#[test]
fn every_system_is_started_by_its_name_and_tells_its_version() {
    for system in &systems() {
        assert_eq!(words(system, "command"), ["./start.sh", name(system)]);
        let version = words(system, "version_command");
        assert!(name(system).starts_with(version[1]), "{version:?}");
        assert_eq!((version[0], version[2]), ("./start.sh", "--version"));
    }
}

#[test]
fn every_template_that_the_script_names_is_there() {
    let script = read("start.sh");
    let ends = [".yaml", ".cfg", ".conf"];
    let named: Vec<&str> = script
        .split(|c: char| c.is_whitespace() || "\"/()".contains(c))
        .filter(|word| ends.iter().any(|end| word.ends_with(end)))
        .collect();
    assert!(named.len() >= 7, "{named:?}");
    for name in named {
        assert!(folder().join(name).is_file(), "{name}");
    }
}

#[test]
fn the_page_says_what_every_system_promises() {
    let page = read("README.md");
    for system in &systems() {
        let name = name(system);
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
