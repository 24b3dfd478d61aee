//! The audit of one run, from what senders and collector wrote down.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;

use super::stage::Left;
use crate::audit::{Acknowledged, Arrivals, compare};
use crate::results::Audit;

pub(super) fn audit(left: &Left) -> anyhow::Result<Audit> {
    let senders: Vec<Acknowledged> = left
        .acknowledged
        .iter()
        .map(|path| read(path, Acknowledged::read_from))
        .collect::<Result<_, _>>()?;
    Ok(compare(
        &senders,
        &read(&left.arrived, Arrivals::read_from)?,
    ))
}

fn read<T>(path: &Path, from: fn(BufReader<File>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    from(BufReader::new(file)).with_context(|| path.display().to_string())
}
