//! The collector's side of OTLP/HTTP 1.1, byte by byte.

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    act::Act,
    collector::{Script, reset_at_close},
};

/// Serves a connection until it ends, in whatever way.
pub(super) async fn serve(mut stream: TcpStream, script: &Script) {
    let mut buffer = BytesMut::new();
    while let Some(body) = request(&mut stream, &mut buffer).await {
        let act = script.next(body);
        let hang = std::future::pending::<()>;
        let (head, body, closes) = match &act {
            Act::Hang => return hang().await,
            Act::HangMidAnswer => {
                drop(stream.write_all(&head(200, "content-length: 9\r\n")).await);
                return hang().await;
            }
            Act::CutAnswer => {
                drop(stream.write_all(&head(200, "content-length: 9\r\n")).await);
                return;
            }
            Act::Reset => return reset_at_close(&stream),
            Act::Close => return,
            Act::Http(status, after) => {
                let after = after
                    .map(|after| format!("retry-after: {}\r\n", after.header()))
                    .unwrap_or_default();
                let head = head(*status, &format!("{after}content-length: 0\r\n"));
                (head, Vec::new(), false)
            }
            Act::Page => {
                let page = b"<p>Hello".to_vec();
                let head = typed(200, "text/html", page.len());
                (head, page, false)
            }
            Act::CutMessage => {
                // A field of nine bytes of which one is there.
                let cut = vec![0x0a, 9, 1];
                (typed(200, PROTOBUF, cut.len()), cut, false)
            }
            Act::Accept | Act::Slow(_) | Act::Partial(_) | Act::Huge | Act::LastOne => {
                if let Act::Slow(time) = act {
                    tokio::time::sleep(time).await;
                }
                let message = act.message();
                let close = if act == Act::LastOne {
                    "connection: close\r\n"
                } else {
                    ""
                };
                let length = message.len();
                let rest =
                    format!("{close}content-type: {PROTOBUF}\r\ncontent-length: {length}\r\n");
                (head(200, &rest), message, act == Act::LastOne)
            }
            Act::CloseAtAccept | Act::GoAway(_) | Act::ResetStream(_) | Act::Grpc(..) => {
                unreachable!("{act:?} is nothing that HTTP/1.1 has")
            }
        };
        let written = async {
            stream.write_all(&head).await?;
            stream.write_all(&body).await
        };
        if written.await.is_err() || closes {
            return;
        }
    }
}

const PROTOBUF: &str = "application/x-protobuf";

fn typed(status: u16, content_type: &str, length: usize) -> Vec<u8> {
    let rest = format!("content-type: {content_type}\r\ncontent-length: {length}\r\n");
    head(status, &rest)
}

fn head(status: u16, rest: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Said\r\n{rest}\r\n").into_bytes()
}

/// The body of the next request; none when the connection ends.
async fn request(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Bytes> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = buffer.split_to(end);
    let head = std::str::from_utf8(&head).unwrap().to_ascii_lowercase();
    if head.starts_with("get ") {
        // A probe of its health; it is of no interest here.
        return None;
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.expect("a content-length").trim().parse().unwrap();
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some(buffer.split_to(length).freeze())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
