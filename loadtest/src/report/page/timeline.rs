//! One run of a system over time.

use maud::{Markup, html};

use crate::figures;
use crate::results::{Cost, CostPoint, Results, Run};

use super::super::format;
use super::super::plot::{Axis, Chart, Event, Hit, Line};
use super::charts;
use super::intervals::{self, Interval, Latencies};

/// Height of a plot over time.
const HEIGHT: f64 = 210.0;

/// Plots of the run of a system that is shown for all of its runs.
pub(super) fn system(results: &Results, scenario: &str, system: &str) -> Markup {
    let runs: Vec<&Run> = figures::repeats(results, scenario, system).collect();
    let Some(place) = typical(&runs) else {
        return html! {};
    };
    let run = runs[place];
    let intervals = intervals::intervals(run);
    let shown = Shown {
        run,
        intervals: &intervals,
        span: span(run, &intervals),
        colour: charts::colour(results, system),
    };
    html! {
        h4 { (system) }
        @if runs.len() > 1 {
            p.caption { "Run " (place + 1) " of " (runs.len()) ": the one with the median p99." }
        }
        div.charts {
            @if !intervals.is_empty() {
                figure {
                    figcaption { b { "Throughput" } span { "Dashed: due by the schedule." } }
                    (shown.throughput().svg())
                }
                @if intervals.iter().any(|interval| interval.latency.is_some()) {
                    figure {
                        figcaption { b { "Latency" } span { (shown.since()) } }
                        (shown.latency().svg())
                    }
                }
            }
            @if let Some(cost) = figures::forwarder(run).filter(|cost| !cost.points.is_empty()) {
                figure {
                    figcaption { b { "Memory" } span { "Resident set of " (system) "." } }
                    (shown.memory(cost).svg())
                }
            }
            @if run.costs.iter().any(|cost| !cost.points.is_empty()) {
                figure {
                    figcaption { b { "Processor" } span { "The system, and the load test’s own processes." } }
                    (shown.cores().svg())
                }
            }
        }
        (events(&runs))
    }
}

/// The run in the middle by its p99.
fn typical(runs: &[&Run]) -> Option<usize> {
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by_key(|place| figures::latency(runs[*place]).p99_us);
    order.get(order.len().saturating_sub(1) / 2).copied()
}

/// Length of the time axis: what any of the series reaches.
fn span(run: &Run, intervals: &[Interval]) -> f64 {
    let senders = intervals.iter().map(|interval| interval.to);
    let costs = run
        .costs
        .iter()
        .flat_map(|cost| &cost.points)
        .map(|point| point.at);
    let events = run.events.iter().map(|(at, _)| *at);
    senders
        .chain(costs)
        .chain(events)
        .fold(figures::duration(run), f64::max)
}

/// The run that is shown, with what its plots share.
struct Shown<'r> {
    run: &'r Run,
    intervals: &'r [Interval],
    /// Length of the time axis.
    span: f64,
    /// Class of the system's colour.
    colour: String,
}

impl Shown<'_> {
    /// When the latency of the intervals begins.
    fn since(&self) -> &'static str {
        if figures::latency(self.run).count > 0 {
            "From when requests were due."
        } else {
            "Raw: from when requests were handed over."
        }
    }

    fn throughput(&self) -> Chart {
        let intervals = self.intervals;
        let steps = |name: &str, colour: &str, dashed, value: fn(&Interval) -> f64| {
            let first = intervals
                .first()
                .map(|first| (first.from, Some(value(first))));
            Line {
                name: name.to_owned(),
                colour: colour.to_owned(),
                dashed,
                stepped: true,
                points: first
                    .into_iter()
                    .chain(
                        intervals
                            .iter()
                            .map(|interval| (interval.to, Some(value(interval)))),
                    )
                    .collect(),
            }
        };
        let mut lines = Vec::new();
        if intervals.iter().any(|interval| interval.failed > 0.0) {
            lines.push(steps("failed", "c2", false, |interval| interval.failed));
        }
        lines.push(steps("accepted", &self.colour, false, |interval| {
            interval.accepted
        }));
        if intervals.iter().any(|interval| interval.due > 0.0) {
            lines.push(steps("due", "ink", true, |interval| interval.due));
        }
        let values = lines
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(|(_, value)| *value);
        let max = values.fold(0.0, f64::max);
        Chart {
            title: format!("Throughput of {} over time", self.run.system),
            x: Axis::time(self.span),
            y: Axis::numbers(max, "requests/s"),
            lines,
            height: HEIGHT,
            events: marks(self.run),
            hits: hits(intervals, |interval| {
                format!(
                    "due {}/s, accepted {}/s, failed {}/s\n{} items/s\n{} in flight",
                    format::number(interval.due),
                    format::number(interval.accepted),
                    format::number(interval.failed),
                    format::number(interval.items),
                    format::thousands(interval.in_flight),
                )
            }),
        }
    }

    fn latency(&self) -> Chart {
        let intervals = self.intervals;
        let line = |name: &str, colour: &str, value: fn(&Latencies) -> u64| Line {
            name: name.to_owned(),
            colour: colour.to_owned(),
            points: intervals
                .iter()
                .map(|interval| {
                    let middle = f64::midpoint(interval.from, interval.to);
                    (
                        middle,
                        interval.latency.as_ref().map(|all| value(all) as f64),
                    )
                })
                .collect(),
            ..Line::default()
        };
        let all = || intervals.iter().filter_map(|interval| interval.latency);
        let min = all().map(|one| one.p50).min().unwrap_or_default();
        let max = all().map(|one| one.max).max().unwrap_or_default();
        Chart {
            title: format!("Latency of {} over time", self.run.system),
            x: Axis::time(self.span),
            y: Axis::latencies(min as f64, max as f64, "latency"),
            lines: vec![
                line("max", "soft", |all| all.max),
                line("p99", "c2", |all| all.p99),
                line("p50", &self.colour, |all| all.p50),
            ],
            height: HEIGHT,
            events: marks(self.run),
            hits: hits(intervals, |interval| match interval.latency {
                None => "no answers".to_owned(),
                Some(all) => format!(
                    "p50 {}\np99 {}\nmax {}",
                    format::micros(all.p50 as f64),
                    format::micros(all.p99 as f64),
                    format::micros(all.max as f64),
                ),
            }),
        }
    }

    fn memory(&self, cost: &Cost) -> Chart {
        let points = intervals::costs(&cost.points);
        let max = points
            .iter()
            .map(|point| point.rss)
            .max()
            .unwrap_or_default();
        Chart {
            title: format!("Memory of {} over time", self.run.system),
            x: Axis::time(self.span),
            y: Axis::sizes(max as f64, "resident"),
            lines: vec![Line {
                colour: self.colour.clone(),
                points: points
                    .iter()
                    .map(|point| (point.at, Some(point.rss as f64)))
                    .collect(),
                ..Line::default()
            }],
            height: HEIGHT,
            events: marks(self.run),
            hits: cost_hits(&points, |point| format::bytes(point.rss as f64)),
        }
    }

    fn cores(&self) -> Chart {
        let run = self.run;
        let lines: Vec<Line> = run
            .costs
            .iter()
            .filter(|cost| !cost.points.is_empty())
            .map(|cost| {
                let forwarder = cost.role == figures::FORWARDER;
                Line {
                    // The system by its own name; the rest by what they do.
                    name: if forwarder { &run.system } else { &cost.role }.clone(),
                    colour: match cost.role.as_str() {
                        figures::FORWARDER => self.colour.clone(),
                        "sender" => "ink".to_owned(),
                        "collector" => "c2".to_owned(),
                        _ => "soft".to_owned(),
                    },
                    dashed: !forwarder,
                    points: intervals::costs(&cost.points)
                        .iter()
                        .map(|point| (point.at, Some(point.cores)))
                        .collect(),
                    ..Line::default()
                }
            })
            .collect();
        let values = lines
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(|(_, value)| *value);
        let max = values.fold(0.0, f64::max);
        let points = figures::forwarder(run).map(|cost| intervals::costs(&cost.points));
        Chart {
            title: format!("Processor use with {} over time", self.run.system),
            x: Axis::time(self.span),
            y: Axis::numbers(max, "cores used"),
            lines,
            height: HEIGHT,
            events: marks(self.run),
            hits: cost_hits(&points.unwrap_or_default(), |point| {
                format!("{} of a core", format::percent(point.cores))
            }),
        }
    }
}

fn marks(run: &Run) -> Vec<Event> {
    run.events
        .iter()
        .filter(|(at, _)| *at >= 0.0)
        .map(|(at, text)| Event {
            at: *at,
            text: text.clone(),
        })
        .collect()
}

fn hits(intervals: &[Interval], text: impl Fn(&Interval) -> String) -> Vec<Hit> {
    intervals
        .iter()
        .map(|interval| Hit {
            from: interval.from,
            to: interval.to,
            text: format!(
                "{}–{} s\n{}",
                format::trimmed(interval.from),
                format::trimmed(interval.to),
                text(interval)
            ),
        })
        .collect()
}

fn cost_hits(points: &[CostPoint], text: impl Fn(&CostPoint) -> String) -> Vec<Hit> {
    let mut from = 0.0;
    points
        .iter()
        .map(|point| {
            let hit = Hit {
                from,
                to: point.at,
                text: format!("{} s\n{}", format::trimmed(point.at), text(point)),
            };
            from = point.at;
            hit
        })
        .collect()
}

fn events(runs: &[&Run]) -> Markup {
    html! {
        @if runs.iter().any(|run| !run.events.is_empty()) {
            details open[runs.len() == 1] {
                summary { "Events" }
                div.wide {
                    table.events {
                        thead { tr { th { "run" } th.figure { "at" } th { "what happened" } } }
                        tbody {
                            @for (place, run) in runs.iter().enumerate() {
                                @for (at, what) in &run.events {
                                    tr {
                                        td { (place + 1) }
                                        td.figure { (format!("{at:.2} s")) }
                                        td { (what) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
