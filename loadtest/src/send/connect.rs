//! Opens connections: TCP, and TLS over it where wanted.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::settings::Tls;

/// At most one attempt to connect in this time; in between, requests fail at once.
const BACKOFF: Duration = Duration::from_millis(100);

/// A connection, with or without TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens connections to one target.
pub(super) struct Dialer {
    target: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The last failure and its time.
    failed: RefCell<Option<(Instant, String)>>,
}

impl Dialer {
    pub(super) fn new(target: &str, tls: Option<&Tls>, protocol: &[u8]) -> anyhow::Result<Self> {
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = match tls {
            None => None,
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned())
                    .with_context(|| format!("`{host}` is no name that a certificate can carry"))?;
                let mut config = client_config(tls)?;
                config.alpn_protocols = vec![protocol.to_vec()];
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self {
            target: target.into(),
            tls,
            failed: RefCell::default(),
        })
    }

    /// Connects; fails at once when the last attempt failed a moment ago.
    pub(super) async fn dial(&self) -> Result<Stream, String> {
        if let Some((at, why)) = &*self.failed.borrow()
            && at.elapsed() < BACKOFF
        {
            return Err(why.clone());
        }
        let outcome = self.connect().await.map_err(|error| reason(&error));
        *self.failed.borrow_mut() = match &outcome {
            Ok(_) => None,
            Err(why) => Some((Instant::now(), why.clone())),
        };
        outcome
    }

    async fn connect(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect(&self.target).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(stream)),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        }
    }

    /// How long to leave a target alone that cannot be reached.
    pub(super) const fn backoff() -> Duration {
        BACKOFF
    }
}

/// The name of a failure, the same for all of its kind.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset".into(),
        io::ErrorKind::UnexpectedEof => "connection closed".into(),
        _ => error.to_string(),
    }
}

fn client_config(tls: &Tls) -> anyhow::Result<rustls::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()?;
    let builder = if tls.insecure {
        let verifier = Arc::new(trust_everybody::Verifier::default());
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    } else {
        let ca = tls
            .ca
            .as_ref()
            .context("TLS needs --ca FILE or --insecure")?;
        let mut roots = rustls::RootCertStore::empty();
        let name = || format!("cannot read certificates from {}", ca.display());
        for certificate in CertificateDer::pem_file_iter(ca).with_context(name)? {
            roots.add(certificate.with_context(name)?)?;
        }
        builder.with_root_certificates(roots)
    };
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .with_context(|| format!("cannot read {}", certificate.display()))?
        .collect();
    let key_ = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read a key from {}", key.display()))?;
    Ok(builder.with_client_auth_cert(chain?, key_)?)
}

/// `--insecure`: a load test of one's own machine need not check whom it talks to.
mod trust_everybody {
    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    #[derive(Debug)]
    pub(super) struct Verifier(CryptoProvider);

    impl Default for Verifier {
        fn default() -> Self {
            Self(ring::default_provider())
        }
    }

    impl ServerCertVerifier for Verifier {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
