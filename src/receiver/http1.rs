//! HTTP/1.1 from a sender: OTLP/HTTP, one call after the other.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use http_body_util::Full;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};

use super::{Context, connection::Connection, export, reply};
use crate::{
    net::{HyperIo, Io, IoHandle},
    rt,
};

/// The least that hyper accepts as a buffer for headers.
const HEADER_BYTES_MIN: usize = 8192;

/// How long a sender may go on writing after its connection's last answer, and how much.
///
/// - Source: chosen: what is on its way when the answer is sent, and no more.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES_MAX: usize = 1 << 20;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, connection: &Rc<Connection>, io: Io) {
    let service = service_fn(|request: Request<Incoming>| {
        let (context, connection) = (Rc::clone(context), Rc::clone(connection));
        async move {
            let _call = connection.call();
            let (parts, body) = request.into_parts();
            let answered = export::serve(&context, &connection, &parts, body).await;
            Ok::<_, Infallible>(reply::http_reply(&answered).map(Full::new))
        }
    });
    let header_bytes = usize::try_from(context.limits.header_bytes).unwrap_or(usize::MAX);
    let mut http = pin!(
        http1::Builder::new()
            .pipeline_flush(true)
            .max_buf_size(header_bytes.max(HEADER_BYTES_MIN))
            .serve_connection(HyperIo(io), service)
    );
    let mut told = false;
    connection
        .driver()
        .drive(|cx| {
            if context.connections.is_draining() && !told {
                told = true;
                http.as_mut().graceful_shutdown();
            }
            // An error is the sender's: it is gone, or it does not speak HTTP.
            http.as_mut().poll(cx).map(drop)
        })
        .await;
    linger(connection.driver().io()).await;
}

/// Reads what a sender is still writing, for a moment: were the socket closed on unread bytes, the
/// kernel would reset the connection, and a sender whose body was refused might never read why.
async fn linger(io: &IoHandle) {
    io.owe(LINGER_BYTES_MAX);
    let mut left = LINGER_BYTES_MAX;
    let discard = poll_fn(|cx| {
        while let Ok(read) = ready!(io.poll_discard(cx)) {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                break;
            }
        }
        Poll::Ready(())
    });
    // Whether the sender ends first or the time does is the same.
    rt::timeout(LINGER, discard).await.unwrap_or_default();
    io.settle(LINGER_BYTES_MAX);
}
