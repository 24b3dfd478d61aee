//! Bars beside each other: a median in its parts, and whiskers to the least and the largest.

use maud::{Markup, html};

use super::{labels, px};

const WIDTH: f64 = 560.0;
const BAR: f64 = 20.0;
const ROW: f64 = 46.0;
const TOP: f64 = 4.0;

/// One bar.
#[derive(Clone, Debug)]
pub(in crate::report) struct Bar {
    /// Whose it is.
    pub(in crate::report) name: String,
    /// Class of its colour.
    pub(in crate::report) colour: String,
    /// What it is made of, from the left; they sum to the median.
    pub(in crate::report) parts: Vec<f64>,
    /// The least and the largest of the repeats, where they differ.
    pub(in crate::report) range: Option<(f64, f64)>,
    /// What is written at its end.
    pub(in crate::report) text: String,
}

impl Bar {
    fn length(&self) -> f64 {
        self.parts.iter().sum()
    }

    fn reach(&self) -> f64 {
        self.range.map_or(0.0, |(_, max)| max).max(self.length())
    }
}

/// Horizontal bars from one line, each under its name.
pub(in crate::report) fn bars(title: &str, bars: &[Bar]) -> Markup {
    let texts = bars.iter().map(|bar| labels::width(&bar.text));
    let room = (WIDTH - texts.fold(0.0, f64::max) - 16.0).max(120.0);
    let longest = bars
        .iter()
        .map(Bar::reach)
        .fold(f64::MIN_POSITIVE, f64::max);
    let along = |value: f64| value / longest * room;
    let height = TOP + ROW * bars.len() as f64;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", px(height))) role="img" aria-label=(title) {
            @for (place, bar) in bars.iter().enumerate() {
                @let top = TOP + ROW * place as f64;
                @let y = top + 16.0;
                text.name x="0" y=(px(top + 11.0)) { (bar.name) }
                @for (part, length) in bar.parts.iter().enumerate() {
                    @let from = along(bar.parts[..part].iter().sum());
                    rect.(format!("bar part{part}")).(bar.colour) x=(px(from)) y=(px(y))
                        width=(px(along(*length))) height=(px(BAR)) {}
                }
                @if let Some((min, max)) = bar.range {
                    @let middle = px(y + BAR / 2.0);
                    path.whisker d=(format!(
                        "M{min} {low}V{high}M{min} {middle}H{max}M{max} {low}V{high}",
                        min = px(along(min)),
                        max = px(along(max)),
                        low = px(y + 5.0),
                        high = px(y + BAR - 5.0),
                    )) {}
                }
                text.value x=(px(along(bar.reach()) + 8.0)) y=(px(y + BAR / 2.0)) dy="0.35em" {
                    (bar.text)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_fills_the_room_and_every_text_fits() {
        let bar = |name: &str, parts: &[f64], range| Bar {
            name: name.to_owned(),
            colour: "c1".to_owned(),
            parts: parts.to_vec(),
            range,
            text: "1.00 s".to_owned(),
        };
        let svg = bars(
            "cost",
            &[
                bar("a<b", &[0.25, 0.25], None),
                bar("b", &[0.5, 0.5], Some((0.9, 1.25))),
            ],
        )
        .into_string();
        let room = WIDTH - labels::width("1.00 s") - 16.0;
        assert!(svg.contains("a&lt;b"));
        assert!(svg.contains(&format!("width=\"{}\"", px(0.25 / 1.25 * room))));
        assert!(svg.contains(&format!("M{} ", px(0.9 / 1.25 * room))));
        assert_eq!(svg.matches("whisker").count(), 1);
    }

    #[test]
    fn nothing_measured_draws_nothing_infinite() {
        let svg = bars("cost", &[]).into_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
