//! The walk itself: keys, the schema's tables and a bounded stack. Pure, and blind to segments.

use super::super::schema::{Id, Kind, Table};

/// What is wrong with the bytes; where, the source knows.
pub(super) type Fault = &'static str;

/// Messages and groups inside one another, the request itself not counted.
///
/// - Source: the recursion limit of protobuf decoders, in C++ and in prost.
pub(super) const DEPTH_MAX: usize = 100;

/// Bytes to read, bounded by the message that is being read.
pub(super) trait Source {
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
    /// Passes over a length and that many bytes.
    fn bytes(&mut self) -> Result<(), Fault>;
    /// Reads a length and that many bytes of UTF-8.
    fn text(&mut self) -> Result<(), Fault>;
    /// Reads a length and makes that many bytes the message; [`Source::leave`] undoes it.
    fn enter(&mut self) -> Result<Self::Mark, Fault>;
    /// Returns to the enclosing message.
    fn leave(&mut self, mark: Self::Mark);

    /// Reads an attribute of the common shape, or touches nothing and says `false`.
    #[inline(always)]
    fn attribute(&mut self) -> bool {
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
pub(super) struct Tally {
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
        let Ok(short) = u8::try_from(key) else {
            unknown(source, key, depth)?;
            continue;
        };
        let entry = table.entry(short);
        match entry.kind {
            Kind::Unknown => {
                unknown(source, key, depth)?;
                continue;
            }
            Kind::Refused => return Err(refusal(key)),
            Kind::Varint => {
                source.varint()?;
                continue;
            }
            Kind::Fixed32 => {
                source.skip(4)?;
                continue;
            }
            Kind::Fixed64 => {
                source.skip(8)?;
                continue;
            }
            Kind::Text if FULL => {
                source.text()?;
                continue;
            }
            Kind::Bytes | Kind::Text => {
                source.bytes()?;
                continue;
            }
            Kind::Varints => {
                let mark = source.enter()?;
                while !source.at_end() {
                    source.varint()?;
                }
                source.leave(mark);
                continue;
            }
            Kind::Fixed64s => {
                let mark = source.enter()?;
                while !source.at_end() {
                    source.skip(8)?;
                }
                source.leave(mark);
                continue;
            }
            Kind::Attribute | Kind::Message if !FULL => {
                source.bytes()?;
                continue;
            }
            // An attribute holds a value, two messages further down.
            Kind::Attribute => {
                if depth < DEPTH_MAX - 1 && source.attribute() {
                    continue;
                }
            }
            Kind::Message | Kind::Path => {}
            Kind::Metric => tally.metric(),
            Kind::Data => tally.data(entry.child),
            Kind::Item => {
                tally.items = tally.items.wrapping_add(1);
                if !FULL {
                    source.bytes()?;
                    continue;
                }
            }
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

/// The messages of a request may be nested this deep and no deeper.
const TOO_DEEP: Fault = "messages or groups nested more than 100 deep";

/// Passes over a field that the schema does not have, in a message `depth` deep.
#[cold]
fn unknown<S: Source>(source: &mut S, key: u64, depth: usize) -> Result<(), Fault> {
    let mut groups = [0; DEPTH_MAX];
    let mut open: usize = 0;
    let mut key = key;
    loop {
        if u32::try_from(key).is_err() {
            return Err("field key over 32 bits");
        }
        let number = key >> 3;
        let wire = key & 7;
        if number == 0 {
            return Err(refusal(key));
        }
        if open > 0 && wire == 4 {
            open = open.wrapping_sub(1);
            if groups.get(open) != Some(&number) {
                return Err("group end that does not match its start");
            }
        } else {
            if depth.wrapping_add(open) >= DEPTH_MAX {
                return Err(TOO_DEEP);
            }
            match wire {
                0 => {
                    source.varint()?;
                }
                1 => source.skip(8)?,
                2 => source.bytes()?,
                3 => {
                    let Some(group) = groups.get_mut(open) else {
                        return Err(TOO_DEEP);
                    };
                    *group = number;
                    open = open.wrapping_add(1);
                }
                5 => source.skip(4)?,
                _ => return Err(refusal(key)),
            }
        }
        if open == 0 {
            return Ok(());
        }
        key = source.varint()?;
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
