//! TCP sockets on the executor. The only room with unsafe code, and why it is sound.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd},
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{AsyncRead, AsyncWrite};
use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};

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
