//! Performs what a shard's spool asks of the disk, without keeping the executor waiting.

use std::{
    cell::{Cell, RefCell},
    io,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use crate::{
    rt::{Access, File, Notify, Worker},
    spool::{Directory, DiskError, Done, Op, SegmentName},
};

/// Segments that are kept open for reading at the most.
///
/// - Source: chosen: a replay reads one or two at a time.
const READING_MAX: usize = 4;

/// The disk as the spool of one shard sees it.
///
/// - Shard: one per shard; the folder is shared, the files are not.
#[derive(Debug)]
pub struct Disk {
    directory: Arc<Directory>,
    access: Access,
    worker: Worker,
    open: RefCell<Vec<Open>>,
    under_way: Cell<usize>,
    ended: Notify,
}

/// A segment whose file is open.
#[derive(Clone, Debug)]
struct Open {
    segment: SegmentName,
    file: Rc<File>,
    is_written: bool,
}

impl Disk {
    /// Finds out how the files of the folder can be accessed, and says so in the log.
    ///
    /// - Cost: one file of 8 KiB and one sync; a thread for what the runtime cannot do without one.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub async fn open(directory: Arc<Directory>, shard: usize) -> io::Result<Rc<Self>> {
        let worker = Worker::start(&format!("otlp-disk-{shard}"))?;
        let name = format!("access-{shard}.tmp");
        let access = Access::find(directory.path(), &name).await;
        match &access {
            Access::Direct => tracing::debug!(shard, "spool: files are accessed directly"),
            Access::Buffered(why) => tracing::info!(
                shard,
                %why,
                "spool: files are accessed through the page cache"
            ),
        }
        Ok(Rc::new(Self {
            directory,
            access,
            worker,
            open: RefCell::default(),
            under_way: Cell::new(0),
            ended: Notify::default(),
        }))
    }

    /// Performs one operation. Several may be under way at once.
    ///
    /// Run it to its end: the answer of one that is dropped is lost, but not what it does.
    ///
    /// - Cost: writes are copied once, in steps of 1 MiB; reads once.
    ///
    /// # Errors
    ///
    /// What the system said, with the file and what was done to it.
    pub async fn perform(self: Rc<Self>, op: Op) -> Result<Done, DiskError> {
        let _under_way = UnderWay::begin(&self);
        match op {
            Op::Create { segment } => {
                let file = File::create(&self.path(segment), &self.access).await;
                let file = file.map_err(|error| named("create", &segment.file(), &error))?;
                self.keep(segment, Rc::new(file), true);
                Ok(Done::Nothing)
            }
            Op::Write {
                segment,
                offset,
                pieces,
                ..
            } => {
                let what = || format!("write at {offset} of");
                let file = self.written(segment, &what)?;
                let written = file.write_at(offset, &pieces).await;
                nothing(written, &what(), &segment.file())
            }
            Op::Sync { segment } => {
                let file = self.written(segment, &|| "sync".to_owned())?;
                nothing(file.sync().await, "sync", &segment.file())
            }
            Op::Read {
                segment,
                offset,
                bytes,
            } => {
                let named = |error: io::Error| {
                    named(&format!("read at {offset} of"), &segment.file(), &error)
                };
                let file = self.readable(segment).await.map_err(named)?;
                let read = file.read_at(offset, bytes).await.map_err(named)?;
                Ok(Done::Bytes(read))
            }
            Op::SyncDirectory => {
                let synced = self.blocking(Directory::sync).await;
                nothing(synced, "sync", "the folder")
            }
            Op::WriteMarks { segment, bytes } => {
                let name = segment.marks_file();
                let replaced = self
                    .blocking(move |directory| directory.replace(&segment.marks_file(), &bytes));
                nothing(replaced.await, "write", &name)
            }
            Op::ReadMarks { segment } => {
                let read = self.blocking(move |directory| directory.read(&segment.marks_file()));
                let read = read.await;
                let bytes = read.map_err(|error| named("read", &segment.marks_file(), &error))?;
                Ok(Done::Bytes(bytes.into()))
            }
            Op::Close { segment } => nothing(self.close(segment).await, "close", &segment.file()),
            Op::Remove { segment } => {
                // What a failed close loses is removed anyway.
                drop(self.close(segment).await);
                let removed = self.blocking(move |directory| directory.remove(segment));
                nothing(removed.await, "remove", &segment.file())
            }
        }
    }

    /// Waits until no operation is under way: the runtime must not end before.
    pub async fn idle(&self) {
        while self.under_way.get() > 0 {
            self.ended.notified().await;
        }
    }

    fn path(&self, segment: SegmentName) -> PathBuf {
        self.directory.path().join(segment.file())
    }

    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let directory = Arc::clone(&self.directory);
        self.worker.run(move || work(&directory)).await?
    }

    fn find(&self, segment: SegmentName) -> Option<Open> {
        let open = self.open.borrow();
        open.iter().find(|open| open.segment == segment).cloned()
    }

    /// The file of a segment that was created and not closed.
    fn written(
        &self,
        segment: SegmentName,
        what: &dyn Fn() -> String,
    ) -> Result<Rc<File>, DiskError> {
        let found = self.find(segment).filter(|open| open.is_written);
        found.map(|open| open.file).ok_or_else(|| {
            let error = io::Error::new(io::ErrorKind::NotFound, "not open for writing");
            named(&what(), &segment.file(), &error)
        })
    }

    /// The file of a segment, opened where it is not.
    async fn readable(&self, segment: SegmentName) -> io::Result<Rc<File>> {
        if let Some(open) = self.find(segment) {
            return Ok(open.file);
        }
        let file = Rc::new(File::open(&self.path(segment), &self.access).await?);
        self.keep(segment, Rc::clone(&file), false);
        Ok(file)
    }

    /// Keeps a file open; of those that are only read the oldest goes where they are many.
    fn keep(&self, segment: SegmentName, file: Rc<File>, is_written: bool) {
        let mut open = self.open.borrow_mut();
        open.push(Open {
            segment,
            file,
            is_written,
        });
        if open.iter().filter(|open| !open.is_written).count() > READING_MAX
            && let Some(oldest) = open.iter().position(|open| !open.is_written)
        {
            // Closed by the runtime when the last read of it ends.
            drop(open.remove(oldest));
        }
    }

    async fn close(&self, segment: SegmentName) -> io::Result<()> {
        let (closed, open) = self
            .open
            .take()
            .into_iter()
            .partition::<Vec<_>, _>(|open| open.segment == segment);
        self.open.replace(open);
        for open in closed {
            if let Ok(file) = Rc::try_unwrap(open.file) {
                file.close().await?;
            }
        }
        Ok(())
    }
}

/// Counts an operation for as long as it lasts.
struct UnderWay<'a>(&'a Disk);

impl<'a> UnderWay<'a> {
    fn begin(disk: &'a Disk) -> Self {
        disk.under_way.set(disk.under_way.get() + 1);
        Self(disk)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        self.0.ended.notify();
    }
}

fn nothing(result: io::Result<()>, what: &str, name: &str) -> Result<Done, DiskError> {
    match result {
        Ok(()) => Ok(Done::Nothing),
        Err(error) => Err(named(what, name, &error)),
    }
}

fn named(what: &str, name: &str, error: &io::Error) -> DiskError {
    DiskError {
        kind: error.kind(),
        text: format!("cannot {what} {name}: {error}"),
    }
}

#[cfg(test)]
mod tests;
