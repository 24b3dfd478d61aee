//! `otlp spool export`: the whole spool as one archive, with a checksum of each file.

use std::{
    fs,
    io::{self, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::UNIX_EPOCH,
};

use super::{Failure, Result, archive::Writer, figures, found, own};
use crate::spool::format::Crc;

/// The name of the last file of an archive: a line for each file before it.
pub(super) const MANIFEST: &str = "MANIFEST";

/// One line of the manifest: a file, its length and its CRC-32C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub name: String,
    pub bytes: u64,
    pub crc: u32,
}

impl Listed {
    pub(super) fn line(&self) -> String {
        format!("{:08x} {} {}\n", self.crc, self.bytes, self.name)
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(3, ' ');
        let crc = u32::from_str_radix(fields.next()?, 16).ok()?;
        let bytes = fields.next()?.parse().ok()?;
        let name = fields.next()?.to_owned();
        Some(Self { name, bytes, crc })
    }
}

/// Sums up what passes through.
pub(super) struct Summed<R> {
    pub from: R,
    pub crc: Crc,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.crc = self.crc.with(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

pub(super) fn export(
    folder: &Path,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let directory = own(folder)?;
    let files = names(directory.path())?;
    let saved = if file == Path::new("-") {
        write(folder, &files, BufWriter::new(out))?.0
    } else {
        let to = create(file)?;
        let written = write(folder, &files, BufWriter::new(to)).and_then(|(saved, to)| {
            let to = to.into_inner().map_err(io::IntoInnerError::into_error)?;
            to.sync_all()?;
            Ok(saved)
        });
        written.map_err(|failure| {
            // What is there is of no use.
            fs::remove_file(file).unwrap_or_default();
            match failure {
                Failure::Output(error) => Failure::of(file, &error),
                other => other,
            }
        })?
    };
    let bytes = saved.iter().map(|file| file.bytes).sum();
    writeln!(err, "saved {} files, {}", saved.len(), figures::size(bytes))?;
    Ok(())
}

fn create(file: &Path) -> Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(file);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::of(file, &"exists already; name another file, or remove it")
        }
        _ => Failure::of(file, &error),
    })
}

/// The files that make up a spool: its segments and their marks.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for segment in found(folder)? {
        names.push(segment.name.file());
        if segment.has_marks {
            names.push(segment.name.marks_file());
        }
    }
    Ok(names)
}

fn write<W: Write>(folder: &Path, files: &[String], to: W) -> Result<(Vec<Listed>, W)> {
    let mut writer = Writer::new(to);
    let mut listed = Vec::new();
    for name in files {
        let path = folder.join(name);
        let opened = fs::File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (about, file) = opened.map_err(|error| Failure::of(&path, &error))?;
        let modified = about.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mut from = Summed {
            from: file,
            crc: Crc::default(),
        };
        let modified = modified.unwrap_or_default().as_secs();
        writer.add(name, about.len(), modified, &mut from)?;
        listed.push(Listed {
            name: name.clone(),
            bytes: about.len(),
            crc: from.crc.get(),
        });
    }
    let manifest: String = listed.iter().map(Listed::line).collect();
    let bytes = manifest.len() as u64;
    writer.add(MANIFEST, bytes, 0, &mut manifest.as_bytes())?;
    Ok((listed, writer.finish()?))
}
