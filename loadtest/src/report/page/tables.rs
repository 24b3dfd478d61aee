//! The tables of figures: scenarios, objectives, systems side by side.

use maud::{Markup, html};

use crate::figures::{self, Spread};
use crate::results::Results;

use super::super::judged::Fault;
use super::super::rows::{self, Row, Unit};
use super::super::{format, judged};

/// Scenarios and their systems, with links: the table of contents.
pub(super) fn overview(results: &Results, scenarios: &[&str]) -> Markup {
    const COLUMNS: [Row; 5] = [
        rows::ITEM_RATE,
        rows::P99,
        rows::CPU,
        rows::MULTIPLE,
        rows::RSS,
    ];
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th { "scenario" }
                        th { "system" }
                        @for row in COLUMNS { th.figure { (row.name) } }
                        th.figure { "lost" }
                        th.figure { "objectives met" }
                    }
                }
                @for (place, scenario) in scenarios.iter().enumerate() {
                    tbody {
                        @for (line, system) in figures::systems(results, scenario).iter().enumerate() {
                            @let audit = judged::audit(results, scenario, system);
                            @let goals = judged::objectives(results, scenario, system);
                            @let held = goals.iter().filter(|goal| goal.held()).count();
                            tr {
                                th scope="row" {
                                    @if line == 0 {
                                        a href=(format!("#{}", super::anchor(place))) { (scenario) }
                                    }
                                }
                                td { (system) }
                                @for row in COLUMNS {
                                    td.figure { (median(row.unit, row.spread(results, scenario, system))) }
                                }
                                td.figure.bad[!judged::sound(&audit)] { (Fault::Lost.shown(&audit)) }
                                td.figure.bad[held < goals.len()] {
                                    @if goals.is_empty() { "–" } @else { (held) " of " (goals.len()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The objectives and whether each was met.
pub(super) fn objectives(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    let judged: Vec<(&str, judged::Objective)> = systems
        .iter()
        .flat_map(|system| {
            judged::objectives(results, scenario, system)
                .into_iter()
                .map(move |objective| (*system, objective))
        })
        .collect();
    html! {
        @if !judged.is_empty() {
            h3 { "Objectives" }
            div.wide {
                table {
                    thead { tr { th { "system" } th { "objective" } th { "outcome" } th { "measured" } } }
                    tbody {
                        @for (system, objective) in &judged {
                            tr {
                                th scope="row" { (system) }
                                td { code { (objective.asked) } }
                                td.good[objective.held()].bad[!objective.held()] {
                                    (if objective.held() { "✓ " } else { "✗ " }) (objective.outcome())
                                }
                                td { (objective.measurements()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Every figure of every system.
pub(super) fn comparison(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    html! {
        div.wide {
            table.systems {
                (head(systems))
                tbody {
                    @for (row, spreads) in rows::table(results, scenario, systems) {
                        tr {
                            th.part[row.name.starts_with(' ')] scope="row" { (row.name.trim()) }
                            @for spread in spreads {
                                td.figure {
                                    (median(row.unit, spread))
                                    @if let Some(range) = spread.and_then(|spread| rows::range(row.unit, &spread)) {
                                        span.range { (range) }
                                    }
                                }
                            }
                        }
                    }
                    (line("runs", systems.iter().map(|system| {
                        format::thousands(figures::repeats(results, scenario, system).count() as u64)
                    })))
                }
            }
        }
    }
}

/// The head of a table with a column for each system.
pub(super) fn head(systems: &[&str]) -> Markup {
    html! {
        thead { tr { th {} @for system in systems { th.figure scope="col" { (system) } } } }
    }
}

/// A row of it.
pub(super) fn line(name: &str, values: impl Iterator<Item = String>) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            @for value in values { td.figure { (value) } }
        }
    }
}

fn median(unit: Unit, spread: Option<Spread>) -> String {
    spread.map_or("–".to_owned(), |spread| unit.show(spread.median))
}
