//! A system under test: what starts it, what says that it is ready, what version it is.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::Places;
use crate::figures::BASELINE;

/// A system under test. Placeholders such as `{in}` and `{out}` stand for what only a run knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its name in the results.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(default)]
    pub about: String,
    /// Program and arguments. A program with a slash in its name is looked for from the folder of
    /// the file that names it.
    pub command: Vec<String>,
    /// Its environment, on top of the one that the load test has.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What says that it is ready: `tcp` or an `http://` URL.
    #[serde(default = "tcp")]
    pub ready: String,
    /// A command whose first line of output is its version.
    #[serde(default)]
    pub version_command: Vec<String>,
    /// What the senders speak to it, where that is not what the scenario says.
    pub protocol: Option<String>,
}

fn tcp() -> String {
    "tcp".to_owned()
}

impl System {
    /// Another build of the forwarder, or, with placeholders, any command line.
    pub fn from_command(name: &str, command: &str) -> anyhow::Result<Self> {
        if command.trim().is_empty() {
            bail!("system {name:?} has no command: write {name}=COMMAND");
        }
        if !command.contains("{in") {
            return Ok(Self {
                name: name.to_owned(),
                ..otlp(command.trim())
            });
        }
        let shell = ["/bin/sh", "-c"].map(str::to_owned).into_iter();
        Ok(Self {
            name: name.to_owned(),
            command: shell.chain([format!("exec {command}")]).collect(),
            ready: tcp(),
            ..Self::default()
        })
    }

    /// Looks for programs with a slash in their names from a folder on.
    #[must_use]
    pub fn found_from(mut self, folder: &Path) -> Self {
        for command in [&mut self.command, &mut self.version_command] {
            if let Some(program) = command.first_mut()
                && program.contains('/')
                && !program.starts_with('{')
            {
                *program = folder.join(&program).display().to_string();
            }
        }
        self
    }

    /// Whether it listens for OTLP/HTTP at a port of its own.
    #[must_use]
    pub fn has_http(&self) -> bool {
        self.command
            .iter()
            .chain(self.env.values())
            .any(|text| text.contains("{in_http"))
    }

    /// The command with the places filled in.
    #[must_use]
    pub fn command(&self, places: &Places) -> Vec<String> {
        self.command.iter().map(|part| places.fill(part)).collect()
    }

    /// The environment with the places filled in.
    #[must_use]
    pub fn env(&self, places: &Places) -> BTreeMap<String, String> {
        self.env
            .iter()
            .map(|(key, value)| (key.clone(), places.fill(value)))
            .collect()
    }

    /// What to type to start it so: environment and command, with the placeholders.
    #[must_use]
    pub fn title(&self) -> String {
        let env = self.env.iter().map(|(key, value)| format!("{key}={value}"));
        env.chain(self.command.iter().cloned())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The systems that are known by name.
#[derive(Clone, Debug)]
pub struct Presets {
    /// The executable of the load test.
    pub harness: PathBuf,
    /// The forwarder, where it was named.
    pub otlp: Option<PathBuf>,
}

impl Presets {
    /// Names that [`Self::named`] knows.
    pub const NAMES: [&'static str; 2] = ["otlp", BASELINE];

    /// The system of that name.
    pub fn named(&self, name: &str) -> anyhow::Result<System> {
        match name {
            "otlp" => self.forwarder(),
            "proxy" | BASELINE => Ok(self.proxy()),
            _ => bail!(
                "system {name:?} is not known by name: write {name}=COMMAND, or one of {}",
                Self::NAMES.join(", ")
            ),
        }
    }

    /// The bound that the others are compared with.
    #[must_use]
    pub fn proxy(&self) -> System {
        let harness = self.harness.display().to_string();
        let words = ["proxy", "--listen", "{in}", "--to", "{out}"].map(str::to_owned);
        System {
            name: BASELINE.to_owned(),
            about: "Copies bytes and does nothing else".to_owned(),
            command: [harness].into_iter().chain(words).collect(),
            ready: tcp(),
            ..System::default()
        }
    }

    fn forwarder(&self) -> anyhow::Result<System> {
        let found = match &self.otlp {
            Some(path) => path.canonicalize().ok().filter(|path| path.is_file()),
            None => {
                let beside = self.harness.parent().map(|folder| folder.join("otlp"));
                let path = env::var_os("PATH").unwrap_or_default();
                let paths = env::split_paths(&path).map(|folder| folder.join("otlp"));
                beside.into_iter().chain(paths).find(|path| path.is_file())
            }
        };
        let found = found.with_context(|| match &self.otlp {
            Some(path) => format!("--otlp {}: there is no such file", path.display()),
            None => "otlp is neither beside loadtest nor on PATH: build it with \
                     `cargo build --release`, or name it with --otlp"
                .to_owned(),
        })?;
        Ok(otlp(&found.display().to_string()))
    }
}

/// The forwarder, configured for one run by its environment.
fn otlp(program: &str) -> System {
    let env = [
        ("OTLP_LISTEN_GRPC", "{in}"),
        ("OTLP_LISTEN_HTTP", "{in_http}"),
        ("OTLP_LISTEN_ADMIN", "{admin}"),
        ("OTLP_ENDPOINT", "http://{out}"),
        ("OTLP_WORKER_THREADS", "{workers}"),
    ];
    System {
        name: "otlp".to_owned(),
        about: "The forwarder of this repository".to_owned(),
        command: vec![program.to_owned()],
        env: env
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ready: tcp(),
        version_command: vec![program.to_owned(), "--version".to_owned()],
        protocol: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_placeholders_is_another_build() {
        let other = System::from_command("old", "/opt/otlp").unwrap();
        assert_eq!(other.command, ["/opt/otlp"]);
        assert_eq!(other.name, "old");
        assert!(other.has_http());

        let peer = System::from_command("peer", "peer -l {in} -u {out}").unwrap();
        assert_eq!(
            peer.command,
            ["/bin/sh", "-c", "exec peer -l {in} -u {out}"]
        );
        assert!(!peer.has_http() && peer.env.is_empty());

        assert!(
            System::from_command("x", " ")
                .unwrap_err()
                .to_string()
                .contains("x=COMMAND")
        );
    }

    #[test]
    fn programs_with_a_slash_are_found_from_the_file() {
        let system = |program: &str| System {
            command: vec![program.to_owned(), "a/b".to_owned()],
            version_command: vec![program.to_owned()],
            ..System::default()
        };
        let found = |program: &str| system(program).found_from(Path::new("/dir")).command;
        assert_eq!(found("./start.sh"), ["/dir/./start.sh", "a/b"]);
        assert_eq!(found("/bin/x"), ["/bin/x", "a/b"]);
        assert_eq!(found("haproxy"), ["haproxy", "a/b"]);
        let version = system("s/x").found_from(Path::new("/dir")).version_command;
        assert_eq!(version, ["/dir/s/x"]);
    }

    #[test]
    fn unknown_names_list_the_known() {
        let presets = Presets {
            harness: "/bin/loadtest".into(),
            otlp: None,
        };
        let error = presets.named("vector").unwrap_err().to_string();
        assert!(
            error.contains("raw proxy") && error.contains("vector=COMMAND"),
            "{error}"
        );
        assert_eq!(presets.named("proxy").unwrap().name, BASELINE);

        let presets = Presets {
            otlp: Some("/no/such/otlp".into()),
            ..presets
        };
        let error = presets.named("otlp").unwrap_err().to_string();
        assert!(error.contains("/no/such/otlp"), "{error}");
    }
}
