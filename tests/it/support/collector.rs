//! A collector that keeps every byte it is sent and misbehaves on command.
//!
//! One port speaks OTLP/gRPC (tonic's framing and statuses), OTLP/HTTP 1.1 and HTTP/2.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use otlp::{encoding::Encoding, signal::Signal};
use prost::Message;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tonic::{Code, Status, body::Body, codegen::Service, server::Grpc};

use super::{
    codec::RawCodec,
    count_ids, ids_in,
    rpc::{ExportResponse, PartialSuccess, RpcStatus},
    sender::{grpc_path, http_path, unpack},
    within,
};

/// What the collector does with a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Behaviour {
    /// Takes it.
    Accept,
    /// Answers nothing until the behaviour changes, then does what it changed to.
    Hold,
    /// Takes it but for some items, or with a warning where that is 0.
    Partial {
        rejected: i64,
        message: &'static str,
    },
    /// Refuses it with this gRPC code, with a `RetryInfo` where there is a delay.
    Refuse { code: Code, delay: Option<Duration> },
    /// Refuses it with this HTTP status, with this `Retry-After`.
    RefuseHttp {
        status: u16,
        retry_after: Option<&'static str>,
    },
    /// Refuses it as bad where it holds the item with this id, and takes it otherwise.
    Poison(u64),
    /// Refuses it as too large where it has more bytes than this, and takes it otherwise.
    TooLarge(usize),
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) signal: Signal,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// The message, unpacked.
    pub(crate) body: Bytes,
    /// The message as it came.
    pub(crate) wire: Bytes,
}

/// Everything that arrived, and which of it was taken.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) arrived: Vec<Received>,
    pub(crate) accepted: Vec<Received>,
}

/// A running collector. Dropped or stopped, it closes its port and every connection.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    serving: JoinSet<()>,
}

#[derive(Debug)]
struct Inner {
    behaviour: watch::Sender<Behaviour>,
    log: watch::Sender<Log>,
    /// Whether it reads all members of a packed body, or the first alone as many libraries do.
    every_member: AtomicBool,
}

impl Collector {
    /// A collector on a free port that takes everything.
    pub(crate) async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same at a given address, as after a restart.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            behaviour: watch::Sender::new(Behaviour::Accept),
            log: watch::Sender::new(Log::default()),
            every_member: AtomicBool::new(false),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            serving,
        }
    }

    /// Closes the port and every connection, and waits until they are closed.
    pub(crate) async fn stop(mut self) -> SocketAddr {
        self.serving.shutdown().await;
        self.address
    }

    /// Reads all gzip members or zstd frames of a body from now on.
    pub(crate) fn read_every_member(&self) {
        self.inner.every_member.store(true, Ordering::Relaxed);
    }

    /// What it does from now on; requests on hold are let go into it.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.inner.behaviour.send_replace(behaviour);
    }

    /// Reads the log.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.inner.log.borrow())
    }

    /// Waits until the log holds what is asked for.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Log) -> bool) {
        let mut log = self.inner.log.subscribe();
        drop(within(what, log.wait_for(|log| holds(log))).await.unwrap());
    }

    /// How often each item was taken.
    pub(crate) fn accepted_ids(&self, signal: Signal) -> BTreeMap<u64, usize> {
        self.read(|log| {
            let of_signal = log
                .accepted
                .iter()
                .filter(|received| received.signal == signal);
            count_ids(of_signal.flat_map(|received| ids_in(signal, &received.body)))
        })
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    // The set is dropped with this task, and its connections with the set.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&inner), request));
            let server = auto::Builder::new(TokioExecutor::new());
            // A sender that goes away is its own affair.
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    inner: Arc<Inner>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let is_grpc =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        return Ok(answer_http(&inner, request).await);
    }
    let path = request.uri().path();
    let Some(signal) = Signal::ALL
        .into_iter()
        .find(|signal| grpc_path(*signal) == path)
    else {
        return Ok(Status::unimplemented(format!("{path} is not a method")).into_http());
    };
    let (mut parts, body) = request.into_parts();
    let Ok(framed) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        return Ok(Status::cancelled("the sender is gone").into_http());
    };
    let headers = parts.headers.clone();
    // tonic sees what was inside the packing: which packings there are is the test's own affair.
    let encoding = parts.headers.remove("grpc-encoding");
    let length = framed.get(1..5).map(|length| length.try_into().unwrap());
    if length.map(u32::from_be_bytes) != framed.len().checked_sub(5).and_then(|n| n.try_into().ok())
    {
        return Ok(Status::internal("not one whole message").into_http());
    }
    let wire = framed.slice(5..);
    let body = match (framed[0], encoding) {
        (0, _) => wire.clone(),
        (1, Some(encoding)) => inner.unpack(&encoding, &wire),
        _ => return Ok(Status::internal("compressed, and nobody says how").into_http()),
    };
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let unpacked: Bytes = [&[0][..], &length, &body].concat().into();
    let export = Export {
        inner,
        signal,
        version: parts.version,
        headers,
        wire,
    };
    let mut grpc = Grpc::new(RawCodec).max_decoding_message_size(256 << 20);
    let request = Request::from_parts(parts, Full::new(unpacked));
    Ok(grpc.unary(export, request).await)
}

/// The unary method of one signal.
struct Export {
    inner: Arc<Inner>,
    signal: Signal,
    version: Version,
    headers: HeaderMap,
    wire: Bytes,
}

impl Service<tonic::Request<Bytes>> for Export {
    type Response = tonic::Response<Bytes>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let (signal, version) = (self.signal, self.version);
        let (headers, wire) = (self.headers.clone(), self.wire.clone());
        Box::pin(async move {
            let received = Received {
                signal,
                version,
                headers,
                body: request.into_inner(),
                wire,
            };
            match inner.decide(received).await {
                Verdict::Taken(response) => {
                    Ok(tonic::Response::new(response.encode_to_vec().into()))
                }
                Verdict::Refused { code, delay, .. } => {
                    let number = i32::from(code);
                    let details = RpcStatus::new(number, "the collector says no", delay);
                    Err(Status::with_details(
                        code,
                        "the collector says no",
                        delay
                            .map(|_| details.encode_to_vec().into())
                            .unwrap_or_default(),
                    ))
                }
            }
        })
    }
}

async fn answer_http(inner: &Inner, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| http_path(*signal) == path);
    let Some(signal) = signal else {
        return Response::builder().status(404).body(Body::empty()).unwrap();
    };
    let Ok(body) = body.collect().await else {
        return Response::builder().status(400).body(Body::empty()).unwrap();
    };
    let wire = body.to_bytes();
    let body = match parts.headers.get(http::header::CONTENT_ENCODING) {
        Some(encoding) => inner.unpack(encoding, &wire),
        None => wire.clone(),
    };
    let received = Received {
        signal,
        version: parts.version,
        headers: parts.headers,
        body,
        wire,
    };
    let response = Response::builder().header(http::header::CONTENT_TYPE, "application/x-protobuf");
    let (response, body) = match inner.decide(received).await {
        Verdict::Taken(message) => (response.status(200), message.encode_to_vec()),
        Verdict::Refused {
            status,
            retry_after,
            code,
            ..
        } => {
            let response = match retry_after {
                Some(value) => response.header(http::header::RETRY_AFTER, value),
                None => response,
            };
            let message = RpcStatus::new(i32::from(code), "the collector says no", None);
            (response.status(status), message.encode_to_vec())
        }
    };
    response
        .body(Body::new(Full::new(Bytes::from(body))))
        .unwrap()
}

/// What was decided, in both protocols' words.
enum Verdict {
    Taken(ExportResponse),
    Refused {
        code: Code,
        delay: Option<Duration>,
        status: u16,
        retry_after: Option<&'static str>,
    },
}

impl Inner {
    fn unpack(&self, encoding: &HeaderValue, wire: &[u8]) -> Bytes {
        let encoding = Encoding::from_name(encoding.as_bytes()).unwrap();
        unpack(encoding, wire, self.every_member.load(Ordering::Relaxed))
    }

    async fn decide(&self, received: Received) -> Verdict {
        self.log
            .send_modify(|log| log.arrived.push(received.clone()));
        let mut behaviour = self.behaviour.subscribe();
        let behaviour = behaviour
            .wait_for(|now| *now != Behaviour::Hold)
            .await
            .unwrap()
            .clone();
        let bad = Verdict::Refused {
            code: Code::InvalidArgument,
            delay: None,
            status: 400,
            retry_after: None,
        };
        let partial_success = match behaviour {
            Behaviour::Accept | Behaviour::Hold => None,
            Behaviour::Partial { rejected, message } => Some(PartialSuccess {
                rejected,
                error_message: message.to_owned(),
            }),
            Behaviour::Refuse { code, delay } => {
                return Verdict::Refused {
                    code,
                    delay,
                    status: 500,
                    retry_after: None,
                };
            }
            Behaviour::RefuseHttp {
                status,
                retry_after,
            } => {
                return Verdict::Refused {
                    code: Code::Unknown,
                    delay: None,
                    status,
                    retry_after,
                };
            }
            Behaviour::Poison(id) if ids_in(received.signal, &received.body).contains(&id) => {
                return bad;
            }
            Behaviour::TooLarge(bytes_max) if received.body.len() > bytes_max => {
                return Verdict::Refused {
                    code: Code::ResourceExhausted,
                    delay: None,
                    status: 413,
                    retry_after: None,
                };
            }
            Behaviour::Poison(_) | Behaviour::TooLarge(_) => None,
        };
        // Written down before the answer leaves: what a sender is told is never ahead of the log.
        self.log.send_modify(|log| log.accepted.push(received));
        Verdict::Taken(ExportResponse { partial_success })
    }
}
