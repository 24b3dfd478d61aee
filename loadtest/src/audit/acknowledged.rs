//! What a sender was promised.

use std::io::{Read, Write};
use std::ops::Range;

use roaring::RoaringTreemap;

use super::file::{Reader, Writer};

/// The items that a sender gave out, by what it heard of them.
///
/// Ids are those of [`crate::telemetry::ItemId`]. Every request must be told, those of the warm-up
/// too, or what arrives of it is foreign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acknowledged {
    accepted: RoaringTreemap,
    refused: RoaringTreemap,
    unanswered: RoaringTreemap,
}

/// The first line of the file.
const MAGIC: &str = "loadtest acknowledged 1";

impl Acknowledged {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These items were acknowledged.
    pub fn accept(&mut self, ids: Range<u64>) {
        self.accepted.insert_range(ids);
    }

    /// These items were refused, for now or for good.
    pub fn refuse(&mut self, ids: Range<u64>) {
        self.refused.insert_range(ids);
    }

    /// Nothing certain was heard of these items: the connection broke, the time ran out, or a
    /// partial success did not say which of them were rejected.
    pub fn unanswered(&mut self, ids: Range<u64>) {
        self.unanswered.insert_range(ids);
    }

    /// Items that were accepted, at the first attempt or a later one.
    #[must_use]
    pub fn accepted(&self) -> &RoaringTreemap {
        &self.accepted
    }

    /// Every item given out.
    #[must_use]
    pub fn given_out(&self) -> RoaringTreemap {
        &(&self.accepted | &self.refused) | &self.unanswered
    }

    /// Saves it: the line `loadtest acknowledged 1`, then the sections `accepted`, `refused` and
    /// `unanswered`. A section is a line with its name and its length in bytes, then the bytes: a
    /// set in the portable format of 64-bit Roaring bitmaps. The line `end 0` is the last.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_to(&self, writer: impl Write) -> anyhow::Result<()> {
        let mut file = Writer::new(writer, MAGIC)?;
        file.set("accepted", &self.accepted)?;
        file.set("refused", &self.refused)?;
        file.set("unanswered", &self.unanswered)?;
        file.end()
    }

    /// Loads what [`Acknowledged::write_to`] saved.
    ///
    /// # Errors
    ///
    /// Those of the reader, and when the file is another one, cut short or damaged.
    pub fn read_from(reader: impl Read) -> anyhow::Result<Self> {
        let mut file = Reader::new(reader, MAGIC)?;
        let read = Self {
            accepted: file.set("accepted")?,
            refused: file.set("refused")?,
            unanswered: file.set("unanswered")?,
        };
        file.end()?;
        Ok(read)
    }
}
