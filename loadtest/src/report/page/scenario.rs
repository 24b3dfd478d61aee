//! One scenario: its headline, its systems side by side, then each over time.

use maud::{Markup, html};

use crate::figures;
use crate::results::{Audit, Results, Run};

use super::super::judged::Fault;
use super::super::rows::{self, Row};
use super::super::{format, judged, warnings};
use super::{audit, charts, honesty, outcomes, tables, timeline};

/// The section of a scenario.
pub(super) fn section(results: &Results, scenario: &str, anchor: &str) -> Markup {
    let systems = figures::systems(results, scenario);
    let notes = warnings::notes(results, scenario);
    // Of one scenario alone they stand at the top of the page.
    let warnings = if figures::scenarios(results).len() > 1 {
        warnings::of(results, scenario)
    } else {
        Vec::new()
    };
    html! {
        section id=(anchor) {
            h2 { (scenario) }
            p.meta { (how(results, scenario)) }
            @if !warnings.is_empty() {
                aside.warning { h3 { "Not the system’s limit" } (super::listed(&warnings)) }
            }
            (headline(results, scenario, subject(&systems)))
            (tables::objectives(results, scenario, &systems))
            h3 { (if systems.len() > 1 { "Systems side by side" } else { "Figures" }) }
            @if systems.len() > 1 {
                (tables::comparison(results, scenario, &systems))
                (noted(&notes))
                div.charts {
                    div.stack {
                        (charts::cost(results, scenario, &systems))
                        (charts::memory(results, scenario, &systems))
                    }
                    (charts::percentiles(results, scenario, &systems))
                }
            } @else {
                // Bars compare, and there is nothing to compare with.
                div.charts {
                    div { (tables::comparison(results, scenario, &systems)) (noted(&notes)) }
                    (charts::percentiles(results, scenario, &systems))
                }
            }
            h3 { "Over time" }
            @for system in &systems { (timeline::system(results, scenario, system)) }
            // The tables of one system are narrow enough to stand beside each other.
            div.charts[systems.len() == 1] {
                div {
                    h3 { "Outcomes" }
                    (outcomes::table(results, scenario, &systems))
                }
                div {
                    h3 { "Audit" }
                    (audit::table(results, scenario, &systems))
                    h3 { "The load test itself" }
                    (honesty::table(results, scenario, &systems))
                }
            }
        }
    }
}

fn noted(notes: &[String]) -> Markup {
    html! {
        @if !notes.is_empty() {
            ul.notes { @for note in notes { li { (note) } } }
        }
    }
}

/// The system that the page is about: the first that is not the bound to compare with.
fn subject<'s>(systems: &[&'s str]) -> &'s str {
    systems
        .iter()
        .find(|system| **system != figures::BASELINE)
        .or(systems.first())
        .copied()
        .unwrap_or_default()
}

/// What was sent and how often, in a line.
fn how(results: &Results, scenario: &str) -> String {
    let runs: Vec<&Run> = results
        .runs
        .iter()
        .filter(|run| run.scenario == scenario)
        .collect();
    let mut parts: Vec<String> = Vec::new();
    if let Some(run) = runs.first() {
        let titles = run.send.iter().map(|send| send.title.clone());
        parts.extend(titles.filter(|title| !title.is_empty()));
        parts.push(format!(
            "{} measured",
            format::seconds(figures::duration(run))
        ));
    }
    parts.push(format::counted(runs.len(), "run", "runs in turn"));
    parts.join(" · ")
}

fn headline(results: &Results, scenario: &str, system: &str) -> Markup {
    let shown = |row: Row| {
        row.spread(results, scenario, system)
            .map_or("–".to_owned(), |spread| row.unit.show(spread.median))
    };
    let multiple = rows::MULTIPLE.spread(results, scenario, system);
    let cost = match multiple {
        Some(times) if system != figures::BASELINE => {
            format!("{:.2}× the raw proxy", times.median)
        }
        _ => String::new(),
    };
    let audit = judged::audit(results, scenario, system);
    let corrected = rows::P99.spread(results, scenario, system).is_some();
    html! {
        div.cards {
            (card(
                "items per second",
                &shown(rows::ITEM_RATE),
                &format!("in {} requests", shown(rows::REQUEST_RATE)),
                None,
            ))
            @if corrected {
                (card(
                    "latency, 99th percentile",
                    &shown(rows::P99),
                    &format!("p50 {}, max {}", shown(rows::P50), shown(rows::MAX)),
                    None,
                ))
            } @else {
                (card("raw latency, 99th percentile", &shown(rows::RAW_P99), "no schedule", None))
            }
            (card("CPU per million items", &shown(rows::CPU), &cost, None))
            (card("peak memory", &shown(rows::RSS), "", None))
            @if !audit.level.is_empty() {
                (card(
                    "items lost",
                    &format::thousands(audit.lost),
                    &found(&audit),
                    Some(judged::sound(&audit)),
                ))
            }
        }
        p.caption { "Headline figures: " b { (system) } ", " (rows_note(results, scenario, system)) }
    }
}

fn rows_note(results: &Results, scenario: &str, system: &str) -> String {
    match figures::repeats(results, scenario, system).count() {
        ..=1 => "one run.".to_owned(),
        runs => format!("median of {runs} runs; the audit sums them."),
    }
}

/// What else the audit found, as far as it could see.
fn found(audit: &Audit) -> String {
    let parts = [
        (Fault::Duplicated, "duplicated"),
        (Fault::Altered, "altered"),
    ]
    .into_iter()
    .filter_map(|(fault, name)| {
        let count = fault.count(audit)?;
        Some(format!("{} {name}", format::thousands(count)))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        "by totals only".to_owned()
    } else {
        parts.join(", ")
    }
}

fn card(what: &str, value: &str, detail: &str, good: Option<bool>) -> Markup {
    html! {
        div.card {
            div.what { (what) }
            div.value.good[good == Some(true)].bad[good == Some(false)] {
                @match good {
                    Some(true) => "✓ ",
                    Some(false) => "✗ ",
                    None => "",
                }
                (value)
            }
            div.what { (detail) }
        }
    }
}
