//! Laws of docs/metrics.md: it shows what there is, and asks only for what there is.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::reference;
use crate::metrics::tests::promtool;

#[test]
fn the_alerts_of_the_docs_are_rules_that_promtool_takes() {
    let text = fs::read_to_string(docs()).unwrap();
    let (_, rest) = text.split_once("```yaml\n").unwrap();
    let (rules, _) = rest.split_once("```").unwrap();
    if let Some((said, good)) = promtool(&["rules", "/dev/stdin"], rules) {
        assert!(good && said.contains("11 rules found"), "{said}");
    }
}

#[test]
fn every_metric_that_the_docs_ask_for_exists() {
    let text = fs::read_to_string(docs()).unwrap();
    let reference = reference();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    for word in words.filter(|word| word.starts_with("otlp_") && !word.ends_with('_')) {
        let exists = ["", "_bucket", "_sum", "_count"].iter().any(|suffix| {
            let name = word.strip_suffix(suffix).unwrap_or(word);
            reference.contains(&format!("| `{name}` |"))
        });
        assert!(exists, "{word} is no metric");
    }
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")
}

/// `UPDATE_DOCS=1 cargo test docs` writes the table anew.
#[test]
fn the_docs_show_every_metric_as_it_is() {
    const BEGIN: &str = "<!-- table: begin -->\n";
    const END: &str = "<!-- table: end -->";
    let path = docs();
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", reference());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, wanted).unwrap();
    } else {
        assert!(
            text == wanted,
            "docs/metrics.md is behind; run UPDATE_DOCS=1 cargo test docs"
        );
    }
}
