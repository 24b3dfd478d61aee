//! Executors: one a thread, pinned or not, with a pool for blocking work.

use std::{
    future::Future,
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::mpsc,
};

use glommio::{ExecutorJoinHandle, GlommioError, LocalExecutorBuilder, Placement, PoolPlacement};

/// Bytes of registered buffers that each executor asks for.
///
/// - Cost: three times this is pinned against `RLIMIT_MEMLOCK`; sockets do not use it.
/// - Source: chosen because 10 MiB, the runtime's default, is refused to most users.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// How an executor's thread is to be.
#[derive(Clone, Debug)]
pub struct ThreadOptions {
    /// The thread's name, for `top -H` and logs.
    pub name: String,
    /// The core to pin to; `None` leaves it to the kernel.
    pub core: Option<usize>,
    /// Threads for blocking work. Range: 1 to 64.
    pub blocking_threads: usize,
}

/// A running executor thread.
#[derive(Debug)]
pub struct Thread {
    handle: ExecutorJoinHandle<()>,
}

impl Thread {
    /// Waits for the executor's main future to end.
    ///
    /// # Errors
    ///
    /// The runtime's error when the executor ended without it.
    pub fn join(self) -> io::Result<()> {
        self.handle.join().map_err(into_io)
    }
}

/// Starts a thread with an executor that runs `main` to its end.
///
/// Returns once the executor runs: a host that lets a thread start but not its executor is an
/// error here, not a process that lives without its shards.
///
/// # Errors
///
/// What the kernel or the runtime refused: threads, io_uring, memory locks, the core.
pub fn start<G, F>(options: ThreadOptions, main: G) -> io::Result<Thread>
where
    G: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let placement = options.core.map_or(Placement::Unbound, Placement::Fixed);
    let (running, started) = mpsc::channel::<()>();
    let handle = LocalExecutorBuilder::new(placement)
        .name(&options.name)
        .io_memory(IO_MEMORY_BYTES)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(options.blocking_threads))
        .spawn(move || async move {
            if running.send(()).is_err() {
                return;
            }
            main().await;
        })
        .map_err(into_io)?;
    if started.recv().is_ok() {
        return Ok(Thread { handle });
    }
    match handle.join() {
        Ok(()) => Err(io::Error::other("the executor ended before it ran")),
        Err(error) => Err(into_io(error)),
    }
}

fn into_io(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// Starts a task on this executor and lets it run by itself.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// Lets every task that is ready now run before this one goes on.
pub async fn yield_now() {
    glommio::executor().yield_task_queue_now().await;
}

/// Runs a blocking function on this executor's pool, so that the data path does not wait for it.
pub async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    glommio::executor().spawn_blocking(work).await
}

/// Resolves a host name with the system's resolver, off the data path.
///
/// # Errors
///
/// The resolver's error; a name without addresses is an error too.
pub async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let shown = host.clone();
    let addresses = blocking(move || -> io::Result<Vec<SocketAddr>> {
        Ok((host.as_str(), port).to_socket_addrs()?.collect())
    })
    .await?;
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("the name {shown} has no address"),
        ));
    }
    Ok(addresses)
}
