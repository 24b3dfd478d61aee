//! `otlp spool verify`: reads everything, and reports what is not as it was written.

use std::{io::Write, path::Path};

use super::{Failure, Result, file_error, found, open, own, state};
use crate::{
    headers::Forwarded,
    spool::{
        FoundSegment,
        inspect::{Damage, SegmentFile, SegmentState},
    },
};

/// What was found in all segments.
#[derive(Default)]
struct Tally {
    segments: usize,
    records: u64,
    damaged: u64,
    torn: u64,
}

pub(super) fn verify(folder: &Path, out: &mut dyn Write) -> Result<()> {
    // Nothing may be written meanwhile: what is not written yet would look like damage.
    let directory = own(folder)?;
    let mut tally = Tally::default();
    for segment in found(directory.path())? {
        verify_one(folder, segment, &mut tally, out)?;
    }
    let strays = directory.strays();
    for name in strays.map_err(|error| Failure::of(folder, &error))? {
        writeln!(
            out,
            "{}: no file of a spool by its name: it is neither sent nor removed",
            name.escape_debug()
        )?;
    }
    writeln!(
        out,
        "{} segments, {} whole records, {} damages, {} torn ends",
        tally.segments, tally.records, tally.damaged, tally.torn
    )?;
    if tally.damaged > 0 {
        return Err(Failure::Bad);
    }
    Ok(())
}

fn verify_one(
    folder: &Path,
    segment: FoundSegment,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> Result<()> {
    let Some(file) = open(folder, segment)? else {
        return Ok(());
    };
    let failed = |error| file_error(folder, &file, &error);
    let scanned = file.scan().map_err(failed)?;
    let mut complaints = whole_file(&file);
    for entry in &scanned.entries {
        let stored = file.read(entry).map_err(failed)?;
        if stored.is_some_and(|stored| Forwarded::parse(stored.headers).is_err()) {
            let offset = entry.offset;
            complaints.push(format!(
                "at {offset}: the headers of the record cannot be read"
            ));
        }
    }
    if file.state == SegmentState::Sealed {
        match file.index().map_err(failed)? {
            None => complaints.push("the index is damaged; the records were found without".into()),
            Some(index) => {
                let lost = index.len().saturating_sub(scanned.entries.len());
                let known: u64 = scanned.damages.iter().map(|damage| damage.records).sum();
                if lost as u64 > known {
                    complaints.push(format!("the index names {lost} records that are not there"));
                }
            }
        }
    }
    tally.segments += 1;
    tally.records += scanned.entries.len() as u64;
    tally.damaged += complaints.len() as u64;
    let name = segment.name.file();
    for complaint in &complaints {
        writeln!(out, "{name}: {complaint}")?;
    }
    for damage in &scanned.damages {
        writeln!(out, "{name}: {}", told(damage))?;
        *(if damage.is_torn {
            &mut tally.torn
        } else {
            &mut tally.damaged
        }) += 1;
    }
    if complaints.is_empty() && scanned.damages.is_empty() {
        let records = scanned.entries.len();
        writeln!(out, "{name}: ok, {}, {records} records", state(file.state))?;
    }
    Ok(())
}

/// What is wrong besides records.
fn whole_file(file: &SegmentFile) -> Vec<String> {
    let mut complaints = Vec::new();
    match file.state {
        SegmentState::Foreign(version) => complaints.push(format!(
            "written in format {version}, which this version cannot read; use the version that \
             wrote it"
        )),
        SegmentState::Unreadable => complaints.push(
            "the first block is damaged in both copies, and there is no last one: nothing in it \
             can be read"
                .to_owned(),
        ),
        SegmentState::Sealed if file.header_is_damaged => {
            complaints.push("at 0: the first block is damaged; the last one serves".to_owned());
        }
        SegmentState::Sealed | SegmentState::Unsealed | SegmentState::Blank => {}
    }
    if file.marks_are_damaged {
        complaints.push(
            "its marks are damaged: records of it that were delivered may be sent once more"
                .to_owned(),
        );
    }
    complaints
}

fn told(damage: &Damage) -> String {
    let Damage {
        offset,
        end,
        records,
        is_torn,
        ..
    } = damage;
    let bytes = end.saturating_sub(*offset);
    if *is_torn {
        format!(
            "at {offset}: torn, {bytes} bytes: cut off by a crash before they were acknowledged"
        )
    } else {
        format!("at {offset}: damaged, {bytes} bytes, {records} records")
    }
}
