//! `otlp config`: shows every value and where it came from, secrets hidden.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde_json::{Value, json};

use super::check::EX_CONFIG;
use crate::config::{Environment, LoadOptions, Loaded, Origin, Setting, State, load, template};

/// What to show and how.
#[derive(Clone, Debug, Default)]
pub struct ConfigOptions {
    /// Which configuration.
    pub load: LoadOptions,
    /// The part to show.
    pub part: Part,
    /// The shape.
    pub output: Output,
}

/// Which settings to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Every key that is in effect, and what is set beyond those.
    #[default]
    All,
    /// Only what somebody set.
    Changed,
    /// No settings, but a configuration file with every key at its default, explained.
    Template,
}

/// The shape of what is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A line for each key that a configuration file takes, its source as a comment.
    #[default]
    Toml,
    /// One JSON object.
    Json,
}

/// Shows a configuration on `out`, or what is wrong with it on `err`.
///
/// The exit code is 0, [`EX_CONFIG`] where the configuration does not hold, and 1 where the result
/// cannot be written.
pub fn config(
    options: &ConfigOptions,
    env: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    show(options, env, out, err).unwrap_or(ExitCode::FAILURE)
}

fn show(
    options: &ConfigOptions,
    env: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitCode> {
    if options.part == Part::Template {
        out.write_all(template().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = match load(&options.load, env) {
        Ok(loaded) => loaded,
        Err(errors) => {
            write!(err, "{errors}")?;
            return Ok(ExitCode::from(EX_CONFIG));
        }
    };
    let settings: Vec<&Setting> = loaded
        .settings
        .iter()
        .filter(|setting| {
            let is_set = !matches!(setting.origin, Origin::Default);
            is_set || (options.part == Part::All && setting.key.state == State::InEffect)
        })
        .collect();
    match options.output {
        Output::Toml => {
            for warning in &loaded.warnings {
                writeln!(err, "warning: {warning}")?;
            }
            for setting in settings {
                writeln!(out, "{}", toml_line(setting))?;
            }
        }
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &json_object(&loaded, &settings))?;
            writeln!(out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn toml_line(setting: &Setting) -> String {
    let key = setting.key.path;
    let effect = if setting.key.state == State::InEffect {
        ""
    } else {
        ", not in effect in this version"
    };
    match &setting.value {
        Some(value) => format!("{key} = {}  # {}{effect}", value.to_toml(), setting.origin),
        None => format!("# {key} is not set"),
    }
}

fn json_object(loaded: &Loaded, settings: &[&Setting]) -> Value {
    let settings: Vec<Value> = settings
        .iter()
        .map(|setting| {
            json!({
                "key": setting.key.path,
                "value": setting.value.as_ref().map(|value| value.to_json()),
                "source": setting.origin.to_string(),
                "in_effect": setting.key.state == State::InEffect,
            })
        })
        .collect();
    json!({
        "file": loaded.file.as_ref().map(|file| file.display().to_string()),
        "warnings": loaded.warnings,
        "settings": settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../config/testdata/guide.yaml");

    /// Shows a file of this name and text.
    fn run(name: &str, text: &str, part: Part, output: Output) -> (ExitCode, String, LoadOptions) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        let load = LoadOptions {
            file: Some(file),
            ..LoadOptions::default()
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let options = ConfigOptions {
            load: load.clone(),
            part,
            output,
        };
        let env: Environment = [("TOKEN", "hunter2")].into_iter().collect();
        let code = config(&options, &env, &mut out, &mut err);
        out.extend(err);
        (code, String::from_utf8(out).unwrap(), load)
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let load_file = |name: &str, text: &str| {
            let file = directory.path().join(name);
            std::fs::write(&file, text).unwrap();
            let options = LoadOptions {
                file: Some(file),
                ..LoadOptions::default()
            };
            load(&options, &Environment::default()).unwrap().config
        };
        for text in [
            GUIDE,
            "",
            "endpoint: [a:1, b:2]\nlogging:\n  output: /a \"b\"\\\n",
        ] {
            let (code, shown, _) = run("a.yaml", text, Part::All, Output::Toml);
            assert_eq!(code, ExitCode::SUCCESS);
            let shown: String = shown
                .lines()
                .filter(|line| !line.starts_with("warning"))
                .map(|line| format!("{line}\n"))
                .collect();
            assert_eq!(
                load_file("b.toml", &shown),
                load_file("a.yaml", text),
                "{shown}"
            );
        }
    }

    #[test]
    fn each_value_comes_with_its_source() {
        let text = "batch_size = 7\nmonitoring.tracing_enabled = true\n";
        let (_, shown, _) = run("a.toml", text, Part::All, Output::Toml);
        assert!(
            shown.contains("flush_interval = \"200ms\"  # default"),
            "{shown}"
        );
        assert!(shown.contains("# endpoint is not set"), "{shown}");
        let (_, shown, load) = run("a.toml", text, Part::Changed, Output::Toml);
        let file = load.file.unwrap();
        let file = file.display();
        assert!(
            shown.starts_with(&format!(
                "batch_size = 7  # {file}:1:14\n\
                 monitoring.tracing_enabled = true  # {file}:2:30, not in effect in this version\n"
            )),
            "{shown}"
        );
    }

    #[test]
    fn secrets_are_hidden_in_every_shape() {
        let text = "[headers]\nauthorization = 'Bearer ${env:TOKEN}'\n";
        for output in [Output::Toml, Output::Json] {
            let (code, shown, _) = run("a.toml", text, Part::All, output);
            assert_eq!(code, ExitCode::SUCCESS);
            assert!(
                shown.contains("[redacted]") && !shown.contains("hunter2"),
                "{shown}"
            );
        }
    }

    #[test]
    fn the_json_form_is_one_object_of_typed_values() {
        let (_, shown, _) = run("a.toml", "batch_size = 7", Part::Changed, Output::Json);
        let object: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(object["settings"][0]["value"], 7);
        assert_eq!(object["settings"][0]["key"], "batch_size");
    }

    #[test]
    fn what_does_not_hold_is_an_error() {
        let (code, shown, _) = run("a.toml", "batch_size = 0", Part::All, Output::Toml);
        assert_eq!(code, ExitCode::from(EX_CONFIG));
        assert!(shown.contains("out of range"), "{shown}");
    }
}
