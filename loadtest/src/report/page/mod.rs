//! One page that a reader can be handed: a single file, no network, no script.

mod audit;
mod charts;
mod honesty;
mod intervals;
mod outcomes;
mod scenario;
mod tables;
mod timeline;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::figures;
use crate::results::Results;

use super::{format, judged, warnings};

const STYLE: &str = include_str!("style.css");

/// The page forbids itself what it does not need, whatever the results hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Writes the page: one HTML file with its style and its plots inside.
#[must_use]
pub fn page(results: &Results) -> String {
    let scenarios = figures::scenarios(results);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (results.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (head(results)) }
                main {
                    (warnings(results, &scenarios))
                    @if scenarios.len() > 1 { (contents(results, &scenarios)) }
                    @for (place, scenario) in scenarios.iter().enumerate() {
                        (scenario::section(results, scenario, &anchor(place)))
                    }
                    (reproduce(results))
                    (reading())
                }
                footer { "Made by loadtest " (env!("CARGO_PKG_VERSION")) "." }
            }
        }
    }
    .into_string()
}

fn head(results: &Results) -> Markup {
    let machine = &results.machine;
    let (held, all) = judged::tally(results);
    html! {
        h1 { (results.title) }
        p.meta {
            (machine.date) " · " (machine.cpu) " · "
            (format::counted(machine.cores as usize, "core", "cores")) " · "
            (format::bytes(machine.memory as f64)) " · Linux " (machine.kernel)
        }
        @if all > 0 {
            @if held == all {
                p.verdict.good { "✓ " (all_met(all)) }
            } @else {
                p.verdict.bad {
                    "✗ " (all - held) " of " (format::counted(all, "objective", "objectives"))
                    " not met"
                }
            }
        }
    }
}

fn all_met(count: usize) -> String {
    match count {
        1 => "The objective is met".to_owned(),
        count => format!("All {count} objectives are met"),
    }
}

fn warnings(results: &Results, scenarios: &[&str]) -> Markup {
    let warned: Vec<(usize, &str, Vec<String>)> = scenarios
        .iter()
        .enumerate()
        .map(|(place, scenario)| (place, *scenario, warnings::of(results, scenario)))
        .filter(|(_, _, warnings)| !warnings.is_empty())
        .collect();
    html! {
        @if !warned.is_empty() {
            aside.warning {
                h2 { "Not the system’s limit" }
                p {
                    "In these runs the load test itself may have been the bottleneck. \
                     Do not read their figures as what the system can do at most."
                }
                @if scenarios.len() == 1 {
                    @for (_, _, warnings) in &warned { (listed(warnings)) }
                } @else {
                    ul {
                        @for (place, scenario, warnings) in &warned {
                            li {
                                a href=(format!("#{}", anchor(*place))) { (scenario) } ": "
                                (format::counted(warnings.len(), "warning", "warnings"))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Warnings, the first few at once: many runs make many of them.
fn listed(warnings: &[String]) -> Markup {
    const FIRST: usize = 4;
    let (first, rest) = warnings.split_at(warnings.len().min(FIRST));
    html! {
        ul { @for warning in first { li { (warning) } } }
        @if !rest.is_empty() {
            details {
                summary { "and " (rest.len()) " more" }
                ul { @for warning in rest { li { (warning) } } }
            }
        }
    }
}

fn contents(results: &Results, scenarios: &[&str]) -> Markup {
    html! {
        nav aria-label="Scenarios" {
            h2 { "Scenarios" }
            (tables::overview(results, scenarios))
        }
    }
}

/// The anchor of a scenario's section.
fn anchor(place: usize) -> String {
    format!("scenario-{}", place + 1)
}

fn reproduce(results: &Results) -> Markup {
    let mut commands: Vec<(&str, &str, &str)> = Vec::new();
    for run in &results.runs {
        let command = (
            run.system.as_str(),
            run.system_version.as_str(),
            run.command.as_str(),
        );
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    html! {
        section {
            h2 { "How to reproduce" }
            @if !results.command.is_empty() { pre { code { (results.command) } } }
            div.wide {
                table {
                    thead { tr { th { "system" } th { "version" } th { "started by" } } }
                    tbody {
                        @for (system, version, command) in commands {
                            tr {
                                th scope="row" { (system) }
                                td { (if version.is_empty() { "–" } else { version }) }
                                td { code { (if command.is_empty() { "–" } else { command }) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reading() -> Markup {
    html! {
        section {
            h2 { "How to read this" }
            dl {
                dt { "Latency" }
                dd {
                    "From when a request was due by the schedule to its answer: what a user waits. \
                     A system that falls behind is charged for the wait of every request that was \
                     due meanwhile. Raw latency counts from when the request was handed over, and \
                     leaves that wait out."
                }
                dt { "CPU per million items" }
                dd {
                    "CPU time of the system under test alone, by the scheduler’s clock, for a \
                     million items that were acknowledged. The load test’s own processes are \
                     priced apart."
                }
                dt { "× raw proxy" }
                dd {
                    "CPU per item against that of a proxy that only copies bytes between two \
                     sockets: the least that any forwarder can cost. Each run is compared with \
                     the run of the proxy beside it."
                }
                dt { "Audit" }
                dd {
                    "Every item carries an id, and a checksum of itself. Lost: acknowledged to the \
                     sender and never arrived. Duplicated: arrived again. Altered: arrived with \
                     other content than was sent."
                }
                dt { "Spread" }
                dd { "The median of the runs, and the lowest and the highest beside it." }
            }
        }
    }
}
