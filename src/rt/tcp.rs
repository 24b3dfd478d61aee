//! TCP sockets on the executor. The only room with unsafe code, and why it is sound.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, BytesMut};
use futures_util::{AsyncRead, AsyncWrite};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, sendmsg},
};
use socket2::{MaybeUninitSlice, SockRef};

use super::aligned;

/// A listening socket of one shard.
#[derive(Debug)]
pub struct TcpListener {
    inner: glommio::net::TcpListener,
}

impl TcpListener {
    /// Takes over a socket that is bound and listening.
    ///
    /// The runtime's own `bind` sets neither `SO_REUSEADDR` nor the backlog: after a restart it
    /// could not bind again until the kernel has forgotten the old connections.
    #[must_use]
    pub fn from_std(listener: std::net::TcpListener) -> Self {
        let fd = listener.into_raw_fd();
        // SAFETY: `into_raw_fd` gave up ownership of an open listening socket, and nothing else
        // holds it, so the runtime's listener is its only owner and closes it once.
        #[expect(unsafe_code, reason = "the runtime has no safe way to adopt a socket")]
        let inner = unsafe { glommio::net::TcpListener::from_raw_fd(fd) };
        Self { inner }
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// The kernel's: a connection that was gone again, or no file descriptor left.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        let inner = self.inner.accept().await?;
        Ok(TcpStream { inner })
    }
}

/// Where a read goes: behind what is in `memory`, within its capacity. Memory that has none is
/// taken, [`aligned`], once there is something to be read.
#[derive(Debug)]
pub struct Room<'m> {
    /// The memory.
    pub memory: &'m mut BytesMut,
    /// How much of its capacity may be filled, at the most.
    pub bytes: usize,
}

impl Room<'_> {
    fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        if self.memory.capacity() == 0 && self.bytes > 0 {
            *self.memory = aligned(self.bytes);
        }
        let spare = self.memory.spare_capacity_mut();
        let len = spare.len().min(self.bytes);
        &mut spare[..len]
    }

    /// A read has filled so much of [`Room::spare`].
    #[expect(
        unsafe_code,
        reason = "to zero the memory first costs what a copy does"
    )]
    fn filled(&mut self, bytes: usize) {
        let bytes = bytes.min(self.spare().len());
        // SAFETY: the only caller has just handed `spare` to the kernel, which said that it wrote
        // to its first `bytes` bytes; more than `spare` has is cut off above.
        unsafe {
            self.memory.advance_mut(bytes);
        }
    }
}

/// A connection of one shard.
#[derive(Debug)]
pub struct TcpStream {
    inner: glommio::net::TcpStream,
}

impl TcpStream {
    /// Connects to one address.
    ///
    /// # Errors
    ///
    /// The kernel's: refused, unreachable, no file descriptor left.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let inner = glommio::net::TcpStream::connect(address).await?;
        Ok(Self { inner })
    }

    /// Switches off Nagle's algorithm: writes are gathered before they get here.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_nodelay(&self) -> io::Result<()> {
        self.inner.set_nodelay(true).map_err(Into::into)
    }

    /// Reads what is there; 0 is the end.
    ///
    /// - Cost: one `recv`; the ring is asked only when nothing is there.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }

    /// Reads what is there to two places: what does not fit to the first goes to the second. Says
    /// how much that was; 0 is the end.
    ///
    /// - Cost: one `recvmsg`; the ring is asked only when nothing is there.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn poll_read_apart(
        &mut self,
        cx: &mut Context<'_>,
        mut first: Room<'_>,
        mut second: Room<'_>,
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_read_by(cx, |socket| {
            let (first_spare, second_spare) = (first.spare(), second.spare());
            let first_bytes = first_spare.len();
            let bytes = first_bytes + second_spare.len();
            debug_assert!(bytes > 0, "a read of nothing would look like the end");
            let mut pieces = [first_spare, second_spare].map(MaybeUninitSlice::new);
            let socket = SockRef::from(&socket);
            let flags = RecvFlags::DONTWAIT.bits().cast_signed();
            let (read, _) = socket.recv_vectored_with_flags(&mut pieces, flags)?;
            first.filled(read.min(first_bytes));
            second.filled(read.saturating_sub(first_bytes));
            Ok((read, read < bytes))
        })
    }

    /// Writes what the kernel takes.
    ///
    /// - Cost: one `send`; the ring is asked only when the socket is full.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    /// Writes what the kernel takes of several slices, in order. The first is not empty.
    ///
    /// - Cost: one `sendmsg`; where the socket is full one `send` and a request to the ring.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // SAFETY: the descriptor is open for as long as `inner` lives, which owns it and which
        // this method borrows; the borrowed descriptor does not leave this method.
        #[expect(unsafe_code, reason = "the runtime's stream does not implement AsFd")]
        let socket = unsafe { BorrowedFd::borrow_raw(self.inner.as_raw_fd()) };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags) {
                Ok(sent) => return Poll::Ready(Ok(sent)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        // The runtime's own write waits for room, or finds it.
        let first = slices.iter().find(|slice| !slice.is_empty());
        let first = first.map_or(&[][..], |slice| &**slice);
        Pin::new(&mut self.inner).poll_write(cx, first)
    }

    /// Ends the sending side.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
