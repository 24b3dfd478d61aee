//! Files of the executor: positioned reads and writes in blocks, past the page cache where possible.
//!
//! What the runtime's direct files need of their caller, and where it is seen to here:
//!
//! - their first open on a thread asks by a read whether the device can be polled, and takes the end
//!   of an empty file for a yes: [`Access::find`] gives it a file with bytes in it;
//! - they panic where the device's folder in `/sys` is not as they expect: [`device`] looks first;
//! - they panic where their path has gone before they are open: they are opened through
//!   `/proc/self/fd`, by a descriptor that is held meanwhile; what the runtime does by path (length,
//!   rename, removal) is not used for that reason;
//! - a write may be short: [`File::write_at`] goes on from the last whole block;
//! - a read that is not aligned and reaches the file's end gives bytes that nobody read: reads are
//!   aligned here.

use std::{
    fmt, fs,
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use glommio::{
    GlommioError,
    io::{BufferedFile, DmaFile, OpenOptions, ReadResult},
};
use rustix::io::Errno;

mod device;

/// What every write and every direct read is a multiple of, in bytes.
///
/// - Source: the largest block that Linux file systems and common devices ask of direct I/O.
pub const BLOCK_BYTES: usize = 4096;

/// Bytes that one write or read hands to the kernel at once; more is done in steps.
///
/// - Cost: one buffer of this size, on the heap, for each operation under way.
/// - Source: chosen: four batches; devices cut larger ones anyway.
const STEP_BYTES: usize = 1 << 20;

/// How the files of a folder are read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Past the page cache (`O_DIRECT`): a write is the device's when it ends, and reading a backlog
    /// does not push other processes' pages out.
    Direct,
    /// Through the page cache, and why.
    Buffered(String),
}

impl Access {
    /// Finds out how files of `folder` can be accessed: writes, syncs and reads a file of two blocks
    /// directly, and removes it. What fails on the way is a reason for the page cache, not an error.
    ///
    /// - Cost: one file of 8 KiB, named `name`, and one sync.
    /// - Shard: every thread asks for itself, because the runtime learns here what the device can do.
    pub async fn find(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        match probe(path).await {
            Ok(()) => Self::Direct,
            Err(error) => Self::Buffered(error.to_string()),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Buffered(why) => write!(f, "buffered ({why})"),
        }
    }
}

async fn probe(path: PathBuf) -> io::Result<()> {
    super::blocking({
        let path = path.clone();
        move || make_probe(&path)
    })
    .await?;
    let tried = try_direct(&path).await;
    super::blocking(move || fs::remove_file(path)).await?;
    tried
}

/// Creates the file that is tried, with one block in it; leaves none where that fails.
fn make_probe(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    let made = file.write_all(&[0x5A; BLOCK_BYTES]).and_then(|()| {
        let about = file.metadata()?;
        device::known(&about).map_err(io::Error::other)
    });
    made.inspect_err(|_| {
        // The error that is told is the first one.
        fs::remove_file(path).unwrap_or_default();
    })
}

/// Does with the probe's file what is done with every file.
async fn try_direct(path: &Path) -> io::Result<()> {
    let block = Bytes::from_static(&[0xA5; BLOCK_BYTES]);
    let file = File::reopen(path, &Access::Direct, true).await?;
    let tried = async {
        file.write_at(BLOCK_BYTES as u64, std::slice::from_ref(&block))
            .await?;
        file.sync().await?;
        file.read_at(0, 2 * BLOCK_BYTES).await
    };
    let read = tried.await;
    file.close().await?;
    let read = read?;
    let same = read.len() == 2 * BLOCK_BYTES && read.slice(BLOCK_BYTES..) == block;
    same.then_some(())
        .ok_or_else(|| io::Error::other("a direct read gave other bytes than were written"))
}

/// An open file.
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
    /// Creates a file for reading and writing that only this user may open.
    ///
    /// # Errors
    ///
    /// The kernel's: the name is taken, the folder is gone or not writable, no space, no descriptor.
    pub async fn create(path: &Path, access: &Access) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.buffered_open(path).await.map_err(cause)?;
        Self::with_access(file, access, true).await
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// The kernel's: it is not there, it may not be read, no descriptor.
    pub async fn open(path: &Path, access: &Access) -> io::Result<Self> {
        Self::reopen(path, access, false).await
    }

    async fn reopen(path: &Path, access: &Access, writes: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(writes);
        let file = options.buffered_open(path).await.map_err(cause)?;
        Self::with_access(file, access, writes).await
    }

    async fn with_access(file: BufferedFile, access: &Access, writes: bool) -> io::Result<Self> {
        if matches!(access, Access::Buffered(_)) {
            let inner = Inner::Buffered(file);
            return Ok(Self { inner });
        }
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let mut options = OpenOptions::new();
        let direct = options.read(true).write(writes).dma_open(&path).await;
        let closed = file.close().await;
        let inner = Inner::Direct(direct.map_err(cause)?);
        closed.map_err(cause)?;
        Ok(Self { inner })
    }

    /// Writes all pieces, one after the other, from `offset` on.
    ///
    /// Offset and the pieces' total are multiples of [`BLOCK_BYTES`].
    ///
    /// - Cost: one copy of the bytes, in steps of 1 MiB, and one request to the kernel a step.
    ///
    /// # Errors
    ///
    /// The kernel's, and `InvalidInput` where something is not a multiple of the block. A part may
    /// have been written then. `ENOSPC` where the kernel takes nothing more.
    pub async fn write_at(&self, offset: u64, pieces: &[Bytes]) -> io::Result<()> {
        let total: usize = pieces.iter().map(Bytes::len).sum();
        if !total.is_multiple_of(BLOCK_BYTES) || !offset.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{total} bytes at {offset} are no whole blocks of {BLOCK_BYTES}"),
            ));
        }
        let mut done = 0;
        while done < total {
            let step = (total - done).min(STEP_BYTES);
            let at = offset + done as u64;
            let written = self.write_once(at, pieces, done, step).await?;
            // The kernel may stop within a block: that one is written again.
            let whole = written.min(step) / BLOCK_BYTES * BLOCK_BYTES;
            if whole == 0 {
                return Err(Errno::NOSPC.into());
            }
            done += whole;
        }
        Ok(())
    }

    /// Writes `len` bytes of the pieces from their byte `skip` on; says how many were taken.
    async fn write_once(
        &self,
        at: u64,
        pieces: &[Bytes],
        skip: usize,
        len: usize,
    ) -> io::Result<usize> {
        match &self.inner {
            Inner::Direct(file) => {
                let mut buffer = file.alloc_dma_buffer(len);
                let mut rest = buffer.as_bytes_mut();
                for part in parts(pieces, skip, len) {
                    let (head, tail) = rest.split_at_mut(part.len());
                    head.copy_from_slice(part);
                    rest = tail;
                }
                file.write_at(buffer, at).await.map_err(cause)
            }
            Inner::Buffered(file) => {
                let mut buffer = Vec::with_capacity(len);
                for part in parts(pieces, skip, len) {
                    buffer.extend_from_slice(part);
                }
                file.write_at(buffer, at).await.map_err(cause)
            }
        }
    }

    /// Waits until everything that was written is on the device (`fdatasync`).
    ///
    /// # Errors
    ///
    /// The kernel's. What was written since the last sync may then be lost, and a second sync that
    /// succeeds does not prove otherwise.
    pub async fn sync(&self) -> io::Result<()> {
        match &self.inner {
            Inner::Direct(file) => file.fdatasync().await.map_err(cause),
            Inner::Buffered(file) => file.fdatasync().await.map_err(cause),
        }
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

    /// Closes the file. What was not synced may be lost.
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

/// The slices that hold `len` bytes of the pieces from their byte `skip` on.
fn parts(pieces: &[Bytes], mut skip: usize, mut len: usize) -> impl Iterator<Item = &[u8]> {
    pieces.iter().filter_map(move |piece| {
        let from = skip.min(piece.len());
        skip -= from;
        let rest = piece.get(from..).unwrap_or_default();
        let part = rest.get(..len.min(rest.len())).unwrap_or_default();
        len -= part.len();
        (!part.is_empty()).then_some(part)
    })
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
