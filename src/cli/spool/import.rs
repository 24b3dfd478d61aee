//! `otlp spool import`: a saved spool back into its folder, all of it or nothing.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    Failure, Result,
    archive::Reader,
    export::{Listed, MANIFEST, Summed},
    figures,
};
use crate::spool::{Directory, SegmentName, format::Crc};

/// Bytes of a manifest at the most: a hundred thousand files.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

pub(super) fn import(folder: &Path, file: &Path, err: &mut dyn Write) -> Result<()> {
    let directory = Directory::open(folder)?;
    let listed = if file == Path::new("-") {
        unpack(&directory, io::stdin().lock())
    } else {
        let from = fs::File::open(file).map_err(|error| Failure::of(file, &error))?;
        unpack(&directory, BufReader::new(from))
    };
    let listed = listed?;
    let bytes = listed.iter().map(|file| file.bytes).sum();
    writeln!(
        err,
        "brought back {} files, {}",
        listed.len(),
        figures::size(bytes)
    )?;
    Ok(())
}

/// Files under other names, which are removed unless all of them get their own.
struct Unfinished<'a> {
    directory: &'a Directory,
    files: Vec<(PathBuf, Listed)>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        for (path, _) in &self.files {
            // What is left of it is removed at the next start.
            fs::remove_file(path).unwrap_or_default();
        }
    }
}

fn unpack(directory: &Directory, from: impl Read) -> Result<Vec<Listed>> {
    let mut unfinished = Unfinished {
        directory,
        files: Vec::new(),
    };
    let mut reader = Reader::new(from);
    let manifest = loop {
        let member = reader.next().map_err(|error| refused(&error))?;
        let Some(member) = member else {
            return Err(Failure::Refused(
                "the archive has no manifest: it is not one of otlp spool export".to_owned(),
            ));
        };
        if member.name == MANIFEST {
            break read_manifest(reader, member.bytes)?;
        }
        unfinished.add(&member.name, member.bytes, &mut reader)?;
    };
    unfinished.finish(&manifest)
}

fn refused(error: &io::Error) -> Failure {
    Failure::Refused(error.to_string())
}

fn read_manifest(from: impl Read, bytes: u64) -> Result<Vec<Listed>> {
    let odd = || Failure::Refused("the manifest of the archive is not readable".to_owned());
    if bytes > MANIFEST_BYTES_MAX {
        return Err(odd());
    }
    let mut text = String::new();
    from.take(bytes)
        .read_to_string(&mut text)
        .map_err(|error| refused(&error))?;
    let lines = text.lines().map(Listed::parse);
    lines.collect::<Option<Vec<_>>>().ok_or_else(odd)
}

impl Unfinished<'_> {
    fn add(&mut self, name: &str, bytes: u64, from: &mut dyn Read) -> Result<()> {
        if !SegmentName::is_in(name) {
            return Err(Failure::Refused(format!(
                "the archive holds {name:?}, which is no file of a spool; nothing was changed"
            )));
        }
        let folder = self.directory.path();
        if folder.join(name).exists() {
            return Err(Failure::Refused(format!(
                "{name} is in {} already: importing it again would send it twice; nothing was \
                 changed. Import into an empty folder",
                folder.display()
            )));
        }
        let path = folder.join(format!("{name}.import.tmp"));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => refused(&error),
            _ => Failure::of(&path, &error),
        };
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut to = opened.map_err(failed)?;
        let mut from = Summed {
            from,
            crc: Crc::default(),
        };
        let copied = io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
        let listed = Listed {
            name: name.to_owned(),
            bytes,
            crc: from.crc.get(),
        };
        self.files.push((path.clone(), listed));
        copied.map_err(failed)
    }

    /// Gives the files their names, if they are what the manifest says.
    fn finish(mut self, manifest: &[Listed]) -> Result<Vec<Listed>> {
        let damaged = |what: &str| {
            Failure::Refused(format!(
                "the archive is damaged: {what}; nothing was changed"
            ))
        };
        let names: BTreeSet<_> = manifest.iter().map(|listed| &listed.name).collect();
        if names.len() != manifest.len() || self.files.len() != manifest.len() {
            return Err(damaged(
                "it does not hold the files that its manifest names",
            ));
        }
        for ((_, found), listed) in self.files.iter().zip(manifest) {
            if found != listed {
                return Err(damaged(&format!("{} is not as it was saved", found.name)));
            }
        }
        // Marks first: a segment without its marks would be sent whole.
        self.files
            .sort_by_key(|(_, listed)| SegmentName::from_file(&listed.name).is_some());
        let folder = self.directory.path();
        for (path, listed) in &mut self.files {
            let named = folder.join(&listed.name);
            let renamed = fs::rename(&*path, &named);
            renamed.map_err(|error| Failure::of(path, &error))?;
            // Where one of them fails, those before it are removed again.
            *path = named;
        }
        let synced = self.directory.sync();
        synced.map_err(|error| Failure::of(folder, &error))?;
        let done = std::mem::take(&mut self.files);
        Ok(done.into_iter().map(|(_, listed)| listed).collect())
    }
}
