//! `otlp spool ls`: the segments, and what is left in them.

use std::{
    io::{IsTerminal, Write, stdout},
    path::Path,
};

use serde_json::{Value, json};

use super::{Output, Result, figures, file_error, found, open, state};
use crate::{
    signal::Signal,
    spool::{format::Summary, inspect::SegmentFile},
};

/// One segment, summed up.
struct Row {
    file: SegmentFile,
    summary: Summary,
}

pub(super) fn ls(folder: &Path, output: Output, out: &mut dyn Write) -> Result<()> {
    let mut rows = Vec::new();
    for segment in found(folder)? {
        let Some(file) = open(folder, segment)? else {
            continue;
        };
        let summary = file.summary();
        let summary = summary.map_err(|error| file_error(folder, &file, &error))?;
        rows.push(Row { file, summary });
    }
    match output {
        Output::Json => {
            for row in &rows {
                writeln!(out, "{}", row.json())?;
            }
        }
        Output::Text if rows.is_empty() => writeln!(out, "no segments: nothing is stored")?,
        Output::Text => {
            let head = [
                "SEGMENT",
                "STATE",
                "SIZE",
                "RECORDS",
                "LEFT",
                "ITEMS LEFT",
                "OLDEST",
                "NEWEST",
            ];
            let lines: Vec<_> = rows.iter().map(Row::cells).collect();
            figures::table(&head, &lines, stdout().is_terminal(), out)?;
            writeln!(out, "{}", total(&rows))?;
        }
    }
    Ok(())
}

impl Row {
    fn left(&self) -> u32 {
        let settled = self.file.marks.settled.count();
        self.summary.records.saturating_sub(settled)
    }

    fn items_left(&self) -> [u64; 4] {
        figures::minus(self.summary.items, self.file.marks.items)
    }

    fn cells(&self) -> Vec<String> {
        let time = |at| match self.summary.records {
            0 => "-".to_owned(),
            _ => figures::time(at),
        };
        vec![
            self.file.name.to_string(),
            state(self.file.state),
            figures::size(self.file.bytes),
            self.summary.records.to_string(),
            self.left().to_string(),
            figures::items(self.items_left()),
            time(self.summary.oldest),
            time(self.summary.newest),
        ]
    }

    fn json(&self) -> Value {
        let by_signal = |items: [u64; 4]| -> Value {
            let named = Signal::ALL.into_iter().zip(items);
            named
                .map(|(signal, items)| (signal.name().to_owned(), Value::from(items)))
                .collect()
        };
        let time = |at: u64| (self.summary.records > 0).then(|| figures::time(at));
        json!({
            "segment": self.file.name.to_string(),
            "state": state(self.file.state),
            "bytes": self.file.bytes,
            "records": self.summary.records,
            "settled": self.file.marks.settled.count(),
            "items": by_signal(self.summary.items),
            "items_left": by_signal(self.items_left()),
            "oldest": time(self.summary.oldest),
            "newest": time(self.summary.newest),
        })
    }
}

fn total(rows: &[Row]) -> String {
    let bytes = rows.iter().map(|row| row.file.bytes).sum();
    let left: u64 = rows.iter().map(|row| u64::from(row.left())).sum();
    let mut items = [0; 4];
    for row in rows {
        for (sum, of_row) in items.iter_mut().zip(row.items_left()) {
            *sum += of_row;
        }
    }
    let segments = rows.len();
    let plural = if segments == 1 { "" } else { "s" };
    format!(
        "{segments} segment{plural}, {}; left: {left} records, {}",
        figures::size(bytes),
        figures::items(items)
    )
}
