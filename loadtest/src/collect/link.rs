//! A connection's socket: read as slowly as asked, reset instead of closed when asked.

use std::{
    cell::Cell,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

use super::behave::{Size, Switch};

/// How a connection is to end; shared with whoever serves it.
#[derive(Debug, Default)]
pub(super) struct Ending {
    reset: Cell<bool>,
}

impl Ending {
    /// The connection ends with RST: nothing that waits in the socket is sent.
    pub(super) fn reset(&self) {
        self.reset.set(true);
    }
}

/// The socket.
#[derive(Debug)]
pub(super) struct Link {
    socket: TcpStream,
    switch: Rc<Switch>,
    ending: Rc<Ending>,
    /// Until the next bytes may be read, while reading is slow.
    nap: Option<Pin<Box<Sleep>>>,
}

/// Naps at a slow rate: a change of behaviour is noticed after one. Below one byte a nap they are
/// as long as a byte takes.
const NAPS_A_SECOND: u64 = 50;

impl Link {
    pub(super) fn new(socket: TcpStream, switch: Rc<Switch>, ending: Rc<Ending>) -> Self {
        Self {
            socket,
            switch,
            ending,
            nap: None,
        }
    }

    /// Naps, then reads what the next nap is for.
    fn poll_slowly(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        Size(rate): Size,
    ) -> Poll<io::Result<()>> {
        if let Some(nap) = &mut self.nap {
            ready!(nap.as_mut().poll(cx));
            self.nap = None;
        }
        let portion = usize::try_from(rate / NAPS_A_SECOND).unwrap_or(usize::MAX);
        let portion = portion.clamp(1, buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(portion));
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        let nap = Duration::from_secs_f64(read as f64 / rate as f64);
        self.nap = Some(Box::pin(tokio::time::sleep(nap)));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.switch.read_rate() {
            Some(rate) if buffer.remaining() > 0 => self.poll_slowly(cx, buffer, rate),
            _ => Pin::new(&mut self.socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A FIN first would be taken for an end in order.
        if self.ending.reset.get() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.ending.reset.get() {
            // On a socket that is gone already there is nothing to reset.
            drop(SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)));
        }
    }
}
