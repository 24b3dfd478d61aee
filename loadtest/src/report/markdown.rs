//! One table by scenario and system, for documents.

use crate::figures::{self, Spread};
use crate::results::Results;

use super::judged::Fault;
use super::rows::{self, Row};
use super::{format, judged, warnings};

/// The columns: what is compared first, then what explains it.
const COLUMNS: [Row; 10] = [
    rows::ITEM_RATE,
    rows::ERROR_RATE,
    rows::P50,
    rows::P99,
    rows::P999,
    rows::RAW_P99,
    rows::CPU,
    rows::MULTIPLE,
    rows::CPU_PER_GB,
    rows::RSS,
];

/// A Markdown table of the medians, with the range of the repeats.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    for warning in warnings::all(results) {
        line(
            &mut text,
            &format!("> **Not the system's limit:** {}", cell(&warning)),
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let columns: Vec<Row> = COLUMNS
        .into_iter()
        .filter(|row| {
            each(results).any(|(scenario, system)| row.spread(results, scenario, system).is_some())
        })
        .collect();
    let mut head = "| scenario | system | runs |".to_owned();
    let mut rule = "|---|---|---:|".to_owned();
    for row in &columns {
        head += &format!(" {} |", row.name);
        rule += "---:|";
    }
    line(&mut text, &(head + " lost | duplicated | altered |"));
    line(&mut text, &(rule + "---:|---:|---:|"));
    for (scenario, system) in each(results) {
        let runs = figures::repeats(results, scenario, system).count();
        let mut row = format!("| {} | {} | {runs} |", cell(scenario), cell(system));
        for column in &columns {
            let spread = column.spread(results, scenario, system);
            row += &format!(
                " {} |",
                spread.map_or("–".to_owned(), |spread| shown(*column, &spread))
            );
        }
        let audit = judged::audit(results, scenario, system);
        for fault in [Fault::Lost, Fault::Duplicated, Fault::Altered] {
            row += &format!(" {} |", fault.shown(&audit));
        }
        line(&mut text, &row);
    }
    text.push('\n');
    line(&mut text, &machine(results));
    text
}

fn shown(row: Row, spread: &Spread) -> String {
    let median = row.unit.show(spread.median);
    match rows::range(row.unit, spread) {
        Some(range) => format!("{median} ({range})"),
        None => median,
    }
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    format!(
        "Median of the runs (lowest–highest). {}, {}, {}, Linux {}, {}.",
        cell(&machine.cpu),
        format::counted(machine.cores as usize, "core", "cores"),
        format::bytes(machine.memory as f64),
        cell(&machine.kernel),
        cell(&machine.date),
    )
}

/// Every system of every scenario.
fn each(results: &Results) -> impl Iterator<Item = (&str, &str)> {
    figures::scenarios(results)
        .into_iter()
        .flat_map(|scenario| {
            figures::systems(results, scenario)
                .into_iter()
                .map(move |system| (scenario, system))
        })
}

/// A text that neither ends its cell nor its row, nor begins a tag.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "\\<")
        .replace(['\n', '\r'], " ")
}

fn line(to: &mut String, text: &str) {
    to.push_str(text);
    to.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Answers, Run, SendReport};

    #[test]
    fn a_row_for_each_system_and_no_column_without_figures() {
        let run = |accepted| Run {
            scenario: "a|b".to_owned(),
            system: "<otlp>".to_owned(),
            send: vec![SendReport {
                duration: 1.0,
                items: Answers {
                    accepted,
                    ..Answers::default()
                },
                ..SendReport::default()
            }],
            ..Run::default()
        };
        let table = markdown(&Results {
            runs: vec![run(1000), run(3000)],
            ..Results::default()
        });
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0],
            "| scenario | system | runs | items/s | lost | duplicated | altered |"
        );
        assert_eq!(
            lines[2],
            "| a\\|b | \\<otlp> | 2 | 2,000 (1,000–3,000) | – | – | – |"
        );
        assert_eq!(lines[1].matches('|').count(), lines[0].matches('|').count());
    }
}
