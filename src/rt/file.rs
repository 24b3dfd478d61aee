//! Files in blocks, past the page cache where possible: read by the runtime, written on a thread.
//!
//! What the runtime's direct files need of their caller, and where it is seen to here:
//!
//! - their first open on a thread asks by a read whether the device can be polled, and takes the end
//!   of an empty file for a yes: [`Access::find`] gives it a file with bytes in it;
//! - they panic where the device's folder in `/sys` is not as they expect: [`device`] looks first;
//! - they panic where their path has gone before they are open: they are opened through
//!   `/proc/self/fd`, by a descriptor that is held meanwhile; what the runtime does by path (length,
//!   rename, removal) is not used for that reason;
//! - a read that is not aligned and reaches the file's end gives bytes that nobody read: reads are
//!   aligned here.

use std::{
    fmt, fs, io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    rc::Rc,
};

use bytes::Bytes;
use glommio::{
    GlommioError,
    io::{BufferedFile, DmaFile, OpenOptions, ReadResult},
};
use rustix::io::Errno;

use aligned::SECTOR_BYTES;
pub use aligned::aligned;
pub use writer::FileWriter;

use super::Worker;

mod aligned;
mod device;
mod gather;
mod writer;

/// What every write and every direct read is a multiple of, in bytes.
///
/// - Source: the largest block that Linux file systems and common devices ask of direct I/O.
pub const BLOCK_BYTES: usize = 4096;

/// Bytes that one read hands to the kernel at once; more is done in steps.
///
/// - Cost: one buffer of this size, on the heap, for each read under way.
/// - Source: chosen: four batches; devices cut larger ones anyway.
const STEP_BYTES: usize = 1 << 20;

/// How the files of a folder are read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Past the page cache (`O_DIRECT`): a write is the device's when it ends, and reading a backlog
    /// does not push other processes' pages out.
    Direct {
        /// What the parts of a write begin at and are multiples of, in memory and in the file.
        unit: usize,
    },
    /// Through the page cache, and why.
    Buffered(String),
}

impl Access {
    /// Finds out how files of `folder` can be accessed: writes, syncs and reads a file of a few
    /// blocks directly, and removes it. What fails on the way is a reason for the page cache, not an
    /// error.
    ///
    /// - Cost: one or two files of 16 KiB, named `name`, and a sync of each.
    /// - Shard: every thread asks for itself, because the runtime learns here what the device can do.
    pub async fn find(folder: &Path, name: &str, worker: &Rc<Worker>) -> Self {
        let path = folder.join(name);
        let mut found = try_direct(&path, SECTOR_BYTES, worker).await;
        if is_refused(&found) {
            // A device with larger sectors, or a file system that asks for whole blocks.
            found = try_direct(&path, BLOCK_BYTES, worker).await;
        }
        match found {
            Ok(access) => access,
            Err(error) => Self::Buffered(error.to_string()),
        }
    }
}

fn is_refused<T>(result: &io::Result<T>) -> bool {
    let error = result.as_ref().err();
    error.is_some_and(|it| it.raw_os_error() == Some(Errno::INVAL.raw_os_error()))
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { unit } => write!(f, "direct (in units of {unit})"),
            Self::Buffered(why) => write!(f, "buffered ({why})"),
        }
    }
}

/// Does with a file what is done with every file, in parts of `unit`; leaves none.
async fn try_direct(path: &Path, unit: usize, worker: &Rc<Worker>) -> io::Result<Access> {
    let access = Access::Direct { unit };
    let tried = try_file(path, &access, unit, worker).await;
    let path = path.to_owned();
    let removed = worker.run(move || fs::remove_file(path)).await?;
    // The error that is told is the first one.
    tried?;
    removed?;
    Ok(access)
}

async fn try_file(
    path: &Path,
    access: &Access,
    unit: usize,
    worker: &Rc<Worker>,
) -> io::Result<()> {
    let pieces = probe_pieces(unit);
    let written = pieces.concat();
    let file = FileWriter::create(path, access, worker).await?;
    let probe = path.to_owned();
    let about = move || device::known(&fs::metadata(probe)?).map_err(io::Error::other);
    worker.run(about).await??;
    file.write_synced(0, pieces).await?;
    let file = File::open(path, access).await?;
    let read = file.read_at(0, written.len()).await;
    file.close().await?;
    if read? != written {
        let what = "a direct read gave other bytes than were written";
        return Err(io::Error::other(what));
    }
    Ok(())
}

/// Four blocks, in parts of `unit`: one is copied, one is written from where it lies.
fn probe_pieces(unit: usize) -> Vec<Bytes> {
    let mut long = aligned(3 * BLOCK_BYTES);
    long.resize(3 * BLOCK_BYTES, 0xA5);
    let short = |bytes: usize| Bytes::from(vec![0x5A; bytes]);
    vec![short(unit), long.freeze(), short(BLOCK_BYTES - unit)]
}

/// A file that is open for reading.
///
/// Close it with [`File::close`]; one that is dropped is closed a little later.
#[derive(Debug)]
pub struct File {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Direct(DmaFile),
    Buffered(BufferedFile),
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// The kernel's: it is not there, it may not be read, no descriptor.
    pub async fn open(path: &Path, access: &Access) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        let file = options.buffered_open(path).await.map_err(cause)?;
        if matches!(access, Access::Buffered(_)) {
            let inner = Inner::Buffered(file);
            return Ok(Self { inner });
        }
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let direct = options.dma_open(&path).await;
        let closed = file.close().await;
        let inner = Inner::Direct(direct.map_err(cause)?);
        closed.map_err(cause)?;
        Ok(Self { inner })
    }

    /// Reads `len` bytes from `offset` on; fewer where the file ends before.
    ///
    /// - Cost: one copy of the bytes; a direct read also reads the rest of the first and the last
    ///   block.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut read = Vec::with_capacity(len);
        while read.len() < len {
            let at = offset + read.len() as u64;
            let wanted = (len - read.len()).min(STEP_BYTES);
            let before = read.len();
            match &self.inner {
                Inner::Direct(file) => {
                    let skip = usize::try_from(at % BLOCK_BYTES as u64).unwrap_or(0);
                    let blocks = (skip + wanted).next_multiple_of(BLOCK_BYTES);
                    let start = at - skip as u64;
                    let result = file.read_at_aligned(start, blocks).await;
                    take(&result.map_err(cause)?, skip, wanted, &mut read);
                }
                Inner::Buffered(file) => {
                    let result = file.read_at(at, wanted).await;
                    take(&result.map_err(cause)?, 0, wanted, &mut read);
                }
            }
            if read.len() == before {
                break;
            }
        }
        Ok(read.into())
    }

    /// Closes the file.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub async fn close(self) -> io::Result<()> {
        match self.inner {
            Inner::Direct(file) => file.close().await.map_err(cause),
            Inner::Buffered(file) => file.close().await.map_err(cause),
        }
    }
}

/// Takes of what was read the bytes that were asked for.
fn take(result: &ReadResult, skip: usize, wanted: usize, into: &mut Vec<u8>) {
    let there = result.get(skip..).unwrap_or_default();
    into.extend_from_slice(there.get(..wanted).unwrap_or(there));
}

/// The kernel's error, with its number: the runtime wraps it in a text of its own.
fn cause(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(source) | GlommioError::EnhancedIoError { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
