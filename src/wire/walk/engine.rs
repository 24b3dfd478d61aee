//! The walk itself: keys, the schema's tables and a bounded stack. Pure, and blind to segments.

use super::super::schema::{Entry, Id, Kind, Table};

/// What is wrong with the bytes; where, the source knows.
pub(in crate::wire) type Fault = &'static str;

/// Messages and groups inside one another, the request itself not counted.
///
/// - Source: the recursion limit of protobuf decoders, in C++ and in prost.
pub(super) const DEPTH_MAX: usize = 100;

/// Bytes to read, bounded by the message that is being read.
pub(in crate::wire) trait Source {
    /// What brings the enclosing message back.
    type Mark: Copy + Default;

    /// Whether the message has been read.
    fn at_end(&self) -> bool;
    /// The offset of the next byte in the body.
    fn at(&self) -> usize;
    /// Reads a varint.
    fn varint(&mut self) -> Result<u64, Fault>;
    /// Passes over `count` bytes.
    fn skip(&mut self, count: usize) -> Result<(), Fault>;
    /// Passes over a length and that many bytes, and says how many.
    fn bytes(&mut self) -> Result<usize, Fault>;
    /// Passes over a length and that many bytes, hands them over piece by piece and says how many.
    fn content(&mut self, each: impl FnMut(&[u8])) -> Result<usize, Fault>;
    /// Reads a length and that many bytes of UTF-8.
    fn text(&mut self) -> Result<(), Fault>;
    /// Reads a length and makes that many bytes the message; [`Source::leave`] undoes it.
    fn enter(&mut self) -> Result<Self::Mark, Fault>;
    /// Returns to the enclosing message.
    fn leave(&mut self, mark: Self::Mark);

    /// The byte `ahead` of the next one will be read soon, and may be fetched into the cache.
    #[inline(always)]
    fn prefetch(&self, _ahead: usize) {}

    /// Reads an attribute of the common shape, or touches nothing and says `false`.
    #[inline(always)]
    fn attribute(&mut self) -> bool {
        false
    }

    /// Reads the key that comes next if it is `key`, else touches nothing and says `false`.
    #[inline(always)]
    fn again(&mut self, _key: u64) -> bool {
        false
    }

    /// Walks the next message whole if it can be walked better alone, else [`Source::enter`]s it.
    #[inline(always)]
    fn message<const FULL: bool>(
        &mut self,
        _message: Id,
        _depth: usize,
        _tally: &mut Tally,
    ) -> Result<Option<Self::Mark>, Fault> {
        self.enter().map(Some)
    }
}

/// The items so far.
#[derive(Debug, Default)]
pub(in crate::wire) struct Tally {
    /// All of them.
    items: u64,
    /// Those before the metric that is being read.
    before_metric: u64,
    /// The kind of data that the metric has had last.
    data: Option<Id>,
}

impl Tally {
    /// The items so far.
    pub(super) const fn items(&self) -> u64 {
        self.items
    }

    /// An item begins.
    const fn item(&mut self) {
        self.items = self.items.wrapping_add(1);
    }

    /// A metric begins.
    const fn metric(&mut self) {
        self.before_metric = self.items;
        self.data = None;
    }

    /// A metric's data begins. Data of another kind replaces what the metric had.
    fn data(&mut self, kind: Id) {
        if self.data != Some(kind) {
            self.items = self.before_metric;
            self.data = Some(kind);
        }
    }
}

/// A message that was left for one inside it.
#[derive(Clone, Copy)]
struct Frame<M> {
    table: &'static Table,
    mark: M,
}

/// The messages that were left, outermost first: at each depth, the one that is so deep.
pub(super) struct Stack<M>([Frame<M>; DEPTH_MAX]);

impl<M: Copy + Default> Stack<M> {
    /// Room for as many messages as may be nested. To clear it costs more than to walk a span, so
    /// that one does for a request.
    pub(super) fn new(root: Id) -> Self {
        Self(
            [Frame {
                table: root.table(),
                mark: M::default(),
            }; DEPTH_MAX],
        )
    }
}

/// Walks the `root` message that `source` holds, `floor` messages deep in the request.
///
/// Where not `FULL`, it enters only the messages on the way to the items.
pub(super) fn walk<S: Source, const FULL: bool>(
    source: &mut S,
    root: Id,
    floor: usize,
    stack: &mut Stack<S::Mark>,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let mut table = root.table();
    let mut depth = floor;
    loop {
        while source.at_end() {
            if depth == floor {
                return Ok(());
            }
            depth = depth.wrapping_sub(1);
            let Some(frame) = stack.0.get(depth) else {
                return Err(TOO_DEEP);
            };
            table = frame.table;
            source.leave(frame.mark);
        }
        let key = source.varint()?;
        let entry = entry(table, key);
        if !field::<S, FULL>(source, key, entry, depth, tally)? {
            continue;
        }
        let Some(frame) = stack.0.get_mut(depth) else {
            return Err(TOO_DEEP);
        };
        let inside = depth.wrapping_add(1);
        if let Some(mark) = source.message::<FULL>(entry.child, inside, tally)? {
            *frame = Frame { table, mark };
            table = entry.child.table();
            depth = inside;
        }
    }
}

/// Reads what follows a key, or says `true` where that is a message to enter.
#[inline(always)]
fn field<S: Source, const FULL: bool>(
    source: &mut S,
    key: u64,
    entry: Entry,
    depth: usize,
    tally: &mut Tally,
) -> Result<bool, Fault> {
    match entry.kind {
        Kind::Unknown => unknown(source, key, depth)?,
        Kind::Refused => return Err(refusal(key)),
        Kind::Varint => {
            source.varint()?;
        }
        Kind::Fixed32 => source.skip(4)?,
        Kind::Fixed64 => source.skip(8)?,
        Kind::Text if FULL => source.text()?,
        Kind::Bytes | Kind::Text => {
            source.bytes()?;
        }
        Kind::Varints => {
            let mark = source.enter()?;
            while !source.at_end() {
                source.varint()?;
            }
            source.leave(mark);
        }
        Kind::Fixed64s => {
            if !source.bytes()?.is_multiple_of(8) {
                return Err("packed 8-byte values that do not fill their length");
            }
        }
        Kind::Attribute | Kind::Message if !FULL => {
            source.bytes()?;
        }
        // An attribute holds a value, two messages further down. One is seldom alone.
        Kind::Attribute => loop {
            if depth >= DEPTH_MAX - 1 || !source.attribute() {
                return Ok(true);
            }
            if !source.again(key) {
                return Ok(false);
            }
        },
        Kind::Message | Kind::Path => return Ok(true),
        Kind::Metric => {
            tally.metric();
            return Ok(true);
        }
        Kind::Data => {
            tally.data(entry.child);
            return Ok(true);
        }
        Kind::Item => {
            tally.item();
            if FULL {
                return Ok(true);
            }
            let length = source.bytes()?;
            // Items are much of a length: where the one after the next begins is guessed.
            source.prefetch(length.wrapping_mul(2));
        }
    }
    Ok(false)
}

/// Passes over what follows `key` in a message `depth` deep, whatever it is.
#[inline(always)]
pub(in crate::wire) fn pass<S: Source>(
    source: &mut S,
    key: u64,
    message: Id,
    depth: usize,
) -> Result<(), Fault> {
    let entry = entry(message.table(), key);
    if field::<S, false>(source, key, entry, depth, &mut Tally::default())? {
        source.bytes()?;
    }
    Ok(())
}

/// What `key` leads to.
#[inline(always)]
pub(in crate::wire) fn entry(table: &Table, key: u64) -> Entry {
    u8::try_from(key).map_or(Entry::UNKNOWN, |key| table.entry(key))
}

/// Messages or groups inside one another, past the bound.
const TOO_DEEP: Fault = "messages or groups nested more than 100 deep";

/// Passes over a field that the schema does not have, in a message `depth` deep.
#[cold]
fn unknown<S: Source>(source: &mut S, key: u64, depth: usize) -> Result<(), Fault> {
    let (number, wire) = split(key)?;
    if depth >= DEPTH_MAX {
        return Err(TOO_DEEP);
    }
    if wire == 3 {
        group(source, number, depth)
    } else {
        scalar(source, key)
    }
}

/// Passes over a group up to its end, and over the groups inside it.
fn group<S: Source>(source: &mut S, number: u64, depth: usize) -> Result<(), Fault> {
    let mut groups = [number; DEPTH_MAX];
    let mut open: usize = 1;
    while open > 0 {
        let key = source.varint()?;
        let (number, wire) = split(key)?;
        if wire == 4 {
            open = open.wrapping_sub(1);
            if groups.get(open) != Some(&number) {
                return Err("group end that does not match its start");
            }
            continue;
        }
        if depth.wrapping_add(open) >= DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        if wire == 3 {
            let Some(group) = groups.get_mut(open) else {
                return Err(TOO_DEEP);
            };
            *group = number;
            open = open.wrapping_add(1);
        } else {
            scalar(source, key)?;
        }
    }
    Ok(())
}

/// Passes over what follows a key that opens no group.
fn scalar<S: Source>(source: &mut S, key: u64) -> Result<(), Fault> {
    match key & 7 {
        0 => source.varint().map(|_| ()),
        1 => source.skip(8),
        2 => source.bytes().map(|_| ()),
        5 => source.skip(4),
        _ => Err(refusal(key)),
    }
}

/// The field number and the wire type that a key holds.
const fn split(key: u64) -> Result<(u64, u64), Fault> {
    if key >> 32 != 0 {
        return Err("field key over 32 bits");
    }
    if key >> 3 == 0 {
        Err(refusal(key))
    } else {
        Ok((key >> 3, key & 7))
    }
}

/// Why no decoder takes this key.
#[cold]
const fn refusal(key: u64) -> Fault {
    match (key >> 3, key & 7) {
        (0, _) => "field number 0",
        (_, 6 | 7) => "wire type 6 or 7, which do not exist",
        (_, 4) => "group end without a start",
        _ => "wire type that is not the field's",
    }
}
