//! How much of the figures is the load test's own.

use maud::{Markup, html};

use crate::figures;
use crate::results::{Results, Run};

use super::super::rows::Unit;
use super::tables::{head, line};

/// A figure of the load test in one run.
type Of = fn(&Run) -> f64;

/// How near the load test was to its own limits.
pub(super) fn table(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    let worst = |system: &str, figure: Of| -> Option<f64> {
        figures::repeats(results, scenario, system)
            .map(figure)
            .reduce(f64::max)
    };
    let rows: [(&str, Unit, Of); 3] = [
        ("requests handed over late, p99", Unit::Micros, |run| {
            let late = run.send.iter().map(|send| send.honesty.late_p99_us);
            late.max().unwrap_or_default() as f64
        }),
        ("sender, share of a core", Unit::Share, |run| {
            run.send
                .iter()
                .map(|send| send.honesty.cpu_share)
                .fold(0.0, f64::max)
        }),
        ("collector, share of a core", Unit::Share, |run| {
            run.collect.cpu_share
        }),
    ];
    html! {
        div.wide {
            table.systems {
                (head(systems))
                tbody {
                    @for (name, unit, figure) in rows {
                        (line(name, systems.iter().map(|system| {
                            worst(system, figure).map_or("–".to_owned(), |value| unit.show(value))
                        })))
                    }
                }
            }
        }
        p.caption {
            "The worst of the runs. What the load test itself was late is counted in the latency, \
             never taken off it."
        }
    }
}
