//! The closing summary in a terminal: one screen.

use crate::figures::{self, Spread};
use crate::results::Results;

use super::judged::Fault;
use super::layout::{Paint, cut, right, wrapped};
use super::rows::{self, Row};
use super::{format, judged, warnings};

/// Lines that fit a screen.
const LINES: usize = 40;
/// Width of the names of the rows.
const NAMES: usize = 25;
/// Narrowest column of a system.
const COLUMN: usize = 16;
/// In the place of a spread.
const UNSPREAD: &str = "      ";
/// Warnings shown; the page has all of them.
const WARNINGS: usize = 3;
/// Objectives shown of a scenario, those not met first.
const OBJECTIVES: usize = 8;

/// The rows of a scenario's table, in the order of reading.
const ROWS: [Row; 16] = [
    rows::REQUEST_RATE,
    rows::ITEM_RATE,
    rows::ERROR_RATE,
    rows::P50,
    rows::P99,
    rows::P999,
    rows::MAX,
    rows::RAW_P99,
    rows::CPU,
    rows::USER,
    rows::SYSTEM,
    rows::MULTIPLE,
    rows::CPU_PER_GB,
    rows::RSS,
    rows::SWITCHES,
    rows::SYSCALLS,
];

/// What an audit finds wrong.
const FAULTS: [(&str, Fault); 3] = [
    ("items lost", Fault::Lost),
    ("items duplicated", Fault::Duplicated),
    ("items altered", Fault::Altered),
];

/// Writes what was found in at most 40 lines of at most `width` columns. Colours are ANSI's; no
/// meaning is in them alone.
#[must_use]
pub fn summary(results: &Results, width: usize, colour: bool) -> String {
    let paint = Paint { colour };
    let scenarios = figures::scenarios(results);
    let mut lines = head(results, width, paint);
    let full: Vec<Vec<String>> = scenarios
        .iter()
        .map(|scenario| block(results, scenario, width, paint))
        .collect();
    let room = LINES.saturating_sub(lines.len());
    if full.iter().map(Vec::len).sum::<usize>() <= room {
        lines.extend(full.into_iter().flatten());
    } else {
        lines.extend(overview(results, &scenarios, width, room, paint));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn head(results: &Results, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.bold(&cut(&results.title, width))];
    let machine = &results.machine;
    lines.push(paint.faint(&cut(
        &format!(
            "{} · {} · {} · Linux {}",
            machine.cpu,
            format::counted(machine.cores as usize, "core", "cores"),
            format::bytes(machine.memory as f64),
            machine.kernel
        ),
        width,
    )));
    let warnings = warnings::all(results);
    for warning in warnings.iter().take(WARNINGS) {
        let text = format!("NOT THE SYSTEM'S LIMIT · {warning}");
        lines.extend(wrapped(&text, width).map(|line| paint.warning(&line)));
    }
    if warnings.len() > WARNINGS {
        let more = warnings.len() - WARNINGS;
        lines.push(paint.warning(&cut(&format!("and {more} more such warnings"), width)));
    }
    lines
}

/// One scenario in full.
fn block(results: &Results, scenario: &str, width: usize, paint: Paint) -> Vec<String> {
    let all = figures::systems(results, scenario);
    let shown = ((width.saturating_sub(NAMES)) / COLUMN).clamp(1, all.len().max(1));
    let systems = &all[..shown.min(all.len())];
    let column = ((width.saturating_sub(NAMES)) / shown).min(COLUMN + 6);

    let mut lines = vec![String::new()];
    lines.push(cut(&heading(results, scenario), width));
    let mut names = format!("{:<NAMES$}", repeats(results, scenario));
    let repeated = systems
        .iter()
        .any(|system| figures::repeats(results, scenario, system).count() > 1);
    // Where the others have their spread.
    let pad = if repeated { UNSPREAD } else { "" };
    for system in systems {
        names += &right(&cut(system, column), column);
    }
    lines.push(paint.bold(&cut(&names, width)));
    let mut table: Vec<(Row, Vec<Option<Spread>>)> = ROWS
        .into_iter()
        .map(|row| {
            let spreads = systems
                .iter()
                .map(|system| row.spread(results, scenario, system));
            (row, spreads.collect::<Vec<_>>())
        })
        .filter(|(_, spreads)| spreads.iter().any(Option::is_some))
        .collect();
    // A closed loop knows no other latency; beside the corrected one it would only take a line.
    if table.iter().any(|(row, _)| row.name == rows::P99.name) {
        table.retain(|(row, _)| row.name != rows::RAW_P99.name);
    }
    for (row, spreads) in table {
        let mut line = format!("{:<NAMES$}", row.name);
        for spread in spreads {
            let text = spread.map_or(format!("–{pad}"), |spread| compact(row, &spread));
            line += &right(&text, column);
        }
        lines.push(cut(&line, width));
    }
    for (name, fault) in FAULTS {
        let mut line = format!("{name:<NAMES$}");
        let mut any = false;
        for system in systems {
            let audit = judged::audit(results, scenario, system);
            any |= fault.count(&audit).is_some_and(|count| count > 0);
            line += &right(&format!("{}{pad}", fault.shown(&audit)), column);
        }
        let line = cut(&line, width);
        lines.push(if any { paint.bad(&line) } else { line });
    }
    if all.len() > systems.len() {
        let more = format!("{} more on the page", all.len() - systems.len());
        lines.push(cut(&more, width));
    }
    lines.extend(verdicts(results, scenario, &all, width, paint));
    lines
}

fn heading(results: &Results, scenario: &str) -> String {
    let run = results.runs.iter().find(|run| run.scenario == scenario);
    let title = run
        .and_then(|run| run.send.first())
        .map_or("", |send| &send.title);
    format!("{scenario} · {title}")
}

/// What a figure is of.
fn repeats(results: &Results, scenario: &str) -> String {
    let systems = figures::systems(results, scenario);
    let runs = systems
        .iter()
        .map(|system| figures::repeats(results, scenario, system).count())
        .max()
        .unwrap_or_default();
    match runs {
        ..=1 => "one run".to_owned(),
        runs => format!("median of {runs}, ±half range"),
    }
}

fn verdicts(
    results: &Results,
    scenario: &str,
    systems: &[&str],
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let mut judged: Vec<(bool, String)> = Vec::new();
    for system in systems {
        for objective in judged::objectives(results, scenario, system) {
            let held = objective.held();
            let mark = if held { '✓' } else { '✗' };
            judged.push((
                held,
                format!(
                    "{mark} {system}: {}, {} ({})",
                    objective.asked,
                    objective.outcome(),
                    objective.measurements()
                ),
            ));
        }
    }
    let count = judged.len();
    // Stable: those not met first, else as asked.
    judged.sort_by_key(|(held, _)| *held);
    let mut lines: Vec<String> = judged
        .into_iter()
        .take(OBJECTIVES)
        .map(|(held, text)| {
            let text = cut(&text, width);
            if held {
                paint.good(&text)
            } else {
                paint.bad(&text)
            }
        })
        .collect();
    if count > OBJECTIVES {
        lines.push(cut(
            &format!("and {} more objectives", count - OBJECTIVES),
            width,
        ));
    }
    lines
}

/// Several scenarios, a line for each system.
fn overview(
    results: &Results,
    scenarios: &[&str],
    width: usize,
    room: usize,
    paint: Paint,
) -> Vec<String> {
    const COLUMNS: [(&str, Row); 4] = [
        ("items/s", rows::ITEM_RATE),
        ("p99", rows::P99),
        ("CPU/M", rows::CPU),
        ("× raw", rows::MULTIPLE),
    ];
    const CELL: usize = 11;
    const MARKS: usize = 12;
    let names = width.saturating_sub(COLUMNS.len() * CELL + MARKS).max(12);
    let mut head = format!("{:<names$}", "scenario, system");
    for (name, _) in COLUMNS {
        head += &right(name, CELL);
    }
    head += &right("audit goals", MARKS);
    let mut lines = Vec::new();
    for scenario in scenarios {
        for system in figures::systems(results, scenario) {
            let name = cut(&format!("{scenario}, {system}"), names);
            let mut line = format!("{name:<names$}");
            for (_, row) in COLUMNS {
                let spread = row.spread(results, scenario, system);
                line += &right(
                    &spread.map_or("–".to_owned(), |spread| row.unit.show(spread.median)),
                    CELL,
                );
            }
            let audit = judged::audit(results, scenario, system);
            let sound = judged::sound(&audit);
            let mark = match judged::verdict(&audit) {
                None => '–',
                Some(_) if sound => '✓',
                Some(_) => '✗',
            };
            let objectives = judged::objectives(results, scenario, system);
            let held = objectives.iter().filter(|one| one.held()).count();
            let goals = match objectives.len() {
                0 => "–".to_owned(),
                all => format!("{held}/{all}"),
            };
            line += &right(&format!("{mark} {goals:>5}"), MARKS);
            let line = cut(&line, width);
            lines.push(if sound && held == objectives.len() {
                line
            } else {
                paint.bad(&line)
            });
        }
    }
    // A blank line, the head, and, where some do not fit, a line that says so.
    let fit = room.saturating_sub(2);
    if lines.len() > fit {
        let more = lines.len() - fit.saturating_sub(1);
        lines.truncate(fit.saturating_sub(1));
        lines.push(cut(&format!("and {more} more on the page"), width));
    }
    let mut all = vec![String::new(), paint.bold(&cut(&head, width))];
    all.extend(lines);
    all
}

/// A median and half of the range of its repeats, in percent of it.
fn compact(row: Row, spread: &Spread) -> String {
    let median = row.unit.show(spread.median);
    if spread.count < 2 {
        return median;
    }
    if spread.median <= 0.0 || rows::range(row.unit, spread).is_none() {
        return format!("{median}{UNSPREAD}");
    }
    let half = (spread.max - spread.min) / 2.0 / spread.median * 100.0;
    let half = if (0.05..9.95).contains(&half) {
        format!("{half:.1}")
    } else {
        format!("{half:.0}")
    };
    format!("{median} {:>5}", format!("±{half}%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_half_of_the_range() {
        let spread = Spread::of([0.9, 1.0, 1.1]).unwrap();
        assert_eq!(compact(rows::CPU, &spread), "1.00 s  ±10%");
        let alone = Spread::of([1.0]).unwrap();
        assert_eq!(compact(rows::CPU, &alone), "1.00 s");
        // No spread to be seen, and still in line with those that have one.
        let same = Spread::of([1.0, 1.0]).unwrap();
        assert_eq!(compact(rows::CPU, &same), "1.00 s      ");
    }
}
