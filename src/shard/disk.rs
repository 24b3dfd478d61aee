//! Performs what a shard's spool asks of the disk, without keeping the executor waiting.

use std::{
    cell::{Cell, RefCell},
    io,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use crate::{
    rt::{Access, File, FileWriter, Notify, Worker},
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
    /// What is done to names and marks.
    names: Worker,
    /// What is written and synced.
    writes: Rc<Worker>,
    written: RefCell<Vec<(SegmentName, FileWriter)>>,
    read: RefCell<Vec<(SegmentName, Rc<File>)>>,
    under_way: Cell<usize>,
    ended: Notify,
}

impl Disk {
    /// Finds out how the files of the folder can be accessed, and says so in the log.
    ///
    /// - Cost: one or two small files and a sync of each; two threads, so that a write does not wait
    ///   for what is done to names.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub async fn open(directory: Arc<Directory>, shard: usize) -> io::Result<Rc<Self>> {
        let names = Worker::start(&format!("otlp-disk-{shard}"))?;
        let writes = Rc::new(Worker::start(&format!("otlp-write-{shard}"))?);
        let name = format!("access-{shard}.tmp");
        let access = Access::find(directory.path(), &name, &writes).await;
        match &access {
            Access::Direct { unit } => {
                tracing::debug!(shard, unit, "spool: files are accessed directly");
            }
            Access::Buffered(why) => tracing::info!(
                shard,
                %why,
                "spool: files are accessed through the page cache"
            ),
        }
        Ok(Rc::new(Self {
            directory,
            access,
            names,
            writes,
            written: RefCell::default(),
            read: RefCell::default(),
            under_way: Cell::new(0),
            ended: Notify::default(),
        }))
    }

    /// Performs one operation. Several may be under way at once.
    ///
    /// Run it to its end: the answer of one that is dropped is lost, but not what it does.
    ///
    /// - Cost: reads are copied once, writes where they do not lie as the device takes them.
    ///
    /// # Errors
    ///
    /// What the system said, with the file and what was done to it.
    pub async fn perform(self: Rc<Self>, op: Op) -> Result<Done, DiskError> {
        let _under_way = UnderWay::begin(&self);
        match op {
            Op::Create { segment } => {
                let path = self.path(segment);
                let file = FileWriter::create(&path, &self.access, &self.writes).await;
                let file = file.map_err(|error| named("create", &segment.file(), &error))?;
                self.written.borrow_mut().push((segment, file));
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
                let written = file.write_synced(offset, pieces).await;
                nothing(written, &what(), &segment.file())
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
        self.names.run(move || work(&directory)).await?
    }

    /// The file of a segment that was created and not closed.
    fn written(
        &self,
        segment: SegmentName,
        what: &dyn Fn() -> String,
    ) -> Result<FileWriter, DiskError> {
        find(&self.written, segment).ok_or_else(|| {
            let error = io::Error::new(io::ErrorKind::NotFound, "not open for writing");
            named(&what(), &segment.file(), &error)
        })
    }

    /// The file of a segment, opened where it is not. Of those that are open the oldest goes where
    /// they are many.
    async fn readable(&self, segment: SegmentName) -> io::Result<Rc<File>> {
        if let Some(file) = find(&self.read, segment) {
            return Ok(file);
        }
        let file = Rc::new(File::open(&self.path(segment), &self.access).await?);
        let mut read = self.read.borrow_mut();
        read.push((segment, Rc::clone(&file)));
        if read.len() > READING_MAX {
            // Closed by the runtime when the last read of it ends.
            drop(read.remove(0));
        }
        Ok(file)
    }

    async fn close(&self, segment: SegmentName) -> io::Result<()> {
        self.written
            .borrow_mut()
            .retain(|(open, _)| *open != segment);
        let file = find(&self.read, segment);
        self.read.borrow_mut().retain(|(open, _)| *open != segment);
        match file.and_then(Rc::into_inner) {
            Some(file) => file.close().await,
            None => Ok(()),
        }
    }
}

fn find<T: Clone>(open: &RefCell<Vec<(SegmentName, T)>>, segment: SegmentName) -> Option<T> {
    let open = open.borrow();
    let found = open.iter().find(|(name, _)| *name == segment);
    found.map(|(_, file)| file.clone())
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
