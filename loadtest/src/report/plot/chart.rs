//! Lines over an axis of time or of percentiles.

use maud::{Markup, html};

use super::axis::Axis;
use super::{labels, px};

/// Wide enough for half a page, so that its type keeps its size on a narrow one.
const WIDTH: f64 = 560.0;
/// Room above, without rows of events.
const TOP: f64 = 14.0;
/// Room below, for ticks and what the axis is of.
const BOTTOM: f64 = 40.0;
/// Height of a row of events, and of a direct label.
const ROW: f64 = 14.0;
/// Rows of events with a label; beyond, an event has its line and its place in the list.
const EVENT_ROWS: usize = 4;

/// A line, labelled where it ends.
#[derive(Clone, Debug, Default)]
pub(in crate::report) struct Line {
    /// What it is; a line without a name has no label.
    pub(in crate::report) name: String,
    /// Class of its colour: as the style sheet has it.
    pub(in crate::report) colour: String,
    /// Drawn in dashes.
    pub(in crate::report) dashed: bool,
    /// Constant from the point before to each point, as what is counted in intervals is.
    pub(in crate::report) stepped: bool,
    /// Points; without a value the line is broken.
    pub(in crate::report) points: Vec<(f64, Option<f64>)>,
}

/// Something that happened, drawn over the whole height.
#[derive(Clone, Debug)]
pub(in crate::report) struct Event {
    /// When.
    pub(in crate::report) at: f64,
    /// What.
    pub(in crate::report) text: String,
}

/// What is told when the pointer rests between two places of the horizontal axis.
#[derive(Clone, Debug)]
pub(in crate::report) struct Hit {
    /// From here.
    pub(in crate::report) from: f64,
    /// To here.
    pub(in crate::report) to: f64,
    /// What is told.
    pub(in crate::report) text: String,
}

/// A plot of lines.
#[derive(Clone, Debug)]
pub(in crate::report) struct Chart {
    /// What it shows, for those who cannot see it.
    pub(in crate::report) title: String,
    /// Height of what is drawn in, without axes and labels.
    pub(in crate::report) height: f64,
    /// The horizontal axis.
    pub(in crate::report) x: Axis,
    /// The vertical axis.
    pub(in crate::report) y: Axis,
    /// The lines, the first drawn lowest.
    pub(in crate::report) lines: Vec<Line>,
    /// What happened meanwhile.
    pub(in crate::report) events: Vec<Event>,
    /// What is told at the pointer.
    pub(in crate::report) hits: Vec<Hit>,
}

/// Where the plot lies in its picture.
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Chart {
    /// The picture.
    pub(in crate::report) fn svg(&self) -> Markup {
        let tick_width = self.y.ticks.iter().map(|(_, text)| labels::width(text));
        let names = self.lines.iter().map(|line| labels::width(&line.name));
        let name_width = names.fold(0.0, f64::max);
        let left = tick_width.fold(0.0, f64::max) + 12.0;
        let right = WIDTH
            - if name_width > 0.0 {
                name_width + 26.0
            } else {
                10.0
            };
        let mut area = Area {
            left,
            right,
            top: 0.0,
            bottom: 0.0,
        };
        let flags = self.flags(&area);
        let rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
        area.top = TOP + rows.min(EVENT_ROWS) as f64 * ROW;
        // What the vertical axis is of stands above it, where it reads without turning the head.
        area.top += ROW;
        area.bottom = area.top + self.height;
        let height = area.bottom + BOTTOM;

        html! {
            svg viewBox=(format!("0 0 {WIDTH} {}", px(height))) role="img" aria-label=(self.title) {
                (self.grid(&area))
                @for flag in &flags { (flag.svg(&area)) }
                @for line in &self.lines {
                    path.line.dashed[line.dashed].(line.colour) d=(self.path(line, &area)) {}
                }
                (self.names(&area))
                @for hit in &self.hits {
                    @let from = area.x(self.x.place(hit.from));
                    @let to = area.x(self.x.place(hit.to));
                    rect.hit x=(px(from)) y=(px(area.top)) width=(px((to - from).max(1.0)))
                        height=(px(self.height)) { title { (hit.text) } }
                }
            }
        }
    }

    fn grid(&self, area: &Area) -> Markup {
        html! {
            text.axis x="0" y=(px(area.top - 10.0)) { (self.y.label) }
            @for (value, text) in &self.y.ticks {
                @let y = px(area.y(self.y.place(*value)));
                line.grid x1=(px(area.left)) x2=(px(area.right)) y1=(y) y2=(y) {}
                text.tick.end x=(px(area.left - 6.0)) y=(y) dy="0.35em" { (text) }
            }
            @for (value, text) in &self.x.ticks {
                @let x = px(area.x(self.x.place(*value)));
                line.grid.faint x1=(x) x2=(x) y1=(px(area.top)) y2=(px(area.bottom)) {}
                text.tick.middle x=(x) y=(px(area.bottom + 16.0)) { (text) }
            }
            line.base x1=(px(area.left)) x2=(px(area.right)) y1=(px(area.bottom))
                y2=(px(area.bottom)) {}
            text.axis.middle x=(px(f64::midpoint(area.left, area.right)))
                y=(px(area.bottom + 34.0)) { (self.x.label) }
        }
    }

    fn path(&self, line: &Line, area: &Area) -> String {
        let mut path = String::new();
        let mut down = false;
        for (at, value) in &line.points {
            let Some(value) = value else {
                down = false;
                continue;
            };
            let x = px(area.x(self.x.place(*at)));
            let y = px(area.y(self.y.place(*value)));
            path.push_str(&match (down, line.stepped) {
                (false, _) => format!("M{x} {y}"),
                (true, true) => format!("V{y}H{x}"),
                (true, false) => format!("L{x} {y}"),
            });
            down = true;
        }
        path
    }

    fn names(&self, area: &Area) -> Markup {
        let named: Vec<(&Line, f64)> = self
            .lines
            .iter()
            .filter(|line| !line.name.is_empty())
            .filter_map(|line| {
                let last = line.points.iter().rev().find_map(|(_, value)| *value)?;
                Some((line, area.y(self.y.place(last))))
            })
            .collect();
        let wanted: Vec<f64> = named.iter().map(|(_, y)| *y).collect();
        let places = labels::apart(&wanted, ROW, area.top, area.bottom);
        html! {
            @for ((line, _), y) in named.iter().zip(places) {
                @let x = area.right;
                line.line.dashed[line.dashed].(line.colour) x1=(px(x + 3.0)) x2=(px(x + 14.0))
                    y1=(px(y)) y2=(px(y)) {}
                text.name x=(px(x + 18.0)) y=(px(y)) dy="0.35em" { (line.name) }
            }
        }
    }

    fn flags(&self, area: &Area) -> Vec<Flag> {
        let mut flags: Vec<Flag> = self
            .events
            .iter()
            .map(|event| {
                let x = area.x(self.x.place(event.at));
                let width = labels::width(&event.text) + 8.0;
                Flag {
                    x,
                    // Towards the middle where there is no room to the right.
                    before: x + width > WIDTH,
                    width,
                    row: 0,
                    text: event.text.clone(),
                }
            })
            .collect();
        flags.sort_by(|one, other| one.from().total_cmp(&other.from()));
        let extents: Vec<(f64, f64)> = flags
            .iter()
            .map(|flag| (flag.from(), flag.from() + flag.width))
            .collect();
        for (flag, row) in flags.iter_mut().zip(labels::rows(&extents)) {
            flag.row = row;
        }
        flags
    }
}

/// An event's line and label.
struct Flag {
    x: f64,
    before: bool,
    width: f64,
    row: usize,
    text: String,
}

impl Flag {
    fn from(&self) -> f64 {
        if self.before {
            self.x - self.width
        } else {
            self.x
        }
    }

    fn svg(&self, area: &Area) -> Markup {
        let y = ROW * (self.row + 1) as f64 - 3.0;
        let labelled = self.row < EVENT_ROWS;
        let top = if labelled { y - 9.0 } else { area.top };
        html! {
            line.event x1=(px(self.x)) x2=(px(self.x)) y1=(px(top)) y2=(px(area.bottom)) {
                title { (self.text) }
            }
            @if labelled {
                text.flag.end[self.before] x=(px(if self.before { self.x - 4.0 } else { self.x + 4.0 }))
                    y=(px(y)) { (self.text) }
            }
        }
    }
}

impl Area {
    fn x(&self, place: f64) -> f64 {
        self.left + place * (self.right - self.left)
    }

    fn y(&self, place: f64) -> f64 {
        self.bottom - place * (self.bottom - self.top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "a <chart>".to_owned(),
            height: 200.0,
            x: Axis::time(10.0),
            y: Axis::numbers(100.0, "requests/s"),
            lines: vec![Line {
                name: "accepted".to_owned(),
                colour: "c1".to_owned(),
                points: vec![
                    (0.0, Some(0.0)),
                    (5.0, Some(100.0)),
                    (7.0, None),
                    (10.0, Some(50.0)),
                ],
                ..Line::default()
            }],
            events: Vec::new(),
            hits: Vec::new(),
        }
    }

    #[test]
    fn a_line_is_broken_where_it_has_no_value() {
        let svg = chart().svg().into_string();
        let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
        assert!(svg.contains("accepted"));
        assert!(svg.contains("aria-label=\"a &lt;chart&gt;\""));
    }

    #[test]
    fn a_stepped_line_has_corners_only() {
        let mut chart = chart();
        chart.lines[0].stepped = true;
        let svg = chart.svg().into_string();
        let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(
            path.contains('V') && path.contains('H') && !path.contains('L'),
            "{path}"
        );
    }

    #[test]
    fn events_have_lines_and_labels_within_the_picture() {
        let mut chart = chart();
        for at in [1.0, 1.1, 9.9] {
            chart.events.push(Event {
                at,
                text: format!("collector down at {at}"),
            });
        }
        let flags = chart.flags(&Area {
            left: 50.0,
            right: 480.0,
            top: 0.0,
            bottom: 0.0,
        });
        assert_eq!(flags.iter().map(|flag| flag.row).max(), Some(1));
        assert!(flags.iter().all(|flag| flag.from() + flag.width <= WIDTH));
        let svg = chart.svg().into_string();
        assert_eq!(svg.matches("class=\"event\"").count(), 3);
        assert_eq!(svg.matches("collector down at 9.9").count(), 2);
    }
}
