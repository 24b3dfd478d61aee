//! A disk of its own for the spool: a file with a filesystem, mounted. What the file holds at a
//! moment is what a power cut at that moment leaves: the page cache of the mount is not in it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How often a copy is made anew because something was written to the disk meanwhile, and how often
/// a disk that somebody uses is unmounted.
const TRIES: usize = 50;

/// Between two tries to unmount a disk that somebody uses.
const PAUSE: Duration = Duration::from_millis(10);

/// What mounts are made with; without them there is no power cut to be had.
const LOOP_CONTROL: &str = "/dev/loop-control";

/// Whether disks can be made here: by root alone, and where there are loop devices.
#[must_use]
pub fn can_cut() -> bool {
    rustix::process::geteuid().is_root() && Path::new(LOOP_CONTROL).exists()
}

/// A mounted disk. Dropped, it is unmounted.
#[derive(Debug)]
pub(super) struct Disk {
    image: PathBuf,
    folder: PathBuf,
}

impl Disk {
    /// An empty one of so many MiB: its image, and where it is mounted, are in `dir`.
    pub(super) fn make(dir: &Path, mib: u64) -> anyhow::Result<Self> {
        let image = dir.join("disk-0");
        let file = fs::File::create(&image);
        let file = file.with_context(|| format!("cannot write {}", image.display()))?;
        file.set_len(mib << 20).context("cannot size the disk")?;
        let image_text = text(&image);
        run(
            "mkfs.ext4",
            &["-q", "-F", "-E", "lazy_itable_init=0", &image_text],
        )?;
        Self::mount(image, dir.join("mounted"))
    }

    fn mount(image: PathBuf, folder: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).context("cannot make a folder to mount at")?;
        run("mount", &["-o", "loop", &text(&image), &text(&folder)])?;
        Ok(Self { image, folder })
    }

    /// Where it is mounted.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the disk holds now, as the image of another one. Who writes to it has been stopped;
    /// when the kernel writes something back meanwhile, the copy is made anew, so that it is of one
    /// moment.
    pub(super) fn copy(&self, number: usize) -> anyhow::Result<PathBuf> {
        let image = self.image.with_file_name(format!("disk-{number}"));
        for _ in 0..TRIES {
            let before = self.writes()?;
            let (from, to) = (text(&self.image), text(&image));
            run("cp", &["--sparse=always", &from, &to])?;
            if self.writes()? == before {
                return Ok(image);
            }
        }
        bail!("the disk was written to during each of {TRIES} copies of it")
    }

    /// Takes this disk away and puts in its place what was copied from it.
    pub(super) fn replace(&mut self, image: PathBuf) -> anyhow::Result<()> {
        self.unmount()?;
        fs::remove_file(&self.image).context("cannot remove a disk that is not needed any more")?;
        run("mount", &["-o", "loop", &text(&image), &text(&self.folder)])?;
        self.image = image;
        Ok(())
    }

    /// Writes that the disk was asked for so far.
    fn writes(&self) -> anyhow::Result<u64> {
        let device = fs::metadata(&self.folder)
            .context("the mounted disk")?
            .dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let path = format!("/sys/dev/block/{major}:{minor}/stat");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let writes = text
            .split_whitespace()
            .nth(4)
            .and_then(|it| it.parse().ok());
        writes.with_context(|| format!("{path} reads {text:?}"))
    }

    /// A process that used io_uring holds its files for a moment after its end was reported.
    fn unmount(&self) -> anyhow::Result<()> {
        let folder = text(&self.folder);
        for _ in 0..TRIES {
            if run("umount", &[&folder]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        run("umount", &[&folder])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount().ok();
    }
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{program} is not there: install util-linux and e2fsprogs")
        }
        output => output.with_context(|| format!("cannot run {program}"))?,
    };
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), why.trim());
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The law that a power cut stands on: what was synced is in the copy, and what was not is not.
    #[test]
    fn a_copy_holds_what_was_synced_and_nothing_else() {
        if !can_cut() {
            eprintln!("skipped: needs root and loop devices");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::make(dir.path(), 32).unwrap();
        let (synced, unsynced) = (disk.folder().join("synced"), disk.folder().join("unsynced"));
        fs::write(&synced, "kept").unwrap();
        for path in [&synced, disk.folder()] {
            fs::File::open(path).unwrap().sync_all().unwrap();
        }
        fs::write(&unsynced, "gone").unwrap();
        let image = disk.copy(1).unwrap();
        disk.replace(image).unwrap();
        assert_eq!(fs::read_to_string(synced).unwrap(), "kept");
        let left = fs::read_to_string(unsynced).unwrap_or_default();
        assert_eq!(left, "", "what was not synced survived a power cut");
    }
}
