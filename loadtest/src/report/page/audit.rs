//! What was acknowledged against what arrived.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::figures;
use crate::results::{Audit, Results};

use super::super::{format, judged};
use super::tables::head;

/// One count of an audit.
type Count = fn(&Audit) -> u64;

/// What was acknowledged against what arrived, over all runs.
pub(super) fn table(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    // What it counts, whether any is a fault, and the count.
    const COUNTS: [(&str, bool, Count); 7] = [
        ("acknowledged to the sender", false, |audit| {
            audit.acknowledged
        }),
        ("arrived at the collector", false, |audit| audit.arrived),
        ("lost", true, |audit| audit.lost),
        ("altered", true, |audit| audit.altered),
        ("foreign: of no sender", true, |audit| audit.foreign),
        ("duplicated", false, |audit| audit.duplicated),
        ("arrived without an acknowledgement", false, |audit| {
            audit.unacknowledged
        }),
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
    html! {
        div.wide {
            table.systems {
                (head(systems))
                tbody {
                    @for (name, fault, count) in COUNTS {
                        tr {
                            th scope="row" { (name) }
                            @for audit in &audits {
                                td.figure.bad[fault && count(audit) > 0] {
                                    @if audit.level.is_empty() { "–" }
                                    @else { (format::thousands(count(audit))) }
                                }
                            }
                        }
                    }
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
                            @let known = !audit.level.is_empty();
                            @let sound = judged::sound(audit);
                            td.figure.good[known && sound].bad[known && !sound] {
                                (match (known, sound) {
                                    (false, _) => "not audited",
                                    (true, true) => "✓ nothing lost or altered",
                                    (true, false) => "✗ not sound",
                                })
                                span.range { (judged::reach(&audit.level)) }
                            }
                        }
                    }
                }
            }
        }
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
