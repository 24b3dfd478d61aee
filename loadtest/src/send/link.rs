//! A connection of either protocol.

use std::{rc::Rc, time::Instant};

use super::{
    answer::Answer,
    connect::Dialer,
    grpc, http1,
    settings::{Protocol, Settings},
    source::Request,
};

/// A connection that is opened again when it breaks.
pub(super) enum Link {
    Grpc(grpc::Link),
    Http1(http1::Link),
}

impl Link {
    /// All connections of a sender, not yet open.
    pub(super) fn all(settings: &Settings) -> anyhow::Result<Vec<Rc<Self>>> {
        let count = settings.connections;
        let dialer =
            |protocol: &[u8]| Dialer::new(&settings.target, settings.tls.as_ref(), protocol);
        let links: anyhow::Result<Vec<_>> = match settings.protocol {
            Protocol::Grpc => {
                let heads = Rc::new(grpc::Heads::new(settings)?);
                let link = |_| Ok(Self::Grpc(grpc::Link::new(dialer(b"h2")?, heads.clone())));
                (0..count).map(link).collect()
            }
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                let heads = Rc::new(http1::Heads::new(settings)?);
                let link = |_| {
                    Ok(Self::Http1(http1::Link::new(
                        dialer(b"http/1.1")?,
                        heads.clone(),
                    )))
                };
                (0..count).map(link).collect()
            }
        };
        Ok(links?.into_iter().map(Rc::new).collect())
    }

    /// Opens the connection if it is not open.
    pub(super) async fn connect(&self) -> Result<(), String> {
        match self {
            Self::Grpc(link) => link.connect().await,
            Self::Http1(link) => link.connect().await,
        }
    }

    /// Sends the request and waits for its answer; says when it was handed over.
    pub(super) async fn exchange(&self, request: &Request, handed: impl FnOnce(Instant)) -> Answer {
        match self {
            Self::Grpc(link) => link.exchange(request, handed).await,
            Self::Http1(link) => link.exchange(request, handed).await,
        }
    }
}
