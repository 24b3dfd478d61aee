//! The collector's side of gRPC, frame by frame.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream,
    server::{self, SendResponse},
};
use http::{HeaderMap, HeaderValue, Response};
use tokio::{net::TcpStream, sync::mpsc};

use super::{
    act::{Act, details},
    collector::{Script, reset_at_close},
};

/// What a request does to its whole connection.
enum Whole {
    Close,
    Reset,
    GoAway(h2::Reason),
    LastOne,
}

/// Serves a connection until it ends, in whatever way.
pub(super) async fn serve(stream: TcpStream, script: &Script) {
    let stream = stream.into_std().unwrap();
    let handle = TcpStream::from_std(stream.try_clone().unwrap()).unwrap();
    let stream = TcpStream::from_std(stream).unwrap();
    let Ok(mut connection) = server::handshake(stream).await else {
        return;
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut calls = Vec::new();
    loop {
        let (request, mut respond) = tokio::select! {
            biased;
            Some(whole) = told.recv() => match whole {
                Whole::Close => return,
                Whole::Reset => return reset_at_close(&handle),
                Whole::GoAway(reason) => {
                    connection.abrupt_shutdown(reason);
                    continue;
                }
                Whole::LastOne => {
                    connection.graceful_shutdown();
                    continue;
                }
            },
            accepted = connection.accept() => match accepted {
                Some(Ok(call)) => call,
                _ => return,
            },
            // The calls advance only when the connection does.
            () = advance(&mut calls) => continue,
        };
        if request.uri().path().starts_with("/grpc.health.") {
            // A probe of its health; it is of no interest here.
            refuse(&mut respond, head(), 12, None);
            continue;
        }
        calls.push(Box::pin(call(
            script,
            request.into_body(),
            respond,
            tell.clone(),
        )));
    }
}

/// Polls every call; never ends, so that the connection is polled too.
async fn advance<F: Future<Output = ()> + Unpin>(calls: &mut Vec<F>) {
    std::future::poll_fn(|cx| {
        calls.retain_mut(|call| std::pin::Pin::new(call).poll(cx).is_pending());
        std::task::Poll::<()>::Pending
    })
    .await;
}

async fn call(
    script: &Script,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
    whole: mpsc::UnboundedSender<Whole>,
) {
    let Some(framed) = read(body).await else {
        return;
    };
    let act = script.next(framed.slice(5..));
    let hang = std::future::pending::<()>;
    let tell = |what| whole.send(what).unwrap_or_default();
    match act {
        Act::Hang => hang().await,
        Act::HangMidAnswer => {
            let _open = respond.send_response(head(), false);
            hang().await;
        }
        Act::CutAnswer => {
            let mut open = respond.send_response(head(), false).unwrap();
            open.send_data(Bytes::from_static(&[0, 0, 0]), false)
                .unwrap();
            // Once the bytes are on their way: the connection is polled before this goes on.
            tokio::task::yield_now().await;
            tell(Whole::Close);
            hang().await;
        }
        Act::Reset => tell(Whole::Reset),
        Act::Close => tell(Whole::Close),
        Act::GoAway(reason) => {
            tell(Whole::GoAway(reason));
            hang().await;
        }
        Act::ResetStream(reason) => respond.send_reset(reason),
        Act::Slow(time) => {
            tokio::time::sleep(time).await;
            answer(&mut respond, head(), frame(&act.message()), "0");
        }
        Act::LastOne => {
            tell(Whole::LastOne);
            answer(&mut respond, head(), frame(&act.message()), "0");
        }
        Act::Accept | Act::Partial(_) | Act::Huge => {
            answer(&mut respond, head(), frame(&act.message()), "0");
        }
        Act::CutMessage => {
            let cut = Bytes::from_static(&[0, 0, 0, 0, 9, 1]);
            answer(&mut respond, head(), cut, "0");
        }
        Act::Grpc(code, delay) => refuse(&mut respond, head(), code, delay),
        Act::Http(status, after) => {
            let mut head = Response::builder().status(status);
            if let Some(after) = after {
                head = head.header("retry-after", after.header());
            }
            drop(respond.send_response(head.body(()).unwrap(), true));
        }
        Act::Page => {
            let head = Response::builder().header("content-type", "text/html");
            let open = respond.send_response(head.body(()).unwrap(), false);
            drop(
                open.unwrap()
                    .send_data(Bytes::from_static(b"<p>Hello"), true),
            );
        }
        Act::CloseAtAccept => unreachable!("done when the connection was accepted"),
    }
}

fn head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap()
}

fn refuse(
    respond: &mut SendResponse<Bytes>,
    mut head: Response<()>,
    code: u8,
    delay: Option<std::time::Duration>,
) {
    let headers = head.headers_mut();
    headers.insert("grpc-status", code.to_string().parse().unwrap());
    let message = HeaderValue::from_static("the collector says no");
    headers.insert("grpc-message", message);
    if let Some(details) = details(code, delay) {
        let text = STANDARD_NO_PAD.encode(details);
        headers.insert("grpc-status-details-bin", text.parse().unwrap());
    }
    // A connection that the forwarder has given up is its own affair, here and below.
    drop(respond.send_response(head, true));
}

fn answer(
    respond: &mut SendResponse<Bytes>,
    head: Response<()>,
    body: Bytes,
    status: &'static str,
) {
    let Ok(mut open) = respond.send_response(head, false) else {
        return;
    };
    drop(open.send_data(body, false));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    drop(open.send_trailers(trailers));
}

fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len().try_into().unwrap());
    framed.extend_from_slice(message);
    framed.freeze()
}

async fn read(mut body: RecvStream) -> Option<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.ok()?;
        drop(body.flow_control().release_capacity(chunk.len()));
        whole.extend_from_slice(&chunk);
    }
    Some(whole.freeze())
}
