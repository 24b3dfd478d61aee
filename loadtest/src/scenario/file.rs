//! The file of a scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Deserializer, de};

use super::units::duration_field;
use super::{Event, Load, Presets, Slo, System};
use crate::telemetry::Level;

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name in the results.
    pub name: String,
    /// What it shows, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// Objectives, such as `p99<5ms,loss=0`.
    #[serde(default, deserialize_with = "slo")]
    pub slo: Slo,
    /// How often each system is measured.
    #[serde(default = "once")]
    pub repeats: u32,
    /// Whether the raw proxy is measured too, in turn with the system.
    #[serde(default)]
    pub proxy: bool,
    /// The longest that the collector's count may go on changing after the senders have ended.
    #[serde(default = "ten_seconds", deserialize_with = "duration_field")]
    pub settle: Duration,
    /// The system under test.
    #[serde(default)]
    pub forwarder: Forwarder,
    /// The collector behind it.
    #[serde(default)]
    pub collector: Collector,
    /// The senders.
    #[serde(rename = "send")]
    pub loads: Vec<Load>,
    /// What happens meanwhile.
    #[serde(default, rename = "event")]
    pub events: Vec<Event>,
}

/// The system under test, as the file names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarder {
    /// A system that is known by name.
    system: String,
    /// In place of that, a command.
    command: Vec<String>,
    /// Environment, on top of what the named system has.
    env: BTreeMap<String, String>,
    /// What says that it is ready.
    ready: Option<String>,
    /// Cores it runs on; the raw proxy and every system it is compared with run there too.
    pub cores: Vec<usize>,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self {
            system: "otlp".to_owned(),
            command: Vec::new(),
            env: BTreeMap::new(),
            ready: None,
            cores: vec![0],
        }
    }
}

/// The collector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collector {
    /// How closely arrivals are looked at.
    #[serde(deserialize_with = "level")]
    pub audit: Level,
    /// How it behaves.
    pub behave: String,
    /// Cores that it, the senders and the load test run on.
    pub cores: Vec<usize>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            audit: Level::Ids,
            behave: "ok".to_owned(),
            cores: vec![1],
        }
    }
}

const fn once() -> u32 {
    1
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn slo<'de, D: Deserializer<'de>>(from: D) -> Result<Slo, D::Error> {
    String::deserialize(from)?
        .parse()
        .map_err(de::Error::custom)
}

fn level<'de, D: Deserializer<'de>>(from: D) -> Result<Level, D::Error> {
    String::deserialize(from)?
        .parse()
        .map_err(de::Error::custom)
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the scenario {}", path.display()))?;
        let mut scenario: Self =
            toml::from_str(&text).with_context(|| path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let system = System {
            command: scenario.forwarder.command,
            ..System::default()
        };
        scenario.forwarder.command = system.found_from(&folder).command;
        Ok(scenario)
    }

    /// Says what cannot work, before anything is started.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.name.is_empty() || self.name.contains(['/', '\0']) {
            bail!(
                "name = {:?}: it names a file, so it has a letter and no slash",
                self.name
            );
        }
        if self.repeats == 0 {
            bail!("repeats = 0 measures nothing: make it at least 1");
        }
        if self.loads.is_empty() {
            bail!("no sender: add a [[send]] table");
        }
        for (n, load) in self.loads.iter().enumerate() {
            load.check()
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("[[send]] {}", n + 1))?;
        }
        let end = self.duration();
        if let Some(event) = self.events.iter().find(|event| event.at > end) {
            let at = event.at;
            bail!(
                "[[event]] at {at:?} is after the end of the load, {end:?}: let it happen earlier"
            );
        }
        if let Some((needed, objective)) = self.slo.level()
            && needed > self.collector.audit
        {
            let audit = self.collector.audit;
            bail!(
                "objective {objective} cannot be judged with audit = \"{audit}\": \
                 set [collector] audit = \"{needed}\""
            );
        }
        Ok(())
    }

    /// Length of the measurement: of the longest sender.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.loads
            .iter()
            .map(|load| load.duration)
            .max()
            .unwrap_or_default()
    }

    /// Load before the measurement: of the longest sender.
    #[must_use]
    pub fn warmup(&self) -> Duration {
        self.loads
            .iter()
            .map(|load| load.warmup)
            .max()
            .unwrap_or_default()
    }

    /// The system that the file names.
    pub fn system(&self, presets: &Presets) -> anyhow::Result<System> {
        let forwarder = &self.forwarder;
        if forwarder.command.is_empty() {
            return presets
                .named(&forwarder.system)
                .map(|system| self.configured(system));
        }
        Ok(System {
            name: forwarder.command[0]
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            command: forwarder.command.clone(),
            env: forwarder.env.clone(),
            ready: forwarder.ready.clone().unwrap_or_else(|| "tcp".to_owned()),
            ..System::default()
        })
    }

    /// The forwarder, or another build of it, with what the scenario sets in its environment.
    #[must_use]
    pub fn configured(&self, mut system: System) -> System {
        let forwarder = &self.forwarder;
        system.env.extend(forwarder.env.clone());
        if let Some(ready) = &forwarder.ready {
            system.ready.clone_from(ready);
        }
        system
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "name = 'small'\n[[send]]\nrate = '10/s'\nduration = '2s'\n";

    fn parse(text: &str) -> Result<Scenario, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    fn wrong(text: &str) -> String {
        let scenario: Scenario = parse(text).unwrap();
        format!("{:#}", scenario.check().unwrap_err())
    }

    #[test]
    fn little_is_enough() {
        let scenario = parse(SMALL).unwrap();
        scenario.check().unwrap();
        assert_eq!(scenario.duration(), Duration::from_secs(2));
        assert_eq!(scenario.collector.audit, Level::Ids);
        assert_eq!(
            (scenario.forwarder.cores, scenario.collector.cores),
            (vec![0], vec![1])
        );
        assert_eq!(scenario.repeats, 1);
    }

    #[test]
    fn errors_name_the_key() {
        for (text, named) in [
            ("nmae = 'x'", "nmae"),
            ("name = 'x'\n[[send]]\nrat = '1/s'", "rat"),
            ("name = 'x'\nslo = 'p98<1ms'\n[[send]]\nrate = '1/s'", "p98"),
            (
                "name = 'x'\n[collector]\naudit = 'some'\n[[send]]\nrate = '1/s'",
                "some",
            ),
            ("name = 'x'\n[[send]]\nrate = '1/s'\nduration = '5'", "5"),
            (
                "name = 'x'\n[[send]]\nrate = '1/s'\n[[event]]\nat='1s'\ndo='nap'",
                "nap",
            ),
            ("name = 'x'", "send"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn what_cannot_work_is_said_before_the_start() {
        assert!(wrong(&SMALL.replace("'small'", "'a/b'")).contains("slash"));
        assert!(wrong(&format!("repeats = 0\n{SMALL}")).contains("repeats"));
        assert!(wrong("name = 'x'\nsend = []").contains("[[send]]"));
        assert!(wrong(&format!("{SMALL}closed = true\n")).contains("[[send]] 1"));
        let late = format!("{SMALL}[[event]]\nat = '3s'\ndo = 'collector stop'\n");
        assert!(wrong(&late).contains("3s"));
        let blind = format!("slo = 'altered=0'\n{SMALL}");
        assert!(wrong(&blind).contains("audit = \"full\""));
    }

    #[test]
    fn the_file_configures_the_forwarder() {
        let presets = Presets {
            harness: "/x/loadtest".into(),
            otlp: Some("/bin/sh".into()),
        };
        let text = format!("{SMALL}[forwarder]\nenv = {{ OTLP_COMPRESSION = 'gzip' }}\n");
        let system = parse(&text).unwrap().system(&presets).unwrap();
        assert_eq!(system.name, "otlp");
        assert_eq!(system.env["OTLP_COMPRESSION"], "gzip");
        assert_eq!(system.env["OTLP_ENDPOINT"], "http://{out}");

        let text = format!("{SMALL}[forwarder]\ncommand = ['/opt/fwd', '{{in}}']\n");
        let system = parse(&text).unwrap().system(&presets).unwrap();
        assert_eq!((system.name.as_str(), system.env.len()), ("fwd", 0));
    }
}
