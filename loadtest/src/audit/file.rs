//! The files that audits are saved to: a line that says what it is, then named sections.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use roaring::RoaringTreemap;

/// Longest line: a name and a number.
const LONGEST_LINE: u64 = 64;

/// The name of the section that closes a file.
const END: &str = "end";

/// Writes sections.
pub(super) struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub fn new(mut to: W, magic: &str) -> anyhow::Result<Self> {
        writeln!(to, "{magic}")?;
        Ok(Self { to })
    }

    pub fn text(&mut self, name: &str, value: &dyn Display) -> anyhow::Result<()> {
        self.section(name, value.to_string().as_bytes())
    }

    pub fn set(&mut self, name: &str, set: &RoaringTreemap) -> anyhow::Result<()> {
        let mut bytes = Vec::with_capacity(set.serialized_size());
        set.serialize_into(&mut bytes)?;
        self.section(name, &bytes)
    }

    pub fn end(mut self) -> anyhow::Result<()> {
        self.section(END, &[])?;
        Ok(self.to.flush()?)
    }

    fn section(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        writeln!(self.to, "{name} {}", bytes.len())?;
        Ok(self.to.write_all(bytes)?)
    }
}

/// Reads sections, in the order they were written.
pub(super) struct Reader<R> {
    from: BufReader<R>,
}

impl<R: Read> Reader<R> {
    pub fn new(from: R, magic: &str) -> anyhow::Result<Self> {
        let mut reader = Self {
            from: BufReader::new(from),
        };
        let line = reader.line()?;
        ensure!(
            line == magic,
            "the file begins with {line:?} and not with {magic:?}: give a file that this version saved"
        );
        Ok(reader)
    }

    pub fn text<T>(&mut self, name: &str) -> anyhow::Result<T>
    where
        T: FromStr,
        T::Err: Into<anyhow::Error>,
    {
        let bytes = self.section(name)?;
        let text = String::from_utf8(bytes).with_context(|| format!("section {name:?}"))?;
        let value = text.parse().map_err(Into::<anyhow::Error>::into);
        value.with_context(|| format!("section {name:?} holds {text:?}"))
    }

    pub fn set(&mut self, name: &str) -> anyhow::Result<RoaringTreemap> {
        let bytes = self.section(name)?;
        let mut rest = bytes.as_slice();
        let set = RoaringTreemap::deserialize_from(&mut rest)
            .with_context(|| format!("section {name:?} is no set of ids"))?;
        ensure!(
            rest.is_empty(),
            "section {name:?} goes on for {} bytes after its set",
            rest.len()
        );
        Ok(set)
    }

    pub fn end(&mut self) -> anyhow::Result<()> {
        self.section(END).map(drop)
    }

    fn section(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let line = self.line()?;
        let Some((found, length)) = line.split_once(' ') else {
            bail!("{line:?} stands where section {name:?} should begin");
        };
        ensure!(
            found == name,
            "section {found:?} stands where {name:?} should"
        );
        let length: u64 = length
            .parse()
            .with_context(|| format!("section {name:?} has {length:?} as its length"))?;
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(length).read_to_end(&mut bytes)?;
        ensure!(
            read as u64 == length,
            "section {name:?} has {read} of its {length} bytes: the file is cut short"
        );
        Ok(bytes)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.from.by_ref().take(LONGEST_LINE).read_line(&mut line);
        read.context("a line of the file is not text")?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None if line.is_empty() => bail!("the file is cut short"),
            None => bail!("the file is cut short or not an audit: it has the line {line:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Acknowledged, Arrivals};
    use crate::telemetry::Level;

    fn saved() -> Vec<u8> {
        let mut arrivals = Arrivals::new(Level::Ids);
        arrivals.insert(3);
        arrivals.insert(9 << 48);
        let mut saved = Vec::new();
        arrivals.write_to(&mut saved).unwrap();
        saved
    }

    #[test]
    fn a_file_tells_what_it_is_in_text() {
        let saved = saved();
        let text = String::from_utf8_lossy(&saved);
        assert!(
            text.starts_with("loadtest arrivals 1\nlevel 3\nids"),
            "{text}"
        );
        assert!(text.ends_with("end 0\n"), "{text}");
    }

    #[test]
    fn a_file_that_is_cut_short_anywhere_is_refused() {
        let saved = saved();
        assert!(Arrivals::read_from(saved.as_slice()).is_ok());
        for length in 0..saved.len() {
            assert!(
                Arrivals::read_from(&saved[..length]).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn another_file_is_refused_by_what_it_is() {
        let error = Acknowledged::read_from(saved().as_slice()).unwrap_err();
        assert!(
            error.to_string().contains("\"loadtest acknowledged 1\""),
            "{error}"
        );
        for (file, why) in [
            (&b"\x7fELF\xff\xfe"[..], "not text"),
            (
                b"loadtest arrivals 1\nlevel many\n",
                "\"many\" as its length",
            ),
            (
                b"loadtest arrivals 1\nlevel 4\nnone",
                "section \"level\" holds \"none\"",
            ),
            (
                b"loadtest arrivals 1\nitems 1\n1",
                "\"items\" stands where \"level\"",
            ),
            (
                b"loadtest arrivals 1\nlevel 99999999999\nids",
                "3 of its 99999999999 bytes",
            ),
        ] {
            let error = Arrivals::read_from(file).unwrap_err();
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
    }
}
