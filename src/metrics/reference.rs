//! The reference of all metrics, as docs/metrics.md shows it.

use super::{
    families::{self, Source},
    text::Family,
};

/// Every metric as a row of a Markdown table: name, type, unit, labels, meaning.
#[must_use]
pub fn reference() -> String {
    let mut table = String::from("| metric | type | unit | labels | meaning |\n");
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for families::Row { family, source } in families::rows() {
        table.push_str(&row(family, source));
    }
    table
}

fn row(family: &Family, source: &Source) -> String {
    let Family {
        name,
        kind,
        unit,
        help,
        labels,
    } = family;
    let mut labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    if matches!(source, Source::Shards(_)) {
        labels.push("(`shard`)".to_owned());
    }
    format!(
        "| `{name}` | {} | {unit} | {} | {help} |\n",
        kind.name(),
        labels.join(", ")
    )
}

#[cfg(test)]
mod tests;
