//! HTTP/1.1 from a sender: OTLP/HTTP, one call after the other.

use std::{convert::Infallible, future::Future, pin::pin, rc::Rc};

use http::header;
use http_body_util::Full;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};

use super::{Context, body, connection::Connection, export, reply};
use crate::{
    net::{HyperIo, Io},
    outcome::Outcome,
};

/// The least that hyper accepts as a buffer for headers.
const HEADER_BYTES_MIN: usize = 8192;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, connection: &Rc<Connection>, io: Io) {
    let service = service_fn(|request: Request<Incoming>| {
        let (context, connection) = (Rc::clone(context), Rc::clone(connection));
        async move {
            let _call = connection.call();
            let (parts, mut body) = request.into_parts();
            let answered = export::serve(&context, &connection, &parts, &mut body).await;
            // A sender that waits to be told to go on has sent nothing.
            if matches!(answered.outcome, Outcome::Refused(_))
                && !parts.headers.contains_key(header::EXPECT)
            {
                body::discard(&context, &connection, body).await;
            }
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
}
