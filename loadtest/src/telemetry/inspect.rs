//! Counts, recognises and verifies the items of a request.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use anyhow::bail;
use bytes::Bytes;
use memchr::memmem::Finder;
use prost::DecodeError;

use super::canonical::Canonical;
use super::id::{KEY, Stamp};
use super::json;
use super::place::Place;
use super::raw::{self, Kind};
use super::signal::{Encoding, Signal};

/// How closely items are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Items are counted.
    Count,
    /// Items are told apart by their ids.
    Ids,
    /// Items are told apart, and their content is verified.
    #[default]
    Full,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Ids => "ids",
            Self::Full => "full",
        })
    }
}

impl FromStr for Level {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "count" => Ok(Self::Count),
            "ids" => Ok(Self::Ids),
            "full" => Ok(Self::Full),
            _ => bail!("{text:?} is not a level of audit: give count, ids or full"),
        }
    }
}

/// What a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Spans, data points or log records.
    pub items: u64,
}

/// What was found in one request or several, in the order of arrival. Clear and use it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The id of each item that carries one, as often as it occurs.
    pub ids: Vec<u64>,
    /// Those whose content is not what was sent.
    pub altered: Vec<u64>,
    /// Items without an id.
    pub foreign: u64,
}

impl Found {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.altered.clear();
        self.foreign = 0;
    }
}

/// A body that is not the request it should be.
#[derive(Debug)]
pub struct Undecodable(String);

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undecodable {}

/// Looks at the items of a request as closely as `level` says and adds what there is to `found`,
/// which stays as it was when the body does not decode.
///
/// # Errors
///
/// The body is not an export request of that signal in that encoding. What lies within an item is
/// only decoded when `level` needs it, so a body that is broken there may pass at lower levels.
pub fn inspect(
    signal: Signal,
    encoding: Encoding,
    body: &Bytes,
    level: Level,
    found: &mut Found,
) -> Result<Count, Undecodable> {
    let protobuf;
    let body = match encoding {
        Encoding::Protobuf => body,
        Encoding::Json => {
            protobuf = json::to_protobuf(signal, body).map_err(|error| {
                Undecodable(format!(
                    "the body is no {signal} request in OTLP/JSON: {error}"
                ))
            })?;
            &protobuf
        }
    };
    let before = (found.ids.len(), found.altered.len(), found.foreign);
    let mut count = Count::default();
    let outcome = raw::visit(signal, body, &mut |place, kind, item| {
        count.items += 1;
        match level {
            Level::Count => Ok(()),
            Level::Ids => identify(kind, item, found),
            Level::Full => verify(place, kind, item, found),
        }
    });
    match outcome {
        Ok(()) => Ok(count),
        Err(error) => {
            found.ids.truncate(before.0);
            found.altered.truncate(before.1);
            found.foreign = before.2;
            Err(Undecodable(format!(
                "the body is no {signal} request in protobuf: {error}"
            )))
        }
    }
}

fn identify(kind: Kind, item: &[u8], found: &mut Found) -> Result<(), DecodeError> {
    let stamp = match locate(kind, item) {
        Located::At(_, stamp) => Some(stamp),
        Located::Elsewhere => Canonical::read(kind, item)?.map(|read| read.stamp),
        Located::Nowhere => None,
    };
    match stamp {
        Some(stamp) => found.ids.push(stamp.id),
        None => found.foreign += 1,
    }
    Ok(())
}

fn verify(
    place: &Place<'_>,
    kind: Kind,
    item: &[u8],
    found: &mut Found,
) -> Result<(), DecodeError> {
    match locate(kind, item) {
        Located::Nowhere => {
            found.foreign += 1;
            return Ok(());
        }
        Located::At(at, stamp) => {
            let before = crc32c::crc32c_append(place.as_is(), &item[..at]);
            let after = &item[at + Stamp::LENGTH..];
            if Stamp::checksum(stamp.id, before, after) == stamp.checksum {
                found.ids.push(stamp.id);
                return Ok(());
            }
        }
        Located::Elsewhere => {}
    }
    let Some(Canonical { stamp, encoding }) = Canonical::read(kind, item)? else {
        found.foreign += 1;
        return Ok(());
    };
    found.ids.push(stamp.id);
    if crc32c::crc32c_append(place.canonical()?, &encoding) != stamp.checksum {
        found.altered.push(stamp.id);
    }
    Ok(())
}

/// Where the stamp of an item is.
pub(super) enum Located {
    /// At this offset, laid out as the sender does.
    At(usize, Stamp),
    /// The key occurs; only decoding tells whether it is a stamp.
    Elsewhere,
    /// The key does not occur.
    Nowhere,
}

/// The stamp's attribute as `prost` encodes it, from its key to just before the stamp.
const LAYOUT: &[u8] = b"\x0a\x0bloadtest.id\x12\x0e\x3a\x0c";

/// Length of the attribute, as told by the byte before [`LAYOUT`].
const LENGTH: u8 = (LAYOUT.len() + Stamp::LENGTH) as u8;

/// Finds the stamp in the encoding of an item without decoding it.
pub(super) fn locate(kind: Kind, item: &[u8]) -> Located {
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(KEY));
    let Some(key) = FINDER.find(item) else {
        return Located::Nowhere;
    };
    laid_out(kind, item, key).unwrap_or(Located::Elsewhere)
}

/// The stamp, if the key at `key` is that of an attribute of the item itself in the usual layout.
fn laid_out(kind: Kind, item: &[u8], key: usize) -> Option<Located> {
    let start = key.checked_sub(4)?;
    let head = item.get(start..start + 2 + LAYOUT.len())?;
    if head[..2] != [kind.attributes_key(), LENGTH] || &head[2..] != LAYOUT {
        return None;
    }
    let at = start + head.len();
    let stamp = Stamp::from_bytes(item.get(at..at + Stamp::LENGTH)?)?;
    Some(Located::At(at, stamp))
}
