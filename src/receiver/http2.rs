//! HTTP/2 from a sender: gRPC and OTLP/HTTP, many calls at once.
//!
//! The calls of a connection run in its own task: what they answer in one burst is sent in one
//! write, and a connection that ends takes its calls with it.

use std::{
    pin::{Pin, pin},
    rc::Rc,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use h2::{
    RecvStream,
    server::{self, SendResponse},
};
use http::Request;
use http_body::{Body, Frame};

use super::{Context, call::Dialect, connection::Connection, export, reply};
use crate::net::Io;

/// Bytes that a sender may have under way in one call before it waits for more window.
///
/// - Source: chosen: four full batches, so that no request of a common size ever waits.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// Bytes that a sender may have under way on one connection.
///
/// - Cost: not held: what a shard holds is bounded by its budget, and at the soft mark it stops
///   reading whatever the window says.
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// Errors of one connection that are answered with a reset before it is closed.
///
/// - Source: CVE-2025-8671; a quarter of h2's default.
const ERROR_RESETS_MAX: usize = 256;

/// Calls accepted in one poll of a connection, so that it does not keep the others waiting.
const CALLS_PER_POLL_MAX: usize = 256;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, connection: &Rc<Connection>, io: Io) {
    let Some(mut http) = handshake(context, connection, io).await else {
        return;
    };
    let mut calls = FuturesUnordered::new();
    let mut told = false;
    connection
        .driver()
        .drive(|cx| {
            if context.connections.is_draining() && !told {
                told = true;
                http.graceful_shutdown();
            }
            for _ in 0..CALLS_PER_POLL_MAX {
                let accepted = match http.poll_accept(cx) {
                    Poll::Ready(Some(Ok((request, respond)))) => {
                        let (context, connection) = (Rc::clone(context), Rc::clone(connection));
                        calls.push(call(context, connection, request, respond));
                        true
                    }
                    // The connection is at its end, in order or not.
                    Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
                    Poll::Pending => false,
                };
                let answered = matches!(calls.poll_next_unpin(cx), Poll::Ready(Some(())));
                if !accepted && !answered {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
}

/// Exchanges the settings.
async fn handshake(
    context: &Context,
    connection: &Connection,
    io: Io,
) -> Option<server::Connection<Io, Bytes>> {
    let mut handshake = pin!(
        server::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(context.limits.streams)
            .max_header_list_size(context.limits.header_bytes)
            .max_local_error_reset_streams(Some(ERROR_RESETS_MAX))
            .handshake::<_, Bytes>(io)
    );
    let mut http = None;
    connection
        .driver()
        .drive(|cx| {
            http = ready!(handshake.as_mut().poll(cx)).ok();
            Poll::Ready(())
        })
        .await;
    http
}

/// Serves one call. A sender that is gone needs no answer: errors of sending end the call.
async fn call(
    context: Rc<Context>,
    connection: Rc<Connection>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let _call = connection.call();
    let (parts, stream) = request.into_parts();
    let answered = export::serve(&context, &connection, &parts, H2Body { stream }).await;
    let sent = if answered.dialect == Dialect::Grpc {
        send_grpc(&mut respond, reply::grpc_reply(&answered.outcome))
    } else {
        send_http(&mut respond, reply::http_reply(&answered))
    };
    if let Err(error) = sent {
        tracing::trace!(%error, "the sender of a call is gone");
    }
}

fn send_grpc(respond: &mut SendResponse<Bytes>, reply: reply::GrpcReply) -> Result<(), h2::Error> {
    match reply {
        reply::GrpcReply::TrailersOnly(head) => respond.send_response(head, true).map(drop),
        reply::GrpcReply::Full {
            head,
            message,
            trailers,
        } => {
            let mut stream = respond.send_response(head, false)?;
            stream.send_data(message, false)?;
            stream.send_trailers(trailers)
        }
    }
}

fn send_http(
    respond: &mut SendResponse<Bytes>,
    response: http::Response<Bytes>,
) -> Result<(), h2::Error> {
    let (head, body) = response.into_parts();
    let ends = body.is_empty();
    let mut stream = respond.send_response(http::Response::from_parts(head, ()), ends)?;
    if ends {
        Ok(())
    } else {
        stream.send_data(body, true)
    }
}

/// The body of a call; what is taken from it goes back to the sender's window at once, because
/// the budget does the holding back.
struct H2Body {
    stream: RecvStream,
}

impl Body for H2Body {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                self.stream.flow_control().release_capacity(data.len())?;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            other => Poll::Ready(other.map(|result| result.map(Frame::data))),
        }
    }
}
