//! A connection's bytes: read ahead in large pieces, written in gathered ones.
//!
//! The HTTP libraries read and write frame by frame, and a system call each costs more than a
//! copy that stays in the cache. So reads fetch what the socket has, up to [`READ_BYTES`], and
//! writes are gathered up to [`WRITE_BYTES`] and sent by [`IoHandle::poll_drain`], which whoever
//! drives the connection calls after each poll of it.

use std::{
    cell::{Cell, RefCell},
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    Gate,
    buffers::{Buffers, READ_BYTES, WRITE_BYTES},
};
use crate::rt::{self, Room, TcpStream};

/// Socket reads in one poll of a connection, so that a sender that is always faster than this
/// shard does not keep it from the others.
///
/// - Source: measured: what one read brings goes out while it is still in the cache.
const READS_PER_POLL_MAX: u32 = 1;

/// Gathered bytes below which sending is put off once.
///
/// - Source: chosen: the answers of some twenty calls, far below what a batch is.
const PUT_OFF_BYTES: usize = 1024;

/// Bytes that pass a closed gate at a time when only the end of a body is missing.
///
/// - Source: the head of an HTTP/2 frame. More could bring the beginning of the next body, which
///   would be admitted and pass in turn, and the gate would hold nothing.
const END_BYTES: usize = 9;

/// The connection as the HTTP libraries see it.
pub struct Io {
    shared: Rc<Shared>,
}

/// The connection as its driver sees it: drains the writes, watches progress.
#[derive(Clone)]
pub struct IoHandle {
    shared: Rc<Shared>,
}

struct Shared {
    inner: RefCell<Inner>,
    buffers: Rc<Buffers>,
    gate: Option<Rc<Gate>>,
    gate_place: Cell<u64>,
    /// Bytes that are missing of bodies that were admitted: they pass the gate, because they are
    /// counted already and only the end of their body releases it.
    owed: Cell<usize>,
    /// Reads left before the connection lets the others run.
    reads_left: Cell<u32>,
    read_at: Cell<Instant>,
    written_at: Cell<Instant>,
}

struct Inner {
    stream: TcpStream,
    ahead: Option<Ahead>,
    out: Option<Out>,
}

/// Bytes read and not yet taken.
struct Ahead {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// Bytes gathered and not yet sent.
struct Out {
    buffer: Vec<u8>,
    sent: usize,
}

impl Io {
    /// Wraps a stream. `gate` stops its reads while the shard holds too much.
    #[must_use]
    pub fn new(
        stream: TcpStream,
        buffers: Rc<Buffers>,
        gate: Option<Rc<Gate>>,
    ) -> (Self, IoHandle) {
        let now = rt::now();
        let shared = Rc::new(Shared {
            inner: RefCell::new(Inner {
                stream,
                ahead: None,
                out: None,
            }),
            buffers,
            gate,
            gate_place: Cell::new(0),
            owed: Cell::new(0),
            reads_left: Cell::new(READS_PER_POLL_MAX),
            read_at: Cell::new(now),
            written_at: Cell::new(now),
        });
        (
            Self {
                shared: Rc::clone(&shared),
            },
            IoHandle { shared },
        )
    }
}

impl IoHandle {
    /// Sends what is gathered; ready when nothing is left. Ends a poll of the connection.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.reads_left.set(READS_PER_POLL_MAX);
        let mut inner = self.shared.inner.borrow_mut();
        self.shared.poll_drain(&mut inner, cx)
    }

    /// Whether what is gathered is so little that more should come along.
    pub(super) fn is_worth_putting_off(&self) -> bool {
        self.shared.reads_left.set(READS_PER_POLL_MAX);
        let inner = self.shared.inner.borrow();
        inner
            .out
            .as_ref()
            .is_some_and(|out| out.buffer.len() < PUT_OFF_BYTES)
    }

    /// Waits until the first `wanted` bytes are there and shows them, without taking them.
    /// Fewer come back when the peer ended before.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_peek<const N: usize>(&self, cx: &mut Context<'_>) -> Poll<io::Result<Peeked<N>>> {
        self.shared.reads_left.set(READS_PER_POLL_MAX);
        let mut inner = self.shared.inner.borrow_mut();
        loop {
            let have = inner
                .ahead
                .as_ref()
                .map_or(0, |ahead| ahead.end - ahead.start);
            if have >= N {
                return Poll::Ready(Ok(inner.peeked()));
            }
            if ready!(self.shared.poll_fill(&mut inner, cx))? == 0 {
                return Poll::Ready(Ok(inner.peeked()));
            }
        }
    }

    /// Shows what has come and takes all of it; ready without a call of `take` is the end.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_take(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        self.shared.poll_take(cx, usize::MAX, take)
    }

    /// Reads what has come to two places; says how much, 0 is the end. For a connection of which
    /// all that was read ahead is taken.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_read_apart(
        &self,
        cx: &mut Context<'_>,
        first: Room<'_>,
        second: Room<'_>,
    ) -> Poll<io::Result<usize>> {
        // What comes of an admitted body passes the gate, and no more is asked for than that.
        ready!(self.shared.poll_turn(cx));
        let mut inner = self.shared.inner.borrow_mut();
        debug_assert!(inner.ahead.is_none(), "what has come is taken first");
        let polled = inner.stream.poll_read_apart(cx, first, second);
        if polled.is_ready() {
            self.shared.read_at.set(rt::now());
        }
        polled
    }

    /// Moves `bytes` behind what is gathered.
    pub fn gather(&self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            let mut inner = self.shared.inner.borrow_mut();
            self.shared.out(&mut inner).buffer.extend_from_slice(bytes);
            bytes.clear();
        }
    }

    /// Bytes that are gathered and not sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let inner = self.shared.inner.borrow();
        inner
            .out
            .as_ref()
            .map_or(0, |out| out.buffer.len() - out.sent)
    }

    /// Reads and forgets what has come; 0 is the end.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.shared.reads_left.set(READS_PER_POLL_MAX);
        let mut discarded = 0;
        ready!(
            self.shared
                .poll_take(cx, usize::MAX, |bytes| discarded = bytes.len())
        )?;
        Poll::Ready(Ok(discarded))
    }

    /// Waits for the peer's next byte, whether the gate is open or not, and takes no more than
    /// that; none is the end of what the peer sends. For a connection of which nothing is read.
    ///
    /// - Cost: no system call until something comes.
    ///
    /// # Errors
    ///
    /// The socket's: a reset.
    pub fn poll_sense(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<u8>>> {
        let mut inner = self.shared.inner.borrow_mut();
        debug_assert!(inner.ahead.is_none(), "what has come is taken first");
        let mut byte = [0];
        let read = ready!(inner.stream.poll_read(cx, &mut byte))?;
        Poll::Ready(Ok((read > 0).then_some(byte[0])))
    }

    /// Whether nothing that is sent can reach the peer any more, as far as the kernel knows. What
    /// is gathered and not sent will tell by itself.
    ///
    /// - Cost: a `send` of nothing, which fails where a sent byte would.
    #[must_use]
    pub fn is_broken(&self, cx: &mut Context<'_>) -> bool {
        let mut inner = self.shared.inner.borrow_mut();
        inner.out.is_none() && matches!(inner.stream.poll_write(cx, &[]), Poll::Ready(Err(_)))
    }

    /// Ends the sending side, after what is gathered.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll_shutdown(cx)
    }

    /// Lets as many bytes pass the gate: they are missing of a body that was admitted.
    pub fn owe(&self, bytes: usize) {
        self.shared
            .owed
            .set(self.shared.owed.get().saturating_add(bytes));
    }

    /// The counterpart of [`IoHandle::owe`]: the bytes came, or are not waited for any more.
    pub fn settle(&self, bytes: usize) {
        let owed = self.shared.owed.get();
        debug_assert!(owed >= bytes, "no more comes than was owed");
        self.shared.owed.set(owed.saturating_sub(bytes));
    }

    /// When bytes last came from the peer.
    #[must_use]
    pub fn read_at(&self) -> Instant {
        self.shared.read_at.get()
    }

    /// When bytes last went to the peer while some were waiting; `None` when none wait.
    #[must_use]
    pub fn stuck_since(&self) -> Option<Instant> {
        let waiting = self.shared.inner.borrow().out.is_some();
        waiting.then(|| self.shared.written_at.get())
    }
}

/// The first bytes of a connection, as far as they came.
#[derive(Clone, Copy, Debug)]
pub struct Peeked<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Peeked<N> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Inner {
    fn peeked<const N: usize>(&self) -> Peeked<N> {
        let mut bytes = [0; N];
        let there = self
            .ahead
            .as_ref()
            .map_or(&[][..], |ahead| &ahead.buffer[ahead.start..ahead.end]);
        let len = there.len().min(N);
        bytes[..len].copy_from_slice(&there[..len]);
        Peeked { bytes, len }
    }
}

impl Shared {
    /// Ready where the connection may read now: how much, at the most.
    fn poll_turn(&self, cx: &Context<'_>) -> Poll<usize> {
        let mut room = READ_BYTES;
        if let Some(gate) = &self.gate
            && gate.is_closed()
        {
            if self.owed.get() == 0 {
                gate.wait(&self.gate_place, cx.waker());
                return Poll::Pending;
            }
            // The end of a body is never nearer than the bytes that are missing of it.
            room = (self.owed.get() - 1).clamp(END_BYTES, READ_BYTES);
        }
        let Some(reads_left) = self.reads_left.get().checked_sub(1) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        self.reads_left.set(reads_left);
        Poll::Ready(room)
    }

    /// Reads once from the socket behind what is there already. 0 is the end.
    fn poll_fill(&self, inner: &mut Inner, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_turn(cx));
        let Inner {
            stream,
            ahead: slot,
            ..
        } = inner;
        let mut ahead = slot.take().unwrap_or_else(|| Ahead {
            buffer: self.buffers.take_read(),
            start: 0,
            end: 0,
        });
        let end = READ_BYTES.min(ahead.end + room);
        let polled = stream.poll_read(cx, &mut ahead.buffer[ahead.end..end]);
        if let Poll::Ready(Ok(read)) = &polled {
            ahead.end += read;
            self.read_at.set(rt::now());
        }
        if ahead.end > ahead.start {
            *slot = Some(ahead);
        } else {
            self.buffers.give_read(ahead.buffer);
        }
        polled
    }

    /// Moves bytes that are there into `take`, after filling when none are. Ready with nothing
    /// taken is the end.
    fn poll_take(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        if inner.ahead.is_none() && ready!(self.poll_fill(&mut inner, cx))? == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(ahead) = &mut inner.ahead {
            let len = room.min(ahead.end - ahead.start);
            take(&ahead.buffer[ahead.start..ahead.start + len]);
            ahead.start += len;
            if ahead.start == ahead.end
                && let Some(empty) = inner.ahead.take()
            {
                self.buffers.give_read(empty.buffer);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_drain(&self, inner: &mut Inner, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Inner {
            stream, out: slot, ..
        } = inner;
        let Some(out) = slot else {
            return Poll::Ready(Ok(()));
        };
        while out.sent < out.buffer.len() {
            let sent = ready!(stream.poll_write(cx, &out.buffer[out.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            out.sent += sent;
            self.written_at.set(rt::now());
        }
        if let Some(empty) = slot.take() {
            self.buffers.give_write(empty.buffer);
        }
        Poll::Ready(Ok(()))
    }

    /// Where bytes are gathered.
    fn out<'a>(&self, inner: &'a mut Inner) -> &'a mut Out {
        if inner.out.is_none() {
            self.written_at.set(rt::now());
        }
        inner.out.get_or_insert_with(|| Out {
            buffer: self.buffers.take_write(),
            sent: 0,
        })
    }

    /// Gathers as much of `slices` as there is room for, draining first when there is none.
    fn poll_gather(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        if inner
            .out
            .as_ref()
            .is_some_and(|out| out.buffer.len() >= WRITE_BYTES)
        {
            ready!(self.poll_drain(&mut inner, cx))?;
        }
        let out = self.out(&mut inner);
        let mut gathered = 0;
        for slice in slices {
            let len = slice.len().min(WRITE_BYTES - out.buffer.len());
            out.buffer.extend_from_slice(&slice[..len]);
            gathered += len;
            if len < slice.len() {
                break;
            }
        }
        Poll::Ready(Ok(gathered))
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        ready!(self.poll_drain(&mut inner, cx))?;
        inner.stream.poll_shutdown(cx)
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared
            .poll_take(cx, buf.remaining(), |bytes| buf.put_slice(bytes))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.poll_gather(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared.poll_gather(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: the driver drains after each poll of the connection, once for all frames.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll_shutdown(cx)
    }
}

impl Io {
    pub(super) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        self.shared.poll_take(cx, room, take)
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

impl fmt::Debug for IoHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoHandle")
            .field("owed", &self.shared.owed)
            .finish_non_exhaustive()
    }
}
