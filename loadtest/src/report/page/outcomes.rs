//! How requests and items ended.

use maud::{Markup, html};

use crate::figures;
use crate::results::{Answers, Delays, Results, Run};

use super::super::format;
use super::tables::{head, line};

/// Answers of a run: requests or items.
type Sum = fn(&Run) -> Answers;
/// Those of them that ended one way.
type Count = fn(&Answers) -> u64;

/// How requests and items ended, as the senders saw it, over all runs.
pub(super) fn table(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    const ENDS: [(&str, Count); 7] = [
        ("due", |answers| answers.due),
        ("sent", |answers| answers.sent),
        ("accepted", |answers| answers.accepted),
        ("accepted in part", |answers| answers.partial),
        ("refused, may be repeated", |answers| answers.refused),
        ("refused for good", |answers| answers.rejected),
        ("unanswered", |answers| answers.unanswered),
    ];
    let runs =
        |system: &str| -> Vec<&Run> { figures::repeats(results, scenario, system).collect() };
    let sum = |system: &str, answers: Sum, end: Count| -> u64 {
        runs(system).into_iter().map(|run| end(&answers(run))).sum()
    };
    let mut statuses: Vec<&str> = results
        .runs
        .iter()
        .filter(|run| run.scenario == scenario)
        .flat_map(|run| &run.send)
        .flat_map(|send| send.statuses.keys())
        .map(String::as_str)
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    let status = |system: &str, status: &str| -> u64 {
        runs(system)
            .into_iter()
            .flat_map(|run| &run.send)
            .filter_map(|send| send.statuses.get(status))
            .sum()
    };
    html! {
        div.wide {
            table.systems {
                (head(systems))
                @for (what, answers) in [("Requests", figures::requests as Sum), ("Items", figures::items)] {
                    tbody {
                        tr.group { th scope="rowgroup" colspan=(systems.len() + 1) { (what) } }
                        @for (name, end) in ENDS {
                            // Rare ends only where they happened.
                            @if ["due", "sent", "accepted"].contains(&name)
                                || systems.iter().any(|system| sum(system, answers, end) > 0) {
                                (line(name, systems.iter().map(|system| {
                                    format::thousands(sum(system, answers, end))
                                })))
                            }
                        }
                    }
                }
                @if !statuses.is_empty() {
                    tbody {
                        tr.group { th scope="rowgroup" colspan=(systems.len() + 1) { "Answers by status" } }
                        @for name in statuses {
                            (line(name, systems.iter().map(|system| format::thousands(status(system, name)))))
                        }
                    }
                }
                (delays(systems, |system| runs(system).into_iter().flat_map(|run| &run.send)
                    .filter_map(|send| send.delays.as_ref()).collect()))
            }
        }
    }
}

fn delays<'r>(systems: &[&str], of: impl Fn(&str) -> Vec<&'r Delays>) -> Markup {
    let all: Vec<Vec<&Delays>> = systems.iter().map(|system| of(system)).collect();
    let sum = |delays: &[&Delays], count: fn(&Delays) -> u64| -> u64 {
        delays.iter().map(|delays| count(delays)).sum()
    };
    html! {
        @if all.iter().any(|delays| !delays.is_empty()) {
            tbody {
                tr.group { th scope="rowgroup" colspan=(systems.len() + 1) { "Refusals that may be repeated" } }
                (line("with a delay", all.iter().map(|one| format::thousands(sum(one, |delays| delays.with)))))
                (line("without a delay", all.iter().map(|one| format::thousands(sum(one, |delays| delays.without)))))
                (line("delays named", all.iter().map(|one| {
                    let min = one.iter().filter(|one| one.with > 0).map(|one| one.min).reduce(f64::min);
                    let max = one.iter().filter(|one| one.with > 0).map(|one| one.max).reduce(f64::max);
                    match (min, max) {
                        (Some(min), Some(max)) if min < max => {
                            format!("{} to {}", format::seconds(min), format::seconds(max))
                        }
                        (Some(min), Some(_)) => format::seconds(min),
                        _ => "–".to_owned(),
                    }
                })))
            }
        }
    }
}
