//! A sender: one connection, one transport, and every answer in the same words.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use flate2::{
    read::{GzDecoder, MultiGzDecoder},
    write::GzEncoder,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp::{encoding::Encoding, signal::Signal};
use prost::Message;
use tokio::net::TcpStream;
use tonic::{
    client::Grpc,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{
    Payload,
    codec::RawCodec,
    rpc::{ExportResponse, RpcStatus},
};

/// How a sender speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    Http1,
    Http2,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Grpc, Self::Http1, Self::Http2];
}

/// What a sender was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The gRPC code, or the HTTP status.
    pub(crate) code: u16,
    /// `RetryInfo`, or `Retry-After` in seconds.
    pub(crate) delay: Option<Duration>,
    /// The items that a partial success did not take.
    pub(crate) rejected: i64,
    /// Whether there was a partial success at all.
    pub(crate) partial: bool,
    /// The sentence of a refusal or of a partial success.
    pub(crate) message: String,
    /// Of HTTP answers.
    pub(crate) headers: HeaderMap,
}

impl Answer {
    /// Whether it says that the request was taken.
    pub(crate) fn accepted(&self) -> bool {
        matches!(self.code, 0 | 200)
    }

    fn taken(code: u16, body: &[u8], headers: HeaderMap) -> Self {
        let partial = ExportResponse::decode(body).unwrap().partial_success;
        Self {
            code,
            delay: None,
            partial: partial.is_some(),
            rejected: partial.as_ref().map_or(0, |partial| partial.rejected),
            message: partial
                .map(|partial| partial.error_message)
                .unwrap_or_default(),
            headers,
        }
    }

    fn of_grpc(answer: Result<tonic::Response<Bytes>, tonic::Status>) -> Self {
        match answer {
            Ok(response) => Self::taken(0, response.get_ref(), HeaderMap::new()),
            Err(status) => Self {
                code: u16::try_from(i32::from(status.code())).unwrap(),
                delay: RpcStatus::decode(status.details()).unwrap().retry_delay(),
                partial: false,
                rejected: 0,
                message: status.message().to_owned(),
                headers: status.metadata().clone().into_headers(),
            },
        }
    }

    fn of_http(status: u16, headers: HeaderMap, body: &[u8]) -> Self {
        if status == 200 {
            return Self::taken(status, body, headers);
        }
        let seconds = headers.get(header::RETRY_AFTER).map(|value| {
            value
                .to_str()
                .unwrap()
                .parse()
                .expect("Retry-After is a number of seconds")
        });
        let message = RpcStatus::decode(body)
            .expect("a refusal is a google.rpc.Status")
            .message;
        let delay = seconds.map(Duration::from_secs);
        Self {
            code: status,
            delay,
            partial: false,
            rejected: 0,
            message,
            headers,
        }
    }
}

/// An error of the connection: no answer came.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// One connection to a receiver.
#[derive(Debug)]
pub(crate) struct Sender {
    address: SocketAddr,
    gzip: bool,
    headers: HeaderMap,
    wire: Wire,
}

#[derive(Debug)]
enum Wire {
    Grpc(Channel),
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Opens a connection, or stops the test.
    pub(crate) async fn connect(address: SocketAddr, transport: Transport) -> Self {
        Self::try_connect(address, transport).await.unwrap()
    }

    /// Opens a connection.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        transport: Transport,
    ) -> Result<Self, Broken> {
        let wire = if transport == Transport::Grpc {
            Wire::Grpc(
                Endpoint::from_shared(format!("http://{address}"))?
                    .connect()
                    .await?,
            )
        } else {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let io = TokioIo::new(stream);
            if transport == Transport::Http1 {
                let (wire, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Wire::Http1(wire)
            } else {
                let (wire, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Wire::Http2(wire)
            }
        };
        Ok(Self {
            address,
            gzip: false,
            headers: HeaderMap::new(),
            wire,
        })
    }

    /// The same sender with its bodies in gzip.
    pub(crate) fn gzip(self) -> Self {
        Self { gzip: true, ..self }
    }

    /// The same sender with one more header in each request of [`Sender::send`].
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, value.parse().unwrap());
        self
    }

    /// Sends a request and waits for the answer, or stops the test where none comes.
    pub(crate) async fn send(&mut self, payload: &Payload) -> Answer {
        self.try_send(payload).await.unwrap()
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn try_send(&mut self, payload: &Payload) -> Result<Answer, Broken> {
        let Wire::Grpc(channel) = &self.wire else {
            let request = self.http_request(payload);
            return self.try_request(request).await;
        };
        let mut grpc = Grpc::new(channel.clone());
        if self.gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await?;
        let mut request = tonic::Request::new(payload.body.clone());
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let path = grpc_path(payload.signal).parse().unwrap();
        Ok(Answer::of_grpc(grpc.unary(request, path, RawCodec).await))
    }

    /// Sends a body that was packed already and waits for the answer. gRPC is framed by hand, on
    /// a sender of [`Transport::Http2`], and its answer has no message.
    pub(crate) async fn send_packed(
        &mut self,
        transport: Transport,
        signal: Signal,
        encoding: Encoding,
        wire: &Bytes,
    ) -> Answer {
        if transport != Transport::Grpc {
            let request = Request::post(http_path(signal))
                .header(header::CONTENT_TYPE, "application/x-protobuf")
                .header(header::CONTENT_ENCODING, encoding.name());
            return self.request(request.body(wire.clone()).unwrap()).await;
        }
        let length = u32::try_from(wire.len()).unwrap().to_be_bytes();
        let flag = u8::from(encoding.is_packed());
        let framed = [&[flag][..], &length, wire].concat();
        let request = Request::post(grpc_path(signal))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header("grpc-encoding", encoding.name());
        let headers = self
            .grpc_by_hand(request.body(framed.into()).unwrap())
            .await;
        Answer {
            code: headers["grpc-status"].to_str().unwrap().parse().unwrap(),
            delay: None,
            partial: false,
            rejected: 0,
            message: String::new(),
            headers,
        }
    }

    /// The HTTP request that carries a payload.
    fn http_request(&self, payload: &Payload) -> Request<Bytes> {
        let mut request = Request::post(http_path(payload.signal))
            .header(header::CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.gzip {
            request
                .header(header::CONTENT_ENCODING, "gzip")
                .body(gzip(&payload.body))
                .unwrap()
        } else {
            request.body(payload.body.clone()).unwrap()
        }
    }

    /// Sends any HTTP request; its target gets the authority that the version asks for.
    pub(crate) async fn request(&mut self, request: Request<Bytes>) -> Answer {
        self.try_request(request).await.unwrap()
    }

    async fn try_request(&mut self, request: Request<Bytes>) -> Result<Answer, Broken> {
        let (status, headers, body) = self.exchange(request).await?;
        Ok(Answer::of_http(status, headers, &body))
    }

    /// Gets a page: status, headers and body as they are.
    pub(crate) async fn get(&mut self, path: &str) -> (u16, HeaderMap, Bytes) {
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .body(Bytes::new());
        self.exchange(request.unwrap()).await.unwrap()
    }

    /// Sends a gRPC request that was framed by hand: the headers and trailers of the answer.
    pub(crate) async fn grpc_by_hand(&mut self, request: Request<Bytes>) -> HeaderMap {
        let mut response = self.open(request).await.unwrap();
        assert_eq!(response.status(), 200, "a gRPC answer is HTTP 200");
        let mut headers = std::mem::take(response.headers_mut());
        let body = response.into_body().collect().await.unwrap();
        headers.extend(body.trailers().cloned().unwrap_or_default());
        headers
    }

    /// A further sender on the same gRPC connection.
    pub(crate) fn share(&self) -> Self {
        let Wire::Grpc(channel) = &self.wire else {
            panic!("only a gRPC connection is shared");
        };
        Self {
            address: self.address,
            gzip: self.gzip,
            headers: self.headers.clone(),
            wire: Wire::Grpc(channel.clone()),
        }
    }

    async fn exchange(
        &mut self,
        request: Request<Bytes>,
    ) -> Result<(u16, HeaderMap, Bytes), Broken> {
        let (parts, body) = self.open(request).await?.into_parts();
        Ok((
            parts.status.as_u16(),
            parts.headers,
            body.collect().await?.to_bytes(),
        ))
    }

    async fn open(&mut self, request: Request<Bytes>) -> Result<Response<Incoming>, Broken> {
        let (mut parts, body) = request.into_parts();
        let body = Full::new(body);
        let authority = self.address.to_string();
        Ok(match &mut self.wire {
            Wire::Grpc(_) => panic!("a gRPC sender sends no plain HTTP requests"),
            Wire::Http1(wire) => {
                parts.headers.insert(header::HOST, authority.parse()?);
                wire.ready().await?;
                wire.send_request(Request::from_parts(parts, body)).await?
            }
            Wire::Http2(wire) => {
                parts.uri = format!("http://{authority}{}", parts.uri).parse()?;
                parts.version = Version::HTTP_2;
                wire.ready().await?;
                wire.send_request(Request::from_parts(parts, body)).await?
            }
        })
    }
}

/// The bytes in one gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Bytes {
    pack(Encoding::Gzip, bytes)
}

/// The bytes in one gzip member or zstd frame.
pub(crate) fn pack(encoding: Encoding, bytes: &[u8]) -> Bytes {
    use std::io::Write;
    match encoding {
        Encoding::Identity => Bytes::copy_from_slice(bytes),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap().into()
        }
        Encoding::Zstd => zstd::stream::encode_all(bytes, 3).unwrap().into(),
    }
}

/// What was packed: the first gzip member or zstd frame of it, or every one.
pub(crate) fn unpack(encoding: Encoding, bytes: &[u8], every_member: bool) -> Bytes {
    use std::io::Read;
    let mut unpacked = Vec::new();
    let read = match (encoding, every_member) {
        (Encoding::Identity, _) => return Bytes::copy_from_slice(bytes),
        (Encoding::Gzip, false) => GzDecoder::new(bytes).read_to_end(&mut unpacked),
        (Encoding::Gzip, true) => MultiGzDecoder::new(bytes).read_to_end(&mut unpacked),
        (Encoding::Zstd, false) => {
            let mut first = zstd::Decoder::new(bytes).unwrap().single_frame();
            first.read_to_end(&mut unpacked)
        }
        (Encoding::Zstd, true) => {
            let mut all = zstd::Decoder::new(bytes).unwrap();
            all.read_to_end(&mut unpacked)
        }
    };
    assert_eq!(read.unwrap(), unpacked.len());
    unpacked.into()
}

/// The gRPC path of a signal, as the specification writes it.
pub(crate) const fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Profiles => {
            "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        }
    }
}

/// The HTTP path of a signal, as the specification writes it.
pub(crate) const fn http_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
        Signal::Profiles => "/v1development/profiles",
    }
}
