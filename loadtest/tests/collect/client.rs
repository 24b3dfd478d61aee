//! A collector in this process, and clients of it on libraries of their own.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use loadtest::{
    collect::{Collector, Finished, Options},
    results::CollectReport,
    telemetry::Level,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
};

/// A test that takes longer hangs: it fails instead.
const HANGS: Duration = Duration::from_secs(60);

/// Where a collector under test is.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub control: SocketAddr,
}

/// Runs `test` against a collector that begins to behave so.
pub fn with(script: &str, test: impl AsyncFnOnce(Target)) -> Finished {
    with_options(options(script), test)
}

pub fn options(script: &str) -> Options {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Options {
        listen: any,
        control: any,
        level: Level::Full,
        script: script.parse().unwrap(),
        tls: None,
        max_frame: 16 << 10,
    }
}

pub fn with_options(options: Options, test: impl AsyncFnOnce(Target)) -> Finished {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let collector = Collector::bind(options).await.unwrap();
        let target = Target {
            address: collector.address(),
            control: collector.control_address().unwrap(),
        };
        let (end, ended) = oneshot::channel::<()>();
        let testing = async {
            tokio::time::timeout(HANGS, test(target)).await.unwrap();
            drop(end);
        };
        let (finished, ()) = tokio::join!(
            collector.serve(async {
                drop(ended.await);
            }),
            testing
        );
        finished.unwrap()
    })
}

impl Target {
    /// Changes the behaviour; the status of the answer and its text.
    pub async fn behave(self, script: &str) -> (StatusCode, String) {
        self.control(Method::PUT, "/behave", script).await
    }

    pub async fn stats(self) -> CollectReport {
        let (status, body) = self.control(Method::GET, "/stats", "").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    pub async fn control(self, method: Method, path: &str, body: &str) -> (StatusCode, String) {
        let (status, body) = self.control_bytes(method, path, body).await;
        (status, String::from_utf8(body.into()).unwrap())
    }

    pub async fn control_bytes(
        self,
        method: Method,
        path: &str,
        body: &str,
    ) -> (StatusCode, Bytes) {
        let stream = TcpStream::connect(self.control).await.unwrap();
        let mut client = Http1::on(stream).await;
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let reply = client.send(request).await.unwrap();
        (reply.status, reply.body)
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Reply {
    /// The gRPC status, wherever it is; -1 if there is none.
    pub fn grpc_status(&self) -> i32 {
        let value = self.trailers.get("grpc-status");
        let value = value.or_else(|| self.headers.get("grpc-status"));
        value.map_or(-1, |it| it.to_str().unwrap().parse().unwrap())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The only message of an answered call.
    pub fn message(&self) -> Bytes {
        let length = u32::from_be_bytes(self.body[1..5].try_into().unwrap());
        assert_eq!(length as usize + 5, self.body.len());
        self.body.slice(5..)
    }
}

/// What an export may end with instead of an answer, as far as tests tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Closed,
    Reset,
}

impl Broken {
    fn of(error: Option<&io::Error>) -> Self {
        match error.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionReset) => Self::Reset,
            _ => Self::Closed,
        }
    }
}

/// A client on HTTP/2.
#[derive(Clone)]
pub struct Http2 {
    requests: SendRequest<Bytes>,
    /// How the connection ends.
    connection: Shared<BoxFuture<'static, Result<(), Broken>>>,
}

pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

impl Http2 {
    pub async fn connect(target: Target) -> Self {
        Self::on(TcpStream::connect(target.address).await.unwrap()).await
    }

    pub async fn on(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let ended = connection.await;
            tell.send(ended.map_err(|it| Broken::of(it.get_io())))
        });
        Self {
            requests,
            connection: told.map(Result::unwrap).boxed().shared(),
        }
    }

    /// A gRPC call; `coding` compresses nothing, it says what the message is.
    pub async fn call(
        &self,
        path: &str,
        message: &[u8],
        coding: Option<&str>,
    ) -> Result<Reply, Broken> {
        let mut body = BytesMut::new();
        body.put_u8(u8::from(coding.is_some()));
        body.put_u32(u32::try_from(message.len()).unwrap());
        body.put_slice(message);
        let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
        headers.extend(coding.map(|it| ("grpc-encoding", it)));
        self.post(path, &headers, body.freeze()).await
    }

    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, Broken> {
        match self.try_post(path, headers, body).await {
            Ok(reply) => Ok(reply),
            // How the connection has ended says more than what became of its streams.
            Err(_) => Err(self
                .connection
                .clone()
                .await
                .err()
                .unwrap_or(Broken::Closed)),
        }
    }

    async fn try_post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, h2::Error> {
        let uri = format!("http://collector{path}");
        let mut request = Request::builder().method(Method::POST).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request.body(()).unwrap(), false)?;
        stream.send_data(body, true)?;
        let (parts, mut stream) = response.await?.into_parts();
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.data().await {
            let chunk = chunk?;
            stream.flow_control().release_capacity(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.freeze(),
            trailers: stream.trailers().await?.unwrap_or_default(),
        })
    }

    /// Waits until the connection ends, in order or not.
    pub async fn ended(self) -> Result<(), Broken> {
        drop(self.requests);
        self.connection.await
    }
}

/// A client on HTTP/1.1.
pub struct Http1 {
    requests: http1::SendRequest<Full<Bytes>>,
}

impl Http1 {
    pub async fn connect(target: Target) -> Self {
        Self::on(TcpStream::connect(target.address).await.unwrap()).await
    }

    pub async fn on(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        Self { requests }
    }

    pub async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply, Broken> {
        let mut request = Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::new(body.into())).unwrap())
            .await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Broken> {
        let broken = |error: hyper::Error| {
            let source = std::error::Error::source(&error);
            Broken::of(source.and_then(|it| it.downcast_ref()))
        };
        self.requests.ready().await.map_err(broken)?;
        let response = self.requests.send_request(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body,
            trailers: HeaderMap::new(),
        })
    }
}
