//! What was acknowledged against what arrived.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::figures;
use crate::results::{Audit, Results};

use super::super::format;
use super::super::judged::{self, Fault};
use super::tables::{head, line};

/// What was acknowledged against what arrived, over all runs.
pub(super) fn table(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    const FAULTS: [(&str, Fault, bool); 4] = [
        ("lost", Fault::Lost, true),
        ("altered", Fault::Altered, true),
        ("foreign: of no sender", Fault::Foreign, true),
        // Allowed where a delivery is repeated.
        ("duplicated", Fault::Duplicated, false),
    ];
    let audits: Vec<Audit> = systems
        .iter()
        .map(|system| judged::audit(results, scenario, system))
        .collect();
    let undecodable = |system: &str| -> u64 {
        figures::repeats(results, scenario, system)
            .map(|run| run.collect.undecodable)
            .sum()
    };
    let counts = |count: fn(&Audit) -> u64| {
        let audits = audits.iter();
        audits.map(move |audit| match judged::verdict(audit) {
            Some(_) => format::thousands(count(audit)),
            None => "–".to_owned(),
        })
    };
    html! {
        div.wide {
            table.systems {
                (head(systems))
                tbody {
                    (line("acknowledged to the sender", counts(|audit| audit.acknowledged)))
                    (line("arrived at the collector", counts(|audit| audit.arrived)))
                    @for (name, fault, wrong) in FAULTS {
                        tr {
                            th scope="row" { (name) }
                            @for audit in &audits {
                                td.figure.bad[wrong && fault.count(audit).is_some_and(|count| count > 0)] {
                                    (fault.shown(audit))
                                }
                            }
                        }
                    }
                    (line("arrived without an acknowledgement", counts(|audit| audit.unacknowledged)))
                    tr {
                        th scope="row" { "requests that did not decode" }
                        @for system in systems {
                            @let count = undecodable(system);
                            td.figure.bad[count > 0] { (format::thousands(count)) }
                        }
                    }
                    tr {
                        th scope="row" { "verdict" }
                        @for audit in &audits {
                            @let verdict = judged::verdict(audit);
                            @let sound = judged::sound(audit);
                            td.figure.good[verdict.is_some() && sound].bad[!sound] {
                                (verdict.unwrap_or("–"))
                                span.range { (judged::reach(&audit.level)) }
                            }
                        }
                    }
                }
            }
        }
        p.caption { "Every item of the runs, those of the warm-up too." }
        (misbehaved(results, scenario, systems))
    }
}

fn misbehaved(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    let of = |system: &str| -> Vec<String> {
        let mut sum = BTreeMap::<&str, u64>::new();
        for run in figures::repeats(results, scenario, system) {
            for (what, count) in &run.collect.misbehaved {
                *sum.entry(what).or_default() += count;
            }
        }
        sum.into_iter()
            .map(|(what, count)| format!("{what} {}", format::thousands(count)))
            .collect()
    };
    html! {
        @for system in systems {
            @let what = of(system);
            @if !what.is_empty() {
                p.caption {
                    "The collector misbehaved on purpose at requests of " b { (system) } ": "
                    (what.join(", ")) "."
                }
            }
        }
    }
}
