//! Serves the admin port: HTTP/1.1 on a thread of its own.

use std::{convert::Infallible, net::TcpListener, rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};

use super::{AdminState, respond};
use crate::{
    net::{Buffers, Driver, HyperIo, Io},
    rt,
};

/// Connections that the admin port holds; those above are closed at once.
///
/// - Source: chosen: scrapers, probes and a few browsers.
const CONNECTIONS_MAX: usize = 256;

/// Answers on `listeners` for as long as the thread lives.
pub async fn serve(state: Arc<AdminState>, listeners: Vec<TcpListener>) {
    let buffers = Rc::new(Buffers::default());
    let open = Rc::new(());
    for listener in listeners {
        let listener = rt::TcpListener::from_std(listener);
        let (state, buffers, open) = (Arc::clone(&state), Rc::clone(&buffers), Rc::clone(&open));
        rt::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok(stream) if Rc::strong_count(&open) <= CONNECTIONS_MAX => {
                        rt::spawn(connection(
                            stream,
                            Arc::clone(&state),
                            Rc::clone(&buffers),
                            Rc::clone(&open),
                        ));
                    }
                    Ok(_over_the_limit) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the admin port cannot accept; trying again");
                        rt::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }
    std::future::pending::<()>().await;
}

async fn connection(
    stream: rt::TcpStream,
    state: Arc<AdminState>,
    buffers: Rc<Buffers>,
    open: Rc<()>,
) {
    let (io, handle) = Io::new(stream, buffers, None);
    let driver = Driver::new(handle);
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&state, &request).map(Full::new);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = std::pin::pin!(http1::Builder::new().serve_connection(HyperIo(io), service));
    // An error is the client's: it is gone, or it does not speak HTTP.
    driver
        .drive(|cx| Future::poll(http.as_mut(), cx).map(drop))
        .await;
    drop(open);
}

fn answer(state: &AdminState, request: &Request<Incoming>) -> Response<Bytes> {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    respond(
        state,
        request.method(),
        request.uri().path(),
        request.uri().query(),
        accept,
    )
}
