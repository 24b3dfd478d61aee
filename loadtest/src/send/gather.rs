//! Gathers the frames of one turn of a connection into one write.
//!
//! Each write on a socket has a price of its own, and `h2` pays it for every frame. Some senders in
//! the field do as well, others fill a buffer of tens of KiB before they write: both can be had.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::settings::Writes;

/// So much is gathered at most before it is written.
const MOST: usize = 256 << 10;

/// A stream whose writes wait for the end of the turn, where that is wanted; [`drive`] ends turns.
pub(super) struct Gather<S>(Rc<RefCell<Shared<S>>>);

struct Shared<S> {
    stream: S,
    writes: Writes,
    gathered: Vec<u8>,
    written: usize,
    /// A write was put off for want of room.
    held_up: bool,
}

impl<S: AsyncWrite + Unpin> Shared<S> {
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            let rest = &self.gathered[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.gathered.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

impl<S> Gather<S> {
    pub(super) fn new(stream: S, writes: Writes) -> Self {
        Self(Rc::new(RefCell::new(Shared {
            stream,
            writes,
            gathered: Vec::new(),
            written: 0,
            held_up: false,
        })))
    }

    /// The same stream, to [`drive`] the connection that gets this one.
    pub(super) fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Runs a connection on the stream until it ends, writing out what it gathered after each turn.
pub(super) async fn drive<S, C>(stream: Gather<S>, connection: C)
where
    S: AsyncWrite + Unpin,
    C: Future,
{
    let mut connection = std::pin::pin!(connection);
    poll_fn(|cx| {
        loop {
            let turn = connection.as_mut().poll(cx);
            let mut shared = stream.0.borrow_mut();
            let held_up = std::mem::take(&mut shared.held_up);
            let flushed = shared.poll_flush(cx);
            match (turn, flushed) {
                // What became of the connection is told by each of its requests.
                (Poll::Ready(_), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready(()),
                // There is room again, and nobody else would tell the connection.
                (Poll::Pending, Poll::Ready(Ok(()))) if held_up => {}
                (Poll::Pending, _) => return Poll::Pending,
            }
        }
    })
    .await;
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let shared = &mut *self.0.borrow_mut();
        if shared.writes == Writes::Frame {
            return Pin::new(&mut shared.stream).poll_write_vectored(cx, slices);
        }
        if shared.gathered.len() >= MOST && shared.poll_write_out(cx)?.is_pending() {
            shared.held_up = true;
            return Poll::Pending;
        }
        for slice in slices {
            shared.gathered.extend_from_slice(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The turn ends later.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = &mut *self.0.borrow_mut();
        ready!(shared.poll_flush(cx))?;
        Pin::new(&mut shared.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_written_in_a_turn_goes_out_at_its_end() {
        let (near, mut far) = duplex(64);
        let mut gather = Gather::new(near, Writes::Turn);
        gather.write_all(b"head").await.unwrap();
        gather.flush().await.unwrap();
        gather.write_all(b"body").await.unwrap();
        let mut arrived = [0; 8];
        let reading = far.read_exact(&mut arrived);
        tokio::select! {
            biased;
            () = drive(gather.share(), pending::<()>()) => unreachable!(),
            read = reading => drop(read.unwrap()),
        }
        assert_eq!(&arrived, b"headbody");
    }

    #[tokio::test]
    async fn a_frame_goes_out_by_itself_where_that_is_wanted() {
        let (near, mut far) = duplex(64);
        let mut gather = Gather::new(near, Writes::Frame);
        gather.write_all(b"head").await.unwrap();
        let mut arrived = [0; 4];
        far.read_exact(&mut arrived).await.unwrap();
        assert_eq!(&arrived, b"head");
    }

    #[tokio::test]
    async fn a_connection_that_was_held_up_goes_on_when_there_is_room() {
        let (near, mut far) = duplex(1000);
        let gather = Gather::new(near, Writes::Turn);
        let shared = gather.share();
        let bytes: Vec<u8> = (0..=250).cycle().take(4 * MOST).collect();
        let connection = async {
            let mut gather = gather;
            for chunk in bytes.chunks(16 << 10) {
                gather.write_all(chunk).await.unwrap();
            }
            pending::<()>().await;
        };
        let mut arrived = vec![0; bytes.len()];
        tokio::select! {
            () = drive(shared, connection) => unreachable!(),
            read = far.read_exact(&mut arrived) => drop(read.unwrap()),
        }
        assert!(arrived == bytes);
    }

    #[tokio::test]
    async fn it_ends_when_the_other_end_is_gone() {
        let (near, far) = duplex(64);
        let mut gather = Gather::new(near, Writes::Turn);
        gather.write_all(b"for nobody").await.unwrap();
        drop(far);
        drive(gather.share(), pending::<()>()).await;
    }
}
