//! A connection's bytes for a protocol that keeps its own queues: whole reads, vectored writes.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use super::{Buffers, task::Task};
use crate::rt::{self, TcpStream};

/// A socket with the times of its progress, and the task that drives it.
///
/// - Cost: a read buffer only while bytes are in it.
#[derive(Debug)]
pub struct Link {
    /// `None` once it is closed.
    stream: RefCell<Option<TcpStream>>,
    buffers: Rc<Buffers>,
    read_at: Cell<Instant>,
    /// Since when the socket takes no bytes that wait.
    stuck_since: Cell<Option<Instant>>,
    task: Task,
}

impl Link {
    /// Wraps a stream.
    #[must_use]
    pub fn new(stream: TcpStream, buffers: Rc<Buffers>) -> Self {
        Self {
            stream: RefCell::new(Some(stream)),
            buffers,
            read_at: Cell::new(rt::now()),
            stuck_since: Cell::new(None),
            task: Task::default(),
        }
    }

    /// Reads once, all that has come up to a buffer's size, and hands it over; 0 is the end.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut slot = self.stream.borrow_mut();
        let stream = slot.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut buffer = self.buffers.take_read();
        let polled = stream.poll_read(cx, &mut buffer);
        if let Poll::Ready(Ok(read)) = &polled {
            self.read_at.set(rt::now());
            take(buffer.get(..*read).unwrap_or_default());
        }
        self.buffers.give_read(buffer);
        polled
    }

    /// Writes what the socket takes of these slices.
    ///
    /// # Errors
    ///
    /// The socket's; one that takes nothing is an error too.
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slot = self.stream.borrow_mut();
        let stream = slot.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let polled = stream.poll_write_vectored(cx, slices);
        if polled.is_pending() {
            if self.stuck_since.get().is_none() {
                self.stuck_since.set(Some(rt::now()));
            }
            return Poll::Pending;
        }
        self.stuck_since.set(None);
        match ready!(polled)? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    /// When bytes last came from the peer.
    #[must_use]
    pub const fn read_at(&self) -> Instant {
        self.read_at.get()
    }

    /// Since when the peer takes no bytes; `None` when none wait.
    #[must_use]
    pub const fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since.get()
    }

    /// Closes the socket, whoever still holds the link.
    pub fn close(&self) {
        self.stream.take();
    }

    /// Registers the task that drives the connection.
    pub fn register(&self, cx: &Context<'_>) {
        self.task.register(cx);
    }

    /// Polls the connection again.
    pub fn wake(&self) {
        self.task.wake();
    }

    /// Gives the connection up: its task ends without another byte.
    pub fn abandon(&self) {
        self.task.abandon();
    }

    /// Whether the connection was given up.
    #[must_use]
    pub const fn is_abandoned(&self) -> bool {
        self.task.is_abandoned()
    }
}
