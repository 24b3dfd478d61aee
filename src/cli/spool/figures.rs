//! Sizes, times and tables as people read them.

use std::io::{self, Write};

use crate::signal::Signal;

/// Bytes with a unit, in at most four digits.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths < 1000 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", tenths / 10)
    }
}

/// A time as RFC 3339 writes it, in whole seconds, UTC.
pub(super) fn time(unix_nanoseconds: u64) -> String {
    let seconds = unix_nanoseconds / 1_000_000_000;
    let (year, month, day) = date(seconds / 86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn date(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    loop {
        let leap = u64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        if days < 365 + leap {
            let months = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in months.into_iter().enumerate() {
                if days < length {
                    return (year, month + 1, days + 1);
                }
                days -= length;
            }
        }
        days = days.saturating_sub(365 + leap);
        year += 1;
    }
}

/// What is counted of each signal, without those of which there is nothing.
pub(super) fn items(items: [u64; 4]) -> String {
    let counted = Signal::ALL.into_iter().zip(items);
    let parts: Vec<String> = counted
        .filter(|(_, items)| *items > 0)
        .map(|(signal, items)| format!("{items} {}", signal.item_noun()))
        .collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(", ")
    }
}

/// What is in the first and not in the second, by signal.
pub(super) fn minus(from: [u64; 4], less: [u64; 4]) -> [u64; 4] {
    let mut left = from;
    for (left, less) in left.iter_mut().zip(less) {
        *left = left.saturating_sub(less);
    }
    left
}

/// Writes rows in columns; numbers to the right.
pub(super) fn table(
    head: &[&str],
    rows: &[Vec<String>],
    bold: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max();
        let head = head.get(column).map_or(0, |head| head.chars().count());
        longest.unwrap_or(0).max(head)
    };
    let is_number = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .all(|cell| cell.starts_with(|first: char| first.is_ascii_digit()))
    };
    let columns: Vec<(usize, bool)> = (0..head.len())
        .map(|column| (width(column), column > 0 && is_number(column)))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&columns).map(|(cell, (width, right))| {
            if *right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let title = line(&mut head.iter().copied());
    if bold {
        writeln!(out, "\x1b[1m{title}\x1b[0m")?;
    } else {
        writeln!(out, "{title}")?;
    }
    for row in rows {
        writeln!(out, "{}", line(&mut row.iter().map(String::as_str)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(size(1000 << 20), "1000 MiB");
        assert_eq!(size(u64::MAX), "16383 PiB");
        assert_eq!(items([3, 0, 1, 0]), "3 spans, 1 log_records");
        assert_eq!(items([0; 4]), "-");
        assert_eq!(minus([5, 1, 0, 0], [2, 3, 0, 0]), [3, 0, 0, 0]);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        // Source: date -u -d @SECONDS.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds * 1_000_000_000), text);
        }
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = [
            vec!["a".to_owned(), "5".to_owned(), "x".to_owned()],
            vec!["long".to_owned(), "1000".to_owned(), String::new()],
        ];
        let mut out = Vec::new();
        table(&["NAME", "N", "REST"], &rows, false, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "NAME     N  REST\na        5  x\nlong  1000\n");
    }
}
