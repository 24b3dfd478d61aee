//! A tar archive of plain files, written and read in one pass.
//!
//! - Source: POSIX.1-2017, pax, "ustar Interchange Format".

use std::io::{self, ErrorKind, Read, Write};

const BLOCK: usize = 512;

/// Bytes of a file at the most: eleven octal digits.
const BYTES_MAX: u64 = 0o777_7777_7777;

/// Writes an archive.
pub(super) struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub(super) const fn new(to: W) -> Self {
        Self { to }
    }

    /// Adds a file of exactly `bytes` bytes.
    pub(super) fn add(
        &mut self,
        name: &str,
        bytes: u64,
        modified: u64,
        from: &mut dyn Read,
    ) -> io::Result<()> {
        self.to.write_all(&head(name, bytes, modified)?)?;
        let copied = io::copy(&mut from.take(bytes), &mut self.to)?;
        if copied < bytes {
            let text = format!("{name} became shorter while it was read");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
        self.to.write_all(fill(bytes))
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// The zeros that follow a file of so many bytes.
fn fill(bytes: u64) -> &'static [u8] {
    let beyond = usize::try_from(bytes % BLOCK as u64).unwrap_or(0);
    let zeros = [0; BLOCK].as_slice();
    match beyond {
        0 => &[],
        beyond => zeros.get(beyond..).unwrap_or_default(),
    }
}

fn head(name: &str, bytes: u64, modified: u64) -> io::Result<[u8; BLOCK]> {
    if name.len() >= 100 || bytes > BYTES_MAX {
        let text = format!("{name} of {bytes} bytes does not fit into a tar archive");
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    let modified = modified.min(BYTES_MAX);
    let mut head = [0; BLOCK];
    let mut put = |at: usize, text: &str| {
        if let Some(room) = head.get_mut(at..at + text.len()) {
            room.copy_from_slice(text.as_bytes());
        }
    };
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{bytes:011o}\0"));
    put(136, &format!("{modified:011o}\0"));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum = sum(&head);
    let text = format!("{sum:06o}\0 ");
    if let Some(room) = head.get_mut(148..156) {
        room.copy_from_slice(text.as_bytes());
    }
    Ok(head)
}

/// The sum of a head's bytes, its own field read as spaces.
fn sum(head: &[u8; BLOCK]) -> u32 {
    let bytes = head.iter().enumerate();
    let read = bytes.map(|(at, byte)| match at {
        148..156 => u32::from(b' '),
        _ => u32::from(*byte),
    });
    read.sum()
}

/// Reads an archive.
pub(super) struct Reader<R> {
    from: R,
    /// Bytes of the file that is being read, and of the fill after it.
    left: u64,
    fill: u64,
    /// Whether a head has come: what is too short for one is no archive, and not one cut off.
    begun: bool,
}

/// A file of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub name: String,
    pub bytes: u64,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(from: R) -> Self {
        Self {
            from,
            left: 0,
            fill: 0,
            begun: false,
        }
    }

    /// The next file; folders are passed over. What was not read of the one before is skipped.
    pub(super) fn next(&mut self) -> io::Result<Option<Member>> {
        loop {
            let rest = self.left + self.fill;
            let skipped = io::copy(&mut (&mut self.from).take(rest), &mut io::sink())?;
            if skipped < rest {
                return Err(cut_off());
            }
            (self.left, self.fill) = (0, 0);
            let mut head = [0; BLOCK];
            self.from
                .read_exact(&mut head)
                .map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof if self.begun => cut_off(),
                    ErrorKind::UnexpectedEof => odd("it is shorter than the head of a file"),
                    _ => error,
                })?;
            self.begun = true;
            if head.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let (member, kind) = parse(&head)?;
            match kind {
                0 | b'0' => {
                    self.left = member.bytes;
                    self.fill = fill(member.bytes).len() as u64;
                    return Ok(Some(member));
                }
                b'5' => {}
                _ => return Err(odd(&format!("{} is no plain file", member.name))),
            }
        }
    }
}

impl<R: Read> Read for Reader<R> {
    /// Reads from the file that [`Reader::next`] has named, to its end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let read = (&mut self.from).take(self.left).read(buffer)?;
        if read == 0 {
            return Err(cut_off());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn parse(head: &[u8; BLOCK]) -> io::Result<(Member, u8)> {
    let field = |from: usize, to: usize| head.get(from..to).unwrap_or_default();
    if octal(field(148, 156)) != Some(u64::from(sum(head))) {
        return Err(odd("a head's sum is not right"));
    }
    let bytes = octal(field(124, 136)).ok_or_else(|| odd("a length is not readable"))?;
    let name = field(0, 100).split(|byte| *byte == 0).next();
    let name = std::str::from_utf8(name.unwrap_or_default());
    let name = name.map_err(|_| odd("a name is not readable"))?;
    let name = name.strip_prefix("./").unwrap_or(name).to_owned();
    let kind = field(156, 157).first().copied().unwrap_or(0);
    Ok((Member { name, bytes }, kind))
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}

fn odd(what: &str) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("not an archive of otlp spool export: {what}"),
    )
}

fn cut_off() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the archive is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (name, bytes) in files {
            let mut from = *bytes;
            writer.add(name, bytes.len() as u64, 7, &mut from).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = Reader::new(archive);
        let mut files = Vec::new();
        while let Some(member) = reader.next()? {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes)?;
            assert_eq!(bytes.len() as u64, member.bytes);
            files.push((member.name, bytes));
        }
        Ok(files)
    }

    #[test]
    fn what_is_written_is_read_back_and_every_cut_is_noticed() {
        let long = [9; 1300];
        let files: [(&str, &[u8]); 4] = [("a", b""), ("b", b"x"), ("c", &[1; 512]), ("d", &long)];
        let archive = archive(&files);
        let read_back = read(&archive).unwrap();
        for ((name, bytes), (was, were)) in files.iter().zip(&read_back) {
            assert_eq!((*name, *bytes), (was.as_str(), were.as_slice()));
        }
        for length in 0..archive.len() - BLOCK {
            let error = read(&archive[..length]).unwrap_err();
            let says = match length {
                0..BLOCK => {
                    "not an archive of otlp spool export: it is shorter than the head of a file"
                }
                _ => "the archive is cut off",
            };
            assert_eq!(error.to_string(), says, "{length}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(read(&[7; 2 * BLOCK]).is_err());
        let mut link = archive(&[("a", b"")]);
        link[156] = b'2';
        link[154] = 0;
        assert!(read(&link).is_err());
    }
}
