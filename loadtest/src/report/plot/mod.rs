//! Small plots as inline SVG, coloured by the page's style sheet so that they follow its light
//! and dark.

mod axis;
mod bars;
mod chart;
mod labels;

pub(super) use axis::{Axis, nines};
pub(super) use bars::{Bar, bars};
pub(super) use chart::{Chart, Event, Hit, Line};

/// A coordinate: a tenth of a pixel is finer than can be seen.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
