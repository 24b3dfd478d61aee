//! The ledger of proofs: one line for each that was made, in a file that is kept with the code.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;

use super::Report;
use crate::host::utc;

/// The first line of the file.
const HEAD: &str = "date,commit,family,count,failures,seconds\n";

/// Adds a proof to the file and makes the file where there is none. `commit` names the code that
/// was proven.
///
/// # Errors
///
/// The file cannot be written.
pub fn append(path: &Path, commit: &str, report: &Report) -> anyhow::Result<()> {
    let append = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let is_new = !path.exists();
        let mut file = File::options().create(true).append(true).open(path)?;
        let head = if is_new { HEAD } else { "" };
        file.write_all(
            format!("{head}{}", line(&utc(SystemTime::now()), commit, report)).as_bytes(),
        )
    };
    append().with_context(|| format!("cannot add a line to {}", path.display()))
}

fn line(date: &str, commit: &str, report: &Report) -> String {
    let Report {
        family,
        rounds,
        seconds,
        failures,
        ..
    } = report;
    // Commas end a field.
    let commit = commit.replace([',', '\n'], " ");
    format!(
        "{date},{commit},{family},{rounds},{},{seconds:.1}\n",
        failures.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_proof_is_a_line_below_one_head() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proofs/ledger.csv");
        let report = Report {
            family: "kill-stored".to_owned(),
            rounds: 30,
            seconds: 41.26,
            failures: vec!["x".to_owned()],
            ..Report::default()
        };
        append(&path, "abc", &report).unwrap();
        append(&path, "a,b", &report).unwrap();
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], HEAD.trim_end());
        assert!(lines[1].ends_with(",abc,kill-stored,30,1,41.3"), "{text}");
        assert!(lines[2].contains(",a b,kill-stored,"), "{text}");
    }
}
