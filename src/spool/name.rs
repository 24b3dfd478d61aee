//! What a segment and its marks are called.

use std::fmt;

/// The name of a segment: its place in time and the shard that wrote it.
///
/// Names order by time, also across shards and restarts: a sequence is the Unix time in
/// nanoseconds at which the segment was begun, or one more than the sequence before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentName {
    /// Grows from segment to segment.
    pub sequence: u64,
    /// The shard that wrote it.
    pub shard: u32,
}

impl SegmentName {
    /// The name of the segment's file.
    #[must_use]
    pub fn file(self) -> String {
        format!("{:016x}-{}.spool", self.sequence, self.shard)
    }

    /// The name of the file of the segment's marks.
    #[must_use]
    pub fn marks_file(self) -> String {
        format!("{:016x}-{}.done", self.sequence, self.shard)
    }

    /// The segment whose file has this name; `None` where no segment's has.
    #[must_use]
    pub fn from_file(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(".spool")?)
    }

    /// The segment whose marks' file has this name; `None` where no marks' has.
    #[must_use]
    pub fn from_marks_file(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(".done")?)
    }

    /// Whether a segment's file or its marks' has this name.
    #[must_use]
    pub fn is_in(name: &str) -> bool {
        Self::from_file(name).is_some() || Self::from_marks_file(name).is_some()
    }

    fn parse(stem: &str) -> Option<Self> {
        let (sequence, shard) = stem.split_once('-')?;
        let found = Self {
            sequence: u64::from_str_radix(sequence, 16).ok()?,
            shard: shard.parse().ok()?,
        };
        // Exactly as it would be written: no sign, no capitals, no missing zeros.
        (found.to_string() == stem).then_some(found)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.sequence, self.shard)
    }
}

/// A segment that lay in the directory when the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSegment {
    /// Its name.
    pub name: SegmentName,
    /// The length of its file, in bytes.
    pub bytes: u64,
    /// Whether a file of marks lies beside it.
    pub has_marks: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_as_it_is_written_is_read_back() {
        let name = SegmentName {
            sequence: 0x1a,
            shard: 12,
        };
        assert_eq!(name.file(), "000000000000001a-12.spool");
        assert_eq!(SegmentName::from_file(&name.file()), Some(name));
        assert_eq!(SegmentName::from_marks_file(&name.marks_file()), Some(name));
        for wrong in [
            "1a-12.spool",
            "000000000000001A-12.spool",
            "000000000000001a-+2.spool",
            "000000000000001a-012.spool",
            "000000000000001a-12.done",
            "000000000000001a-12.spool.tmp",
            "lock",
        ] {
            assert_eq!(SegmentName::from_file(wrong), None, "{wrong}");
        }
    }
}
