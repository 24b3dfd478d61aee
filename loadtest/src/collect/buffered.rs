//! Reads a stream in large pieces, whatever the reader above asks for.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// HTTP/2 libraries read a frame at a time; a collector must not spend its core on system calls.
const PIECE: usize = 128 << 10;

/// A stream with a large read buffer.
#[derive(Debug)]
pub(super) struct Buffered<S> {
    stream: S,
    piece: Vec<u8>,
    start: usize,
    end: usize,
}

impl<S: AsyncRead + Unpin> Buffered<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            piece: vec![0; PIECE],
            start: 0,
            end: 0,
        }
    }

    /// Whether the stream begins with `wanted`; reads no further than it takes to tell.
    pub(super) async fn begins_with(&mut self, wanted: &[u8]) -> io::Result<bool> {
        loop {
            let there = &self.piece[self.start..self.end];
            let common = there.len().min(wanted.len());
            if there[..common] != wanted[..common] {
                return Ok(false);
            }
            if common == wanted.len() {
                return Ok(true);
            }
            match self.stream.read(&mut self.piece[self.end..]).await? {
                0 => return Ok(false),
                read => self.end += read,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Buffered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.start == this.end {
            let mut piece = ReadBuf::new(&mut this.piece);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut piece))?;
            (this.start, this.end) = (0, piece.filled().len());
        }
        let there = &this.piece[this.start..this.end];
        let taken = there.len().min(buffer.remaining());
        buffer.put_slice(&there[..taken]);
        this.start += taken;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Buffered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn the_start_is_told_byte_by_byte_and_nothing_is_lost() {
        for (text, begins) in [
            ("PRI * HTTP/2.0", true),
            ("POST /v1/logs", false),
            ("P", false),
        ] {
            let (mut client, server) = tokio::io::duplex(1);
            let writing = async move {
                client.write_all(text.as_bytes()).await.unwrap();
            };
            let reading = async {
                let mut stream = Buffered::new(server);
                assert_eq!(stream.begins_with(b"PRI").await.unwrap(), begins, "{text}");
                let mut read = String::new();
                stream.read_to_string(&mut read).await.unwrap();
                assert_eq!(read, text);
            };
            tokio::join!(writing, reading);
        }
    }
}
