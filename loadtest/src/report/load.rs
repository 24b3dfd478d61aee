//! Saved results: read with their version checked, and put together.

use std::fmt;

use serde_json::Value;

use crate::results::{Results, VERSION};

/// Why a file is not results.
#[derive(Debug)]
pub struct Unreadable {
    name: String,
    reason: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

impl std::error::Error for Unreadable {}

/// Reads results from the text of a file; `name` is what messages call it.
///
/// # Errors
///
/// When it is not JSON, of another version or of another shape; the message says which.
pub fn parse(name: &str, text: &str) -> Result<Results, Unreadable> {
    let refuse = |reason: String| Unreadable {
        name: name.to_owned(),
        reason,
    };
    let value: Value =
        serde_json::from_str(text).map_err(|error| refuse(format!("not JSON: {error}")))?;
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            return Err(refuse(format!(
                "results of version {version}, and only version {VERSION} is read; \
                 make them again, or read them with the loadtest that made them"
            )));
        }
        None => {
            return Err(refuse(
                "no field `version`: not what `loadtest run` or `loadtest compare` saves"
                    .to_owned(),
            ));
        }
    }
    if value.get("runs").is_none() {
        return Err(refuse(
            "no field `runs`: the report of one part of a run; \
             give what `loadtest run` or `loadtest compare` saved"
                .to_owned(),
        ));
    }
    let results: Results = serde_json::from_value(value)
        .map_err(|error| refuse(format!("not the layout of version {VERSION}: {error}")))?;
    if let Some(run) = results.runs.iter().find(|run| run.version != VERSION) {
        return Err(refuse(format!(
            "a run of `{}` is of version {}, and only version {VERSION} is read",
            run.system, run.version
        )));
    }
    Ok(results)
}

/// Puts several results together, in the order given; none of nothing.
///
/// The machine is the first's: a note says when the others were made on another one.
#[must_use]
pub fn merge(parts: Vec<Results>) -> Option<Results> {
    let mut parts = parts.into_iter();
    let mut all = parts.next()?;
    for part in parts {
        append(&mut all.title, &part.title, " + ");
        append(&mut all.command, &part.command, "\n");
        let (cpu, kernel) = (&all.machine.cpu, &all.machine.kernel);
        if (cpu, kernel) != (&part.machine.cpu, &part.machine.kernel) {
            let other = format!("also {}, {}", part.machine.cpu, part.machine.kernel);
            append(&mut all.machine.cpu, &other, "; ");
        }
        all.runs.extend(part.runs);
    }
    Some(all)
}

/// Adds what is not there yet.
fn append(to: &mut String, text: &str, between: &str) {
    if text.is_empty() || to.split(between).any(|part| part == text) {
        return;
    }
    if !to.is_empty() {
        to.push_str(between);
    }
    to.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Machine, Run};

    fn results(title: &str, cpu: &str) -> Results {
        Results {
            version: VERSION,
            title: title.to_owned(),
            machine: Machine {
                cpu: cpu.to_owned(),
                ..Machine::default()
            },
            runs: vec![Run {
                version: VERSION,
                ..Run::default()
            }],
            ..Results::default()
        }
    }

    fn refusal(text: &str) -> String {
        parse("a.json", text).unwrap_err().to_string()
    }

    #[test]
    fn what_was_saved_is_read() {
        let saved = results("a", "x");
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(parse("a.json", &text).unwrap(), saved);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(refusal("{").starts_with("a.json: not JSON: "));
        assert!(refusal(r#"{"version":99,"runs":[]}"#).contains("version 99, and only version 1"));
        assert!(refusal("[]").contains("no field `version`"));
        assert!(refusal(r#"{"version":1}"#).contains("no field `runs`"));
        assert!(refusal(r#"{"version":1,"runs":7}"#).contains("not the layout of version 1"));
        let mut old = results("a", "x");
        old.runs[0].version = 0;
        assert!(refusal(&serde_json::to_string(&old).unwrap()).contains("is of version 0"));
    }

    #[test]
    fn several_are_put_together() {
        assert_eq!(merge(Vec::new()), None);
        let all = merge(vec![
            results("a", "x"),
            results("b", "x"),
            results("b", "y"),
        ])
        .unwrap();
        assert_eq!(all.title, "a + b");
        assert_eq!(all.runs.len(), 3);
        assert!(all.machine.cpu.starts_with("x; also y"));
    }
}
