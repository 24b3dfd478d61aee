//! The spool's folder: who owns it, which segments lie in it, and what is done there by name.
//!
//! Everything here waits for the disk: the shards call it from their pool for blocking work.

use std::{
    fmt, fs,
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{FoundSegment, SegmentName};

/// The name of the file whose lock says who owns the folder. It is never removed: two processes
/// could lock two files of that name then.
const LOCK: &str = "lock";

/// What the name of a file ends in that is to be renamed when it is whole.
const UNFINISHED: &str = ".tmp";

/// Bytes of a file of marks that are read at the most; a longer one is damaged.
const SMALL_BYTES_MAX: u64 = 64 << 20;

/// The spool's folder, owned by this process until it is dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Unlocked by the kernel when it is closed, however the process ends.
    _lock: fs::File,
}

impl Directory {
    /// Takes the folder for this process, and makes it where only its last part is missing (mode
    /// 0700). Unfinished files of an earlier run are removed.
    ///
    /// A disk without space is no error where the folder is there: what it holds is to be sent.
    ///
    /// # Errors
    ///
    /// [`OpenError`], written for the one who starts the process.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => sync_parent(path).map_err(|error| OpenError::of(path, error))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::NoParent(path.to_owned()));
            }
            Err(error) => return Err(OpenError::of(path, error)),
        }
        let directory = Self::own(path)?;
        let tidied = directory.remove_unfinished();
        tidied.map_err(|error| OpenError::of(path, error))?;
        Ok(directory)
    }

    /// Takes the folder for this process; it must be there.
    ///
    /// # Errors
    ///
    /// [`OpenError`], written for the one who starts the process.
    pub fn own(path: &Path) -> Result<Self, OpenError> {
        let of = |error| OpenError::of(path, error);
        if !fs::metadata(path).map_err(of)?.is_dir() {
            return Err(of(Errno::NOTDIR.into()));
        }
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.mode(0o600).open(path.join(LOCK)).map_err(of)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError::Owned {
                    path: path.to_owned(),
                    owner: owner(&mut lock),
                });
            }
            Err(error) => return Err(of(error.into())),
        }
        match write_owner(&mut lock) {
            Ok(()) => {}
            // The number is a courtesy; the lock holds without it.
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(of(error)),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The segments that lie in the folder, by name.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn segments(&self) -> io::Result<Vec<FoundSegment>> {
        segments(&self.path)
    }

    /// Whether the folder is lost when the host stops: a file system in memory.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn is_in_memory(&self) -> io::Result<bool> {
        const TMPFS: i64 = 0x0102_1994;
        const RAMFS: i64 = 0x8584_58f6;
        let kind = rustix::fs::statfs(&self.path)?.f_type;
        Ok(kind == TMPFS || kind == RAMFS)
    }

    /// Whether others than the owner and root may enter the folder; it holds telemetry.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn is_open_to_others(&self) -> io::Result<bool> {
        let mode = fs::metadata(&self.path)?.permissions().mode();
        Ok(mode & 0o077 != 0)
    }

    /// Bytes that the file system has free for this user.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    /// Replaces a file: writes another beside it, and renames that. Not synced.
    ///
    /// # Errors
    ///
    /// The system's; the file is as it was then.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.path.join(format!("{name}{UNFINISHED}"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let replaced = options
            .open(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        replaced.inspect_err(|_| {
            // The error that is told is the first one.
            fs::remove_file(&unfinished).unwrap_or_default();
        })
    }

    /// Reads a small file whole.
    ///
    /// # Errors
    ///
    /// The system's, and `InvalidData` for a file over 64 MiB.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read_small(&self.path.join(name))
    }

    /// Removes a segment and then its marks. That one of them is not there is no error.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn remove(&self, segment: SegmentName) -> io::Result<()> {
        for name in [segment.file(), segment.marks_file()] {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Makes the names in the folder survive a power cut.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }

    /// The names in the folder that no file of a spool has, in order: nothing is done with those.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn strays(&self) -> io::Result<Vec<String>> {
        let mut strays = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A folder can be the file system's own.
            let is_known = entry.file_type()?.is_dir()
                || name == LOCK
                || name.ends_with(UNFINISHED)
                || SegmentName::is_in(&name);
            if !is_known {
                strays.push(name);
            }
        }
        strays.sort_unstable();
        Ok(strays)
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The segments that lie in a folder, by name, whoever owns it.
///
/// # Errors
///
/// The system's.
pub fn segments(path: &Path) -> io::Result<Vec<FoundSegment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(SegmentName::from_file) else {
            continue;
        };
        let bytes = match entry.metadata() {
            Ok(about) => about.len(),
            // Its owner has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.push(FoundSegment {
            name,
            bytes,
            has_marks: path.join(name.marks_file()).exists(),
        });
    }
    found.sort_unstable_by_key(|segment| segment.name);
    Ok(found)
}

/// Reads a small file of the spool whole, whoever owns it.
///
/// # Errors
///
/// The system's, and `InvalidData` for a file over 64 MiB.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(SMALL_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL_BYTES_MAX {
        let text = format!("over {SMALL_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

/// Spreads what an earlier run left over the shards of this one, which may be more or fewer: each
/// segment to the shard with its number, modulo their count.
///
/// `shards` is at least 1.
#[must_use]
pub fn assign(found: Vec<FoundSegment>, shards: usize) -> Vec<Vec<FoundSegment>> {
    let mut spread = vec![Vec::new(); shards.max(1)];
    for segment in found {
        let number = usize::try_from(segment.name.shard).unwrap_or(0);
        let shard = number % spread.len();
        if let Some(of_shard) = spread.get_mut(shard) {
            of_shard.push(segment);
        }
    }
    spread
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}

fn write_owner(lock: &mut fs::File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// The process that holds the lock, as it wrote itself down.
fn owner(lock: &mut fs::File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Why the spool's folder cannot be used, and the fix.
#[derive(Debug)]
pub enum OpenError {
    /// The folder that it is to be made in is not there.
    NoParent(PathBuf),
    /// Another process owns it.
    Owned {
        /// The folder.
        path: PathBuf,
        /// The process, where it could write itself down.
        owner: Option<u32>,
    },
    /// The system forbids it.
    Forbidden {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is no space to make it.
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something else.
    Other {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl OpenError {
    fn of(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Forbidden { path, error }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { path, error }
            }
            _ => Self::Other { path, error },
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoParent(path) => write!(
                f,
                "{}: its parent folder does not exist; create it, or name a folder in one that \
                 exists",
                path.display()
            ),
            Self::Owned { path, owner } => {
                write!(f, "{}: owned by ", path.display())?;
                match owner {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => f.write_str("another process")?,
                }
                f.write_str("; stop that one, or name another folder: each process needs its own")
            }
            Self::Forbidden { path, error } => write!(
                f,
                "{}: {error}; give this user a folder that it may read and write",
                path.display()
            ),
            Self::NoSpace { path, error } => write!(
                f,
                "{}: {error}; free some space there, or name a folder on another disk",
                path.display()
            ),
            Self::Other { path, error } => write!(
                f,
                "{}: {error}; name a folder on a local disk that this user may read and write",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoParent(_) | Self::Owned { .. } => None,
            Self::Forbidden { error, .. }
            | Self::NoSpace { error, .. }
            | Self::Other { error, .. } => Some(error),
        }
    }
}

#[cfg(test)]
mod tests;
