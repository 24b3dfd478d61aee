//! A thread of its own for work that blocks, so that it waits for nothing but its like.

use std::{
    future::poll_fn,
    io,
    sync::{
        Arc,
        mpsc::{self, Sender, TryRecvError},
    },
    task::Poll,
    thread,
};

use futures_util::task::AtomicWaker;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does what it is given, one after the other, and ends when it is dropped.
///
/// The executor's pool is shared with name resolution, which hangs just when the network is gone.
///
/// - Cost: a thread; two wake-ups a job.
#[derive(Debug)]
pub struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(name: &str) -> io::Result<Self> {
        let (jobs, to_do) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || to_do.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }

    /// Has a job done and waits for its result. A job that was begun is finished, whoever waits.
    ///
    /// # Errors
    ///
    /// The job panicked, this one or one before.
    pub async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> io::Result<R> {
        let waker = Arc::new(AtomicWaker::new());
        let (give, take) = mpsc::channel();
        let reply = Reply {
            give,
            _wakes: Wakes(Arc::clone(&waker)),
        };
        let job = Box::new(move || {
            let reply = reply;
            // Nobody may wait for it any more.
            drop(reply.give.send(job()));
        });
        let gone = || io::Error::other("the thread for blocking work has ended");
        self.jobs.send(job).map_err(|_| gone())?;
        poll_fn(|cx| {
            waker.register(cx.waker());
            match take.try_recv() {
                Ok(result) => Poll::Ready(Ok(result)),
                Err(TryRecvError::Disconnected) => Poll::Ready(Err(gone())),
                Err(TryRecvError::Empty) => Poll::Pending,
            }
        })
        .await
    }
}

/// The way of a result to whoever waits.
///
/// The fields are dropped in this order: who is woken sees that nothing comes any more.
struct Reply<R> {
    give: Sender<R>,
    _wakes: Wakes,
}

/// Wakes whoever waits, however a job ends.
struct Wakes(Arc<AtomicWaker>);

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::{ThreadOptions, start};

    #[test]
    fn jobs_are_done_in_order_and_one_that_panics_is_told() {
        let (give, take) = mpsc::channel();
        let options = ThreadOptions {
            name: "asks".to_owned(),
            core: None,
            blocking_threads: 1,
        };
        let thread = start(options, move || async move {
            let worker = Worker::start("works").unwrap();
            let name = || thread::current().name().map(str::to_owned);
            give.send(worker.run(name).await.unwrap()).unwrap();
            let three = futures_util::future::join_all([1, 2, 3].map(|n| worker.run(move || n)));
            let results: Vec<_> = three.await.into_iter().map(Result::unwrap).collect();
            assert_eq!(results, [1, 2, 3]);
            // One that runs, and one behind it that never does.
            let broken = worker.run(|| panic!("as the test wants it"));
            let (broken, behind) = futures_util::future::join(broken, worker.run(|| ())).await;
            assert!(broken.is_err() && behind.is_err());
            assert!(worker.run(|| ()).await.is_err());
        });
        thread.unwrap().join().unwrap();
        assert_eq!(take.recv().unwrap().as_deref(), Some("works"));
    }
}
