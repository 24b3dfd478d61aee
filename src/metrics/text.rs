//! The Prometheus text format, version 0.0.4: one head a family, one line a series.

use std::fmt::{self, Display, Write};

use super::histogram::Buckets;

/// What kind of number a family's series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric: its name, what it means, and the labels that tell its series apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
    pub(super) labels: &'static [&'static str],
}

impl Family {
    pub(super) fn write_head(&self, text: &mut String) {
        line(text, format_args!("# HELP {} {}", self.name, self.help));
        line(
            text,
            format_args!("# TYPE {} {}", self.name, self.kind.name()),
        );
    }
}

/// Where the series of one family are written, one at a time.
#[derive(Debug)]
pub(super) struct Series<'a> {
    pub(super) text: &'a mut String,
    pub(super) family: &'a Family,
    /// The value of the `shard` label, where there is one.
    pub(super) shard: Option<usize>,
}

impl Series<'_> {
    /// Writes a series; `values` are those of the family's labels, in their order.
    pub(super) fn value(&mut self, values: &[&str], value: impl Display) {
        self.sample("", values, None, &value);
    }

    /// Writes a histogram's series, each number as `unit` says it.
    pub(super) fn histogram<const N: usize, D: Display>(
        &mut self,
        values: &[&str],
        bounds: &[u64; N],
        buckets: &Buckets<N>,
        unit: fn(u64) -> D,
    ) {
        for (bound, count) in bounds.iter().zip(buckets.cumulative()) {
            self.sample("_bucket", values, Some(&unit(*bound)), &count);
        }
        self.sample("_bucket", values, Some(&"+Inf"), &buckets.count());
        self.sample("_sum", values, None, &unit(buckets.sum));
        self.sample("_count", values, None, &buckets.count());
    }

    fn sample(
        &mut self,
        suffix: &str,
        values: &[&str],
        le: Option<&dyn Display>,
        value: &dyn Display,
    ) {
        debug_assert_eq!(
            values.len(),
            self.family.labels.len(),
            "{}",
            self.family.name
        );
        self.text.push_str(self.family.name);
        self.text.push_str(suffix);
        let mut labels = Labels {
            text: self.text,
            any: false,
        };
        for (label, value) in self.family.labels.iter().zip(values) {
            labels.push(label, &Escaped(value));
        }
        if let Some(shard) = self.shard {
            labels.push("shard", &shard);
        }
        if let Some(bound) = le {
            labels.push("le", bound);
        }
        labels.close();
        line(self.text, format_args!(" {value}"));
    }
}

/// Writes `{name="value",…}`, or nothing where there is no label.
struct Labels<'a> {
    text: &'a mut String,
    any: bool,
}

impl Labels<'_> {
    fn push(&mut self, name: &str, value: &dyn Display) {
        let open = if self.any { ',' } else { '{' };
        self.any = true;
        append(self.text, format_args!("{open}{name}=\"{value}\""));
    }

    fn close(self) {
        if self.any {
            self.text.push('}');
        }
    }
}

/// A label's value with the three characters escaped that the format reserves.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Nanoseconds, written as seconds with no digit lost and none idle.
#[derive(Debug)]
pub(super) struct Seconds(pub(super) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0, 9)
    }
}

/// Millionths, written as a decimal number.
#[derive(Debug)]
pub(super) struct Millionths(pub(super) u64);

impl Display for Millionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0, 6)
    }
}

/// Writes a number whose last `places` digits stand behind the point, with no digit idle.
fn decimal(f: &mut fmt::Formatter<'_>, number: u64, places: u32) -> fmt::Result {
    let one = 10_u64.pow(places);
    let (whole, rest) = (number / one, number % one);
    write!(f, "{whole}")?;
    if rest > 0 {
        let digits = format!("{rest:0width$}", width = places as usize);
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

fn line(text: &mut String, what: fmt::Arguments<'_>) {
    append(text, what);
    text.push('\n');
}

#[expect(
    clippy::expect_used,
    reason = "a string takes whatever is written to it"
)]
fn append(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("a string takes whatever is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_lose_no_digit_and_show_no_idle_one() {
        let cases = [
            (0, "0"),
            (100_000, "0.0001"),
            (60_000_000_000, "60"),
            (1_000_000_001, "1.000000001"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(Seconds(nanoseconds).to_string(), text);
        }
        assert_eq!(Millionths(125_000).to_string(), "0.125");
        assert_eq!(Millionths(1_000_000).to_string(), "1");
    }

    #[test]
    fn a_label_value_is_escaped_and_the_shard_follows_the_labels() {
        const FAMILY: Family = Family {
            name: "x",
            kind: Kind::Gauge,
            unit: "",
            help: "X.",
            labels: &["a"],
        };
        let mut text = String::new();
        let mut series = Series {
            text: &mut text,
            family: &FAMILY,
            shard: Some(3),
        };
        series.value(&["q\"\\\n"], 7);
        assert_eq!(text, "x{a=\"q\\\"\\\\\\n\",shard=\"3\"} 7\n");
    }
}
