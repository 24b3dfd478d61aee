//! Which systems take part.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::scenario::{Presets, Scenario, System};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "system")]
    systems: Vec<System>,
}

/// Reads a file of `[[system]]` tables.
pub fn read_systems(path: &Path) -> anyhow::Result<Vec<System>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the systems {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    file.systems
        .into_iter()
        .map(|system| {
            if system.name.is_empty() || system.command.is_empty() {
                bail!("{}: a system needs a name and a command", path.display());
            }
            Ok(system.found_from(&folder))
        })
        .collect()
}

/// The systems that `asked` names: `NAME=COMMAND`, a name of `listed`, or one that is known.
/// Nothing asked for: the scenario's own system and all that are listed.
pub fn choose(
    scenario: &Scenario,
    presets: &Presets,
    asked: &[String],
    listed: &[System],
) -> anyhow::Result<Vec<System>> {
    let mut systems: Vec<System> = Vec::new();
    if asked.is_empty() {
        systems.push(scenario.system(presets)?);
        systems.extend_from_slice(listed);
    }
    for text in asked {
        systems.push(match text.split_once('=') {
            Some((name, command)) => {
                let system = System::from_command(name.trim(), command)?;
                // A command line of its own is what it says; another build is configured alike.
                if command.contains('{') {
                    system
                } else {
                    scenario.configured(system)
                }
            }
            None => match listed.iter().find(|system| system.name == *text) {
                Some(system) => system.clone(),
                None => scenario.configured(presets.named(text).with_context(|| {
                    let names: Vec<&str> =
                        listed.iter().map(|system| system.name.as_str()).collect();
                    format!("the listed systems are {names:?}")
                })?),
            },
        });
    }
    for (n, system) in systems.iter().enumerate() {
        if systems[..n].iter().any(|before| before.name == system.name) {
            bail!(
                "two systems are named {:?}: give each a name of its own",
                system.name
            );
        }
    }
    Ok(systems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(asked: &[&str], listed: &[System]) -> anyhow::Result<Vec<System>> {
        let scenario = "name = 'x'\n[forwarder]\nenv = { A = 'b' }\n[[send]]\nrate = '1/s'\n";
        let scenario: Scenario = toml::from_str(scenario)?;
        let presets = Presets {
            harness: "/x/loadtest".into(),
            otlp: Some("/bin/sh".into()),
        };
        let asked: Vec<String> = asked.iter().map(|text| (*text).to_owned()).collect();
        choose(&scenario, &presets, &asked, listed)
    }

    fn names(systems: &[System]) -> Vec<&str> {
        systems.iter().map(|system| system.name.as_str()).collect()
    }

    fn listed() -> Vec<System> {
        let system = |name: &str| System {
            name: name.to_owned(),
            command: vec!["x".to_owned()],
            ..System::default()
        };
        vec![system("haproxy"), system("nginx")]
    }

    #[test]
    fn nothing_asked_for_is_everything() {
        assert_eq!(names(&chosen(&[], &[]).unwrap()), ["otlp"]);
        assert_eq!(
            names(&chosen(&[], &listed()).unwrap()),
            ["otlp", "haproxy", "nginx"]
        );
    }

    #[test]
    fn what_is_asked_for_comes_in_that_order() {
        let systems = chosen(&["nginx", "otlp", "old=/opt/otlp", "c=c {in}"], &listed()).unwrap();
        assert_eq!(names(&systems), ["nginx", "otlp", "old", "c"]);
        assert_eq!(systems[2].env["A"], "b");
        assert_eq!(systems[3].env.get("A"), None);
    }

    #[test]
    fn unknown_and_double_names_are_refused() {
        let error = format!("{:#}", chosen(&["envoy"], &listed()).unwrap_err());
        assert!(
            error.contains("haproxy") && error.contains("envoy=COMMAND"),
            "{error}"
        );
        let error = chosen(&["otlp", "otlp=/opt/otlp"], &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("two systems"), "{error}");
    }
}
