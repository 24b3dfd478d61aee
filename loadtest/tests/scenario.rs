//! The scenarios that come with the load test can be run as they are.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loadtest::collect::behave::Script;
use loadtest::compare::read_systems;
use loadtest::scenario::{Action, Scenario};

fn scenarios() -> Vec<(PathBuf, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let all: Vec<_> = entries
        .map(|path| (path.clone(), Scenario::read(&path).unwrap()))
        .collect();
    assert!(all.len() >= 13);
    all
}

#[test]
fn every_scenario_holds_says_what_it_shows_and_is_judged() {
    for (path, scenario) in scenarios() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        scenario.check().unwrap();
        assert_eq!(scenario.name, name);
        assert!(scenario.about.len() > 20, "{name} says what it is about");
        assert!(!scenario.slo.is_empty(), "{name} has objectives");
    }
}

/// Those whose question takes minutes.
const LONG: [&str; 2] = ["outage", "overload-dead-collector"];

#[test]
fn no_scenario_takes_longer_than_a_short_break() {
    for (path, scenario) in scenarios() {
        let length = scenario.warmup() + scenario.duration();
        let bound = if LONG.contains(&scenario.name.as_str()) {
            180
        } else {
            15
        };
        assert!(
            length <= Duration::from_secs(bound),
            "{}: {length:?}",
            path.display()
        );
    }
}

#[test]
fn the_systems_to_compare_with_are_found_from_their_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let systems = read_systems(&folder.join("systems.toml")).unwrap();
    assert!(systems.len() >= 5);
    for system in systems {
        for command in [&system.command, &system.version_command] {
            assert!(
                !command[0].contains('/') || Path::new(&command[0]).is_file(),
                "{command:?}"
            );
        }
        assert!(system.has_http(), "{}", system.name);
    }
}

#[test]
fn every_behaviour_is_one_that_the_collector_knows() {
    for (path, scenario) in scenarios() {
        let specs = scenario
            .events
            .iter()
            .filter_map(|event| match &event.action {
                Action::Behave(spec) => Some(spec.as_str()),
                _ => None,
            });
        for spec in specs.chain([scenario.collector.behave.as_str()]) {
            spec.parse::<Script>()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}
