//! Finds the records of a segment by reading it from its beginning: one that a crash cut off, or
//! whose index is damaged.

use super::format::{ALIGN, BLOCK, Crc, Entry, Kind, RECORD_HEADER, RecordHeader, align};

/// Bytes that a scan asks for at once.
pub const SCAN_BYTES: usize = 256 << 10;

/// Bytes of a head, as an offset counts.
const HEAD: u64 = RECORD_HEADER as u64;

/// A stretch of a segment that is not what was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub offset: u64,
    /// Where it ends, as far as that shows.
    pub end: u64,
    /// Records that were lost in it, as far as their number is known.
    pub records: u64,
    /// Those of them whose heads are whole, so that is known what they carried.
    pub known: Vec<Entry>,
    /// Whether it is part of what was written last.
    pub is_torn: bool,
}

/// What a scan has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The records that are whole, in order.
    pub entries: Vec<Entry>,
    /// What is damaged, in order.
    pub damages: Vec<Damage>,
}

/// A scan: says what it wants to read and takes it.
///
/// It holds no bytes. A record whose body is damaged is skipped alone; where a head is damaged, the
/// next whole head is looked for. What is in a body is never taken for a record where the heads
/// around it are whole, and needs the salt of the segment and its own offset in it otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanner {
    salt: u64,
    /// Where the records end at the latest.
    end: u64,
    at: u64,
    step: Step,
    /// The ordinal of the record that comes next.
    next: u32,
    /// Where the last write began of which a head was seen.
    group: u64,
    has_index: bool,
    found: Scanned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A head is expected here, or zeros.
    Head,
    /// There was neither: the next head is looked for.
    Lost { from: u64, until: u64 },
    /// The rest of a record is read.
    Content {
        header: RecordHeader,
        offset: u64,
        left: u64,
        sum: Crc,
    },
    /// Nothing is left to read.
    Over,
}

impl Scanner {
    /// A scan of a segment with this salt, from its first record to `end`.
    #[must_use]
    pub fn new(salt: u64, end: u64) -> Self {
        Self {
            salt,
            end,
            at: BLOCK,
            step: if end <= BLOCK { Step::Over } else { Step::Head },
            next: 0,
            group: BLOCK,
            has_index: false,
            found: Scanned::default(),
        }
    }

    /// What to read next: offset and length. `None` when the scan is over.
    #[must_use]
    pub fn wants(&self) -> Option<(u64, usize)> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        (self.step != Step::Over).then(|| (self.at, left.clamp(1, SCAN_BYTES)))
    }

    /// Takes what was read where [`wants`](Self::wants) said; less means that the file ends there.
    pub fn take(&mut self, bytes: &[u8]) {
        let wanted = self.wants().map_or(0, |(_, bytes)| bytes);
        self.take_of(bytes, wanted);
    }

    /// Takes what was read of `wanted` bytes, at most those of [`wants`](Self::wants) and at least
    /// up to the end of the block.
    pub(super) fn take_of(&mut self, bytes: &[u8], wanted: usize) {
        let start = self.at;
        if bytes.len() < wanted {
            self.end = self.end.min(start + bytes.len() as u64);
            if self.at >= self.end {
                self.close();
            }
        }
        while self.step != Step::Over {
            let from = usize::try_from(self.at - start).unwrap_or(usize::MAX);
            let rest = bytes.get(from..).unwrap_or_default();
            if !self.advance(rest) {
                return;
            }
        }
    }

    /// Passes over bytes that cannot be read, where [`wants`](Self::wants) said.
    pub fn skip(&mut self, bytes: u64) {
        let to = self.at.saturating_add(bytes).min(self.end);
        match self.step {
            Step::Head => {
                self.step = Step::Lost {
                    from: self.at,
                    until: to,
                }
            }
            Step::Lost { from, .. } => self.step = Step::Lost { from, until: to },
            // The sum is not right any more, which is what it is for.
            Step::Content {
                header,
                offset,
                left,
                sum,
            } => {
                let skipped = left.min(to - self.at);
                self.step = Step::Content {
                    header,
                    offset,
                    left: left - skipped,
                    sum: sum.with(b"unreadable"),
                };
            }
            Step::Over => return,
        }
        self.at = to;
        self.finish_content();
        if self.at >= self.end {
            self.close();
        }
    }

    /// What was found, when the scan is over. Nothing is torn where the segment was sealed.
    #[must_use]
    pub fn finish(mut self, is_sealed: bool) -> Scanned {
        let is_sealed = is_sealed || self.has_index;
        let group = self.group;
        for damage in &mut self.found.damages {
            damage.is_torn = !is_sealed && damage.offset >= group;
        }
        self.found
    }

    /// One step over what is there; false where more has to be read.
    fn advance(&mut self, rest: &[u8]) -> bool {
        match self.step {
            Step::Over => false,
            Step::Content { .. } => self.content(rest),
            Step::Head | Step::Lost { .. } if self.at + HEAD > self.end => {
                self.tail(rest);
                true
            }
            Step::Head | Step::Lost { .. } if rest.len() < RECORD_HEADER => false,
            Step::Head => {
                self.head(rest);
                true
            }
            Step::Lost { from, until } => {
                self.lost(rest, from, until);
                true
            }
        }
    }

    fn head(&mut self, rest: &[u8]) {
        let head = rest.get(..RECORD_HEADER).unwrap_or_default();
        if let Some(header) = RecordHeader::decode(head, self.salt, self.at) {
            self.begin(header);
        } else if self.is_fill(head) {
            self.at = align(self.at + 1, BLOCK);
        } else {
            self.step = Step::Lost {
                from: self.at,
                until: self.at,
            };
            self.step_on(head);
        }
        if self.at >= self.end {
            self.close();
        }
    }

    /// Whether this is the fill of a write, which goes to the end of its block.
    fn is_fill(&self, head: &[u8]) -> bool {
        let left = align(self.at + 1, BLOCK) - self.at;
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        head.iter().take(left).all(|byte| *byte == 0)
    }

    fn lost(&mut self, rest: &[u8], from: u64, until: u64) {
        if RecordHeader::may_begin(rest)
            && let Some(header) = RecordHeader::decode(rest, self.salt, self.at)
        {
            self.damaged(from, until.min(self.at), 0, None);
            self.begin(header);
            return;
        }
        self.step_on(rest);
    }

    /// No head begins here: looks for one at the next place.
    fn step_on(&mut self, rest: &[u8]) {
        let is_zero = rest.iter().take(8).all(|byte| *byte == 0);
        if let Step::Lost { from, until } = &mut self.step
            && !is_zero
        {
            if until <= from {
                *from = self.at;
            }
            *until = self.at + ALIGN;
        }
        self.at += ALIGN;
    }

    /// Fewer bytes than a head are left.
    fn tail(&mut self, rest: &[u8]) {
        if self.step == Step::Head && rest.iter().any(|byte| *byte != 0) {
            self.step = Step::Lost {
                from: self.at,
                until: self.end,
            };
        }
        self.close();
    }

    fn begin(&mut self, header: RecordHeader) {
        if header.kind == Kind::Index {
            self.has_index = true;
            self.note_missing(header.ordinal);
            self.step = Step::Over;
            return;
        }
        self.note_missing(header.ordinal);
        self.next = header.ordinal.saturating_add(1);
        self.group = self.group.max(header.group);
        self.step = Step::Content {
            header,
            offset: self.at,
            left: header.content(),
            sum: Crc::default(),
        };
        self.at += HEAD;
        self.finish_content();
    }

    /// Records between the last and the one with this ordinal are not there.
    fn note_missing(&mut self, ordinal: u32) {
        let missing = u64::from(ordinal.saturating_sub(self.next));
        if missing == 0 {
            return;
        }
        let last_entry = self.found.entries.last().map_or(0, |entry| entry.offset);
        match self.found.damages.last_mut() {
            // The stretch that has just ended is where they were.
            Some(damage) if damage.known.is_empty() && damage.offset > last_entry => {
                damage.records += missing;
            }
            _ => self.damaged(self.at, self.at, missing, None),
        }
        self.next = ordinal;
    }

    fn content(&mut self, rest: &[u8]) -> bool {
        let Step::Content {
            header, left, sum, ..
        } = &mut self.step
        else {
            return false;
        };
        let bytes = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
        let part = rest.get(..bytes).unwrap_or_default();
        *sum = header.sum_up(*sum, header.content() - *left, part);
        *left -= part.len() as u64;
        self.at += part.len() as u64;
        if self.finish_content() {
            return true;
        }
        if self.at >= self.end {
            self.close();
        }
        false
    }

    /// Where the record is read to its end: takes it or skips it.
    fn finish_content(&mut self) -> bool {
        let Step::Content {
            header,
            offset,
            left: 0,
            sum,
        } = self.step
        else {
            return false;
        };
        let Some(entry) = entry(&header, offset) else {
            self.step = Step::Over;
            return true;
        };
        if sum.get() == header.body_crc {
            self.found.entries.push(entry);
        } else {
            self.damaged(offset, entry.end(), 1, Some(entry));
        }
        self.step = Step::Head;
        self.at = entry.end();
        if self.at >= self.end {
            self.step = Step::Over;
        }
        true
    }

    /// The end is reached: what is open is damaged.
    fn close(&mut self) {
        match self.step {
            Step::Lost { from, until } => {
                let until = until.min(self.end);
                // A few bytes are fill in which a bit has flipped.
                self.damaged(from, until, u64::from(until - from > ALIGN), None);
            }
            Step::Content { header, offset, .. } => {
                self.damaged(offset, self.end, 1, entry(&header, offset));
            }
            Step::Head | Step::Over => {}
        }
        self.step = Step::Over;
    }

    fn damaged(&mut self, offset: u64, end: u64, records: u64, known: Option<Entry>) {
        self.found.damages.push(Damage {
            offset,
            end,
            records,
            known: known.into_iter().collect(),
            is_torn: false,
        });
    }
}

fn entry(header: &RecordHeader, offset: u64) -> Option<Entry> {
    let Kind::Request(signal, _) = header.kind else {
        return None;
    };
    Some(Entry {
        offset,
        items: header.items,
        at: header.at,
        content: u32::try_from(header.content()).ok()?,
        ordinal: header.ordinal,
        signal,
    })
}
