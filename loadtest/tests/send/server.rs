//! A server that answers as a test wants.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection it came on, from 0.
    pub connection: usize,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Bytes of its longest frame.
    pub longest: usize,
}

/// What to do with it.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer(Box<Answer>),
    /// Never answer.
    Hang,
    /// End the connection.
    Close,
}

/// Head, body and trailers; without a body the trailers are in the head.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
}

impl Reply {
    fn new(status: StatusCode, headers: HeaderMap, body: Bytes, trailers: HeaderMap) -> Self {
        Self::Answer(Box::new(Answer {
            status,
            headers,
            body,
            trailers,
        }))
    }

    /// Acknowledged over gRPC.
    pub fn ok() -> Self {
        Self::message(b"")
    }

    /// Acknowledged over gRPC with a message.
    pub fn message(message: &[u8]) -> Self {
        let mut body = vec![0];
        body.extend((message.len() as u32).to_be_bytes());
        body.extend(message);
        Self::new(StatusCode::OK, HeaderMap::new(), body.into(), status("0"))
    }

    /// Refused over gRPC; the details are base64.
    pub fn refused(code: &str, details: Option<&str>) -> Self {
        let mut trailers = status(code);
        if let Some(details) = details {
            trailers.insert("grpc-status-details-bin", details.parse().unwrap());
        }
        Self::new(StatusCode::OK, HeaderMap::new(), Bytes::new(), trailers)
    }

    /// Answered over HTTP/1.1.
    pub fn http(code: u16, headers: &[(&'static str, &str)], body: &'static str) -> Self {
        let headers = headers
            .iter()
            .map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let code = StatusCode::from_u16(code).unwrap();
        Self::new(code, headers.collect(), body.into(), HeaderMap::new())
    }
}

fn status(code: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())])
}

/// Everything that a server saw, in order.
pub type Log = Arc<Mutex<Vec<Seen>>>;

type Handler = dyn Fn(usize, &Seen) -> Reply + Send + Sync;

/// Serves over HTTP/2 or HTTP/1.1 until the test ends. The handler gets the number of the request.
pub fn serve(
    grpc: bool,
    tls: Option<TlsAcceptor>,
    handler: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
) -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let seen = log.clone();
    let handler: Arc<Handler> = Arc::new(handler);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, handler, tls) = (seen.clone(), handler.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                speak(grpc, stream, connection, seen, handler).await;
                            }
                        }
                        None => speak(grpc, stream, connection, seen, handler).await,
                    }
                });
            }
        });
    });
    (address, log)
}

async fn speak<S>(grpc: bool, stream: S, connection: usize, log: Log, handler: Arc<Handler>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if grpc {
        http2(stream, connection, log, handler).await;
    } else {
        http1(stream, connection, log, handler).await;
    }
}

fn note(log: &Log, handler: &Handler, seen: Seen) -> Reply {
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    handler(number, &seen)
}

async fn http2<S>(stream: S, connection: usize, log: Log, handler: Arc<Handler>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(1 << 24)
        .initial_connection_window_size(1 << 24);
    let Ok(mut server) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    let close = Arc::new(tokio::sync::Notify::new());
    loop {
        let next = tokio::select! {
            next = server.accept() => next,
            () = close.notified() => return,
        };
        let Some(Ok((request, mut respond))) = next else {
            return;
        };
        let (log, handler, close) = (log.clone(), handler.clone(), close.clone());
        tokio::spawn(async move {
            let (head, mut stream) = request.into_parts();
            let (mut body, mut longest) = (BytesMut::new(), 0);
            while let Some(chunk) = stream.data().await {
                let Ok(chunk) = chunk else { return };
                let _ = stream.flow_control().release_capacity(chunk.len());
                body.extend_from_slice(&chunk);
                longest = longest.max(chunk.len());
            }
            let seen = Seen {
                connection,
                path: head.uri.path().into(),
                headers: head.headers,
                body: body.freeze(),
                longest,
            };
            match note(&log, &*handler, seen) {
                Reply::Answer(answer) => {
                    let Answer {
                        status,
                        headers,
                        body,
                        trailers,
                    } = *answer;
                    let mut response = Response::new(());
                    *response.status_mut() = status;
                    *response.headers_mut() = headers;
                    if body.is_empty() {
                        response.headers_mut().extend(trailers);
                        let _ = respond.send_response(response, true);
                    } else if let Ok(mut stream) = respond.send_response(response, false) {
                        let _ = stream.send_data(body, false);
                        let _ = stream.send_trailers(trailers);
                    }
                }
                Reply::Hang => std::future::pending().await,
                Reply::Close => close.notify_one(),
            }
        });
    }
}

async fn http1<S>(stream: S, connection: usize, log: Log, handler: Arc<Handler>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service =
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (log, handler) = (log.clone(), handler.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(|_| "cut short")?.to_bytes();
                let seen = Seen {
                    connection,
                    path: head.uri.path().into(),
                    headers: head.headers,
                    longest: body.len(),
                    body,
                };
                match note(&log, &*handler, seen) {
                    Reply::Answer(answer) => {
                        let Answer {
                            status,
                            headers,
                            body,
                            ..
                        } = *answer;
                        let mut response = Response::new(Full::new(body));
                        *response.status_mut() = status;
                        *response.headers_mut() = headers;
                        Ok(response)
                    }
                    Reply::Hang => std::future::pending().await,
                    Reply::Close => Err("closed"),
                }
            }
        });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
