//! The plots that set systems side by side: what they cost and how long they take.

use maud::{Markup, html};

use crate::figures::{self, Spread};
use crate::results::{Latency, Results};

use super::super::format;
use super::super::plot::{Axis, Bar, Chart, Hit, Line, bars, nines};
use super::super::rows::{self, Row};

/// Quantiles that are told at the pointer, each from half way to the one before.
const TOLD: [f64; 7] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];
/// Points of a line.
const POINTS: u32 = 120;
/// Height of the plot by percentile: it stands beside two plots of bars.
const TALL: f64 = 300.0;
/// The highest quantile drawn.
const TOP: f64 = 0.9999;

/// Classes of the systems' colours; `c2` is kept for what goes wrong.
const COLOURS: [&str; 5] = ["c1", "c3", "c4", "c5", "c6"];

/// Class of a system's colour: the same in every plot of the page.
pub(super) fn colour(results: &Results, system: &str) -> String {
    if system == figures::BASELINE {
        return "base".to_owned();
    }
    let mut seen: Vec<&str> = Vec::new();
    for run in &results.runs {
        if run.system != figures::BASELINE && !seen.contains(&run.system.as_str()) {
            seen.push(&run.system);
        }
    }
    let place = seen.iter().position(|name| *name == system).unwrap_or(0);
    COLOURS[place % COLOURS.len()].to_owned()
}

/// CPU per million items of each system.
pub(super) fn cost(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    let of = |system: &str| -> Option<Bar> {
        let spread = rows::CPU.spread(results, scenario, system)?;
        let part = |row: Row| {
            row.spread(results, scenario, system)
                .map_or(0.0, |one| one.median)
        };
        let (user, kernel) = (part(rows::USER), part(rows::SYSTEM));
        // The parts' medians need not sum to the median of the whole: keep their proportion.
        let parts = if user + kernel > 0.0 {
            let user = spread.median * user / (user + kernel);
            vec![user, spread.median - user]
        } else {
            vec![spread.median]
        };
        let mut text = rows::CPU.unit.show(spread.median);
        let multiple = rows::MULTIPLE.spread(results, scenario, system);
        if let Some(times) = multiple.filter(|_| system != figures::BASELINE) {
            text = format!("{text} · {:.2}× raw proxy", times.median);
        }
        Some(Bar {
            name: system.to_owned(),
            colour: colour(results, system),
            parts,
            range: whiskers(rows::CPU, &spread),
            text,
        })
    };
    let all: Vec<Bar> = systems.iter().filter_map(|system| of(system)).collect();
    html! {
        @if !all.is_empty() {
            figure {
                figcaption {
                    b { "CPU seconds per million items" }
                    span { "Lower is better. Full tint in user mode, pale in the kernel; \
                            whiskers from the lowest run to the highest." }
                }
                (bars("CPU seconds per million items, by system", &all))
            }
        }
    }
}

/// Peak memory of each system.
pub(super) fn memory(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    let of = |system: &&str| -> Option<Bar> {
        let spread = rows::RSS.spread(results, scenario, system)?;
        Some(Bar {
            name: (*system).to_owned(),
            colour: colour(results, system),
            parts: vec![spread.median],
            range: whiskers(rows::RSS, &spread),
            text: rows::RSS.unit.show(spread.median),
        })
    };
    let all: Vec<Bar> = systems.iter().filter_map(of).collect();
    html! {
        @if !all.is_empty() {
            figure {
                figcaption { b { "Peak memory" } span { "Largest resident set. Lower is better." } }
                (bars("Peak memory, by system", &all))
            }
        }
    }
}

fn whiskers(row: Row, spread: &Spread) -> Option<(f64, f64)> {
    rows::range(row.unit, spread).map(|_| (spread.min, spread.max))
}

/// A system's distributions over all of its runs.
struct Distributions<'s> {
    system: &'s str,
    corrected: Latency,
    raw: Latency,
}

/// Latency by percentile, corrected and raw.
pub(super) fn percentiles(results: &Results, scenario: &str, systems: &[&str]) -> Markup {
    let all: Vec<Distributions<'_>> = systems
        .iter()
        .map(|system| {
            let runs = || figures::repeats(results, scenario, system).flat_map(|run| &run.send);
            Distributions {
                system,
                corrected: figures::merge(runs().map(|send| &send.latency)),
                raw: figures::merge(runs().map(|send| &send.latency_raw)),
            }
        })
        .collect();
    let mut lines = Vec::new();
    for one in &all {
        for (latency, corrected) in [(&one.raw, false), (&one.corrected, true)] {
            let points = curve(latency);
            if points.is_empty() {
                continue;
            }
            let name = match (all.len(), corrected) {
                (1, true) => "latency",
                (1, false) => "raw",
                (_, true) => one.system,
                // Beside the corrected line of the same colour it needs no name.
                (_, false) if one.corrected.count > 0 => "",
                (_, false) => one.system,
            };
            lines.push(Line {
                name: name.to_owned(),
                colour: colour(results, one.system),
                dashed: !corrected,
                stepped: false,
                points,
            });
        }
    }
    let values = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(|(_, value)| *value)
    };
    let (min, max) = (
        values().fold(f64::MAX, f64::min),
        values().fold(0.0, f64::max),
    );
    let top = all
        .iter()
        .map(|one| highest(one.corrected.count.max(one.raw.count)))
        .fold(0.9, f64::max);
    let chart = Chart {
        title: format!("Latency by percentile, {scenario}"),
        x: Axis::nines(top, "percentile"),
        y: Axis::latencies(min, max, "latency"),
        height: TALL,
        hits: told(&all, top),
        events: Vec::new(),
        lines: lines.clone(),
    };
    html! {
        @if !lines.is_empty() {
            figure {
                figcaption {
                    b { "Latency by percentile" }
                    span { "All runs together. Solid from when requests were due; dashed, raw, \
                            from when they were handed over." }
                }
                (chart.svg())
            }
        }
    }
}

/// The highest quantile that at least one answer lies above.
fn highest(count: u64) -> f64 {
    (1.0 - 1.0 / count.max(10) as f64).min(TOP)
}

fn curve(latency: &Latency) -> Vec<(f64, Option<f64>)> {
    if latency.count == 0 {
        return Vec::new();
    }
    let top = highest(latency.count);
    if figures::histogram(latency).is_none() {
        return [0.5, 0.9, 0.99, 0.999]
            .into_iter()
            .filter(|quantile| *quantile <= top)
            .filter_map(|quantile| Some((nines(quantile), Some(value(latency, quantile)?))))
            .collect();
    }
    let histogram = figures::histogram(latency);
    (0..=POINTS)
        .map(|place| {
            let from = nines(0.5);
            let x = from + (nines(top) - from) * f64::from(place) / f64::from(POINTS);
            let quantile = 1.0 - 10_f64.powf(-x);
            let value = histogram
                .as_ref()
                .map(|all| all.value_at_quantile(quantile) as f64);
            (x, value)
        })
        .collect()
}

/// A quantile; without the histogram only those that are kept beside it.
fn value(latency: &Latency, quantile: f64) -> Option<f64> {
    if let Some(histogram) = figures::histogram(latency) {
        return Some(histogram.value_at_quantile(quantile) as f64);
    }
    let kept = [
        (0.5, latency.p50_us),
        (0.9, latency.p90_us),
        (0.99, latency.p99_us),
        (0.999, latency.p999_us),
    ];
    let found = kept
        .into_iter()
        .find(|(kept, _)| (kept - quantile).abs() < 1e-9)?;
    Some(found.1 as f64)
}

fn told(all: &[Distributions<'_>], top: f64) -> Vec<Hit> {
    let quantiles: Vec<f64> = TOLD
        .into_iter()
        .filter(|quantile| *quantile <= top)
        .collect();
    let end = nines(top);
    let mut from = nines(0.5);
    let mut hits = Vec::new();
    for (place, quantile) in quantiles.iter().enumerate() {
        let to = quantiles
            .get(place + 1)
            .map_or(end, |next| f64::midpoint(nines(*quantile), nines(*next)));
        let mut text = format!("p{}", format::percentile(*quantile));
        for one in all {
            let shown = |latency: &Latency| {
                Some(latency)
                    .filter(|latency| highest(latency.count) >= *quantile)
                    .and_then(|latency| value(latency, *quantile))
                    .map_or("–".to_owned(), format::micros)
            };
            text += &format!(
                "\n{}: {}, raw {}",
                one.system,
                shown(&one.corrected),
                shown(&one.raw)
            );
        }
        hits.push(Hit { from, to, text });
        from = to;
    }
    hits
}
