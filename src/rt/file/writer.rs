//! Files that are written, on a thread of their own.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    fs::OFlags,
    io::{Errno, pwritev, retry_on_intr},
};

use super::{Access, BLOCK_BYTES, gather::Gathered};
use crate::rt::Worker;

/// An open file that is written to.
///
/// The runtime has no write of many pieces. This one needs no copy of those that lie right; the
/// kernel would do a write that makes a file longer on another thread anyway.
#[derive(Clone, Debug)]
pub struct FileWriter {
    file: Arc<File>,
    unit: usize,
    worker: Rc<Worker>,
}

impl FileWriter {
    /// Creates a file that only this user may open. All that is done to it is done by `worker`.
    ///
    /// # Errors
    ///
    /// The kernel's: the name is taken, the folder is gone or not writable, no space, no descriptor.
    pub async fn create(path: &Path, access: &Access, worker: &Rc<Worker>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let unit = match access {
            Access::Direct { unit } => {
                options.custom_flags(OFlags::DIRECT.bits().cast_signed());
                *unit
            }
            Access::Buffered(_) => 1,
        };
        let path = path.to_owned();
        let file = worker.run(move || options.open(path)).await??;
        Ok(Self {
            file: Arc::new(file),
            unit,
            worker: Rc::clone(worker),
        })
    }

    /// Writes all pieces, one after the other, from `offset` on, and waits until they are on the
    /// device (`fdatasync`): both at once, because each wait is two wake-ups.
    ///
    /// Offset and the pieces' total are multiples of [`BLOCK_BYTES`].
    ///
    /// - Cost: a copy of what is short and of what does not begin at a sector, in memory and in the
    ///   file; one request to the kernel for each 1,024 pieces.
    ///
    /// # Errors
    ///
    /// The kernel's, and `InvalidInput` where something is not a multiple of the block. A part may
    /// have been written then, and a later sync that succeeds does not prove that it was. `ENOSPC`
    /// where the kernel takes nothing more. `NotFound` where the file has no name any more: what is
    /// on the device is not found there.
    pub async fn write_synced(&self, offset: u64, pieces: Vec<Bytes>) -> io::Result<()> {
        let total: usize = pieces.iter().map(Bytes::len).sum();
        if !total.is_multiple_of(BLOCK_BYTES) || !offset.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{total} bytes at {offset} are no whole blocks of {BLOCK_BYTES}"),
            ));
        }
        let (file, unit) = (Arc::clone(&self.file), self.unit);
        let write = move || {
            write(&file, offset, &Gathered::of(&pieces, unit), total)?;
            sync(&file)
        };
        self.worker.run(write).await?
    }
}

fn sync(file: &File) -> io::Result<()> {
    file.sync_data()?;
    if file.metadata()?.nlink() == 0 {
        let text = "somebody has removed the file";
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(())
}

fn write(file: &File, offset: u64, gathered: &Gathered, total: usize) -> io::Result<()> {
    let mut done = 0;
    while done < total {
        let slices = gathered.rest(done);
        let at = offset + done as u64;
        let written = retry_on_intr(|| pwritev(file, &slices, at))?;
        // The kernel may stop within a block: that one is written again.
        let whole = written / BLOCK_BYTES * BLOCK_BYTES;
        if whole == 0 {
            return Err(Errno::NOSPC.into());
        }
        done += whole;
    }
    Ok(())
}
