//! What a collector received.

use std::io::{Read, Write};

use roaring::RoaringTreemap;

use super::file::{Reader, Writer};
use crate::telemetry::{Count, Found, Level};

/// The items that arrived in requests which the collector accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrivals {
    level: Level,
    items: u64,
    ids: RoaringTreemap,
    altered: RoaringTreemap,
    duplicated: u64,
    foreign: u64,
}

/// The first line of the file.
const MAGIC: &str = "loadtest arrivals 1";

impl Arrivals {
    /// Nothing yet. `level` is how closely the requests will be looked at.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self {
            level,
            ..Self::default()
        }
    }

    /// Adds what [`crate::telemetry::inspect`] found in a request.
    pub fn record(&mut self, count: Count, found: &Found) {
        self.items += count.items;
        self.foreign += found.foreign;
        self.altered.extend(found.altered.iter().copied());
        // Items mostly arrive in the order they were sent, and a range costs as much as one id.
        for run in found
            .ids
            .chunk_by(|&id, &next| id.checked_add(1) == Some(next))
        {
            let new = self.ids.insert_range(run[0]..=run[run.len() - 1]);
            self.duplicated += run.len() as u64 - new;
        }
    }

    /// Adds one item; true when it is the first arrival of that id.
    pub fn insert(&mut self, id: u64) -> bool {
        self.items += 1;
        let first = self.ids.insert(id);
        self.duplicated += u64::from(!first);
        first
    }

    /// How closely the requests were looked at.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Items, each as often as it arrived.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The ids that arrived.
    #[must_use]
    pub fn ids(&self) -> &RoaringTreemap {
        &self.ids
    }

    /// Those that arrived, at least once, with other content than was sent.
    #[must_use]
    pub fn altered(&self) -> &RoaringTreemap {
        &self.altered
    }

    /// Arrivals beyond the first of an id.
    #[must_use]
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// Items without an id.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Saves it: the line `loadtest arrivals 1`, then the sections `level` (`count`, `ids` or
    /// `full`), `items`, `duplicated` and `foreign` (decimal numbers), `ids` and `altered` (sets).
    /// Sections are as in [`super::Acknowledged::write_to`].
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_to(&self, writer: impl Write) -> anyhow::Result<()> {
        let mut file = Writer::new(writer, MAGIC)?;
        file.text("level", &self.level)?;
        file.text("items", &self.items)?;
        file.text("duplicated", &self.duplicated)?;
        file.text("foreign", &self.foreign)?;
        file.set("ids", &self.ids)?;
        file.set("altered", &self.altered)?;
        file.end()
    }

    /// Loads what [`Arrivals::write_to`] saved.
    ///
    /// # Errors
    ///
    /// Those of the reader, and when the file is another one, cut short or damaged.
    pub fn read_from(reader: impl Read) -> anyhow::Result<Self> {
        let mut file = Reader::new(reader, MAGIC)?;
        let read = Self {
            level: file.text("level")?,
            items: file.text("items")?,
            duplicated: file.text("duplicated")?,
            foreign: file.text("foreign")?,
            ids: file.set("ids")?,
            altered: file.set("altered")?,
        };
        file.end()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut arrivals = Arrivals::new(Level::Ids);
        assert!(arrivals.insert(7));
        assert!(!arrivals.insert(7));
        assert!(arrivals.insert(u64::MAX));
        assert_eq!((arrivals.items(), arrivals.duplicated()), (3, 1));
        assert_eq!(arrivals.ids().iter().collect::<Vec<_>>(), [7, u64::MAX]);
    }

    #[test]
    fn ids_within_one_request_are_told_apart_too() {
        let mut arrivals = Arrivals::new(Level::Full);
        let found = Found {
            ids: vec![5, 6, 7, 6, 7, 8, u64::MAX, u64::MAX],
            altered: vec![6, 6],
            foreign: 2,
        };
        arrivals.record(Count { items: 10 }, &found);
        assert_eq!((arrivals.ids().len(), arrivals.duplicated()), (5, 3));
        assert_eq!((arrivals.altered().len(), arrivals.foreign()), (1, 2));
    }
}
