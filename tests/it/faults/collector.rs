//! A collector that does to each request what a script says, down to the frames and the socket.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::Instant,
};

use super::{act::Act, grpc, http1};

/// What a collector speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Grpc,
    Http1,
}

impl Wire {
    pub(super) const ALL: [Self; 2] = [Self::Grpc, Self::Http1];

    /// As `protocol` is written in the configuration.
    pub(super) const fn protocol(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http1 => "http/protobuf",
        }
    }
}

/// One attempt as it came: a request, or a connection that was closed before there was one.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) at: Instant,
    /// The message; none where the connection was closed first.
    pub(super) body: Option<Bytes>,
    pub(super) act: Act,
}

/// What every connection shares.
#[derive(Debug)]
pub(super) struct Script {
    acts: watch::Sender<VecDeque<Act>>,
    /// What comes when the script is over.
    then: Act,
    seen: watch::Sender<Vec<Attempt>>,
}

impl Script {
    /// What to do with the next request.
    pub(super) fn next(&self, body: Bytes) -> Act {
        let mut act = None;
        self.acts.send_modify(|acts| act = acts.pop_front());
        let act = act.unwrap_or_else(|| self.then.clone());
        self.note(Some(body), act.clone());
        act
    }

    /// Whether the next connection is to be closed at once.
    fn closes(&self) -> bool {
        let mut closes = false;
        self.acts.send_modify(|acts| {
            closes = *acts.front().unwrap_or(&self.then) == Act::CloseAtAccept;
            if closes {
                acts.pop_front();
            }
        });
        if closes {
            self.note(None, Act::CloseAtAccept);
        }
        closes
    }

    fn note(&self, body: Option<Bytes>, act: Act) {
        let at = Instant::now();
        self.seen
            .send_modify(|seen| seen.push(Attempt { at, body, act }));
    }
}

/// A collector that may not listen yet. Dropped, it is gone with every connection.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) address: SocketAddr,
    script: Arc<Script>,
    serving: JoinSet<()>,
    /// Keeps the port while nobody listens on it.
    _kept: Socket,
}

impl Collector {
    /// A collector whose port refuses connections until [`Collector::listen`].
    pub(super) fn new(acts: impl IntoIterator<Item = Act>, then: Act) -> Self {
        let kept = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self {
            address: kept.local_addr().unwrap().as_socket().unwrap(),
            script: Arc::new(Script {
                acts: watch::Sender::new(acts.into_iter().collect()),
                then,
                seen: watch::Sender::default(),
            }),
            serving: JoinSet::new(),
            _kept: kept,
        }
    }

    /// A collector that takes connections.
    pub(super) fn listening(wire: Wire, acts: impl IntoIterator<Item = Act>, then: Act) -> Self {
        let mut collector = Self::new(acts, then);
        collector.listen(wire);
        collector
    }

    /// Takes connections from now on.
    pub(super) fn listen(&mut self, wire: Wire) {
        let socket = bound(self.address);
        socket.listen(64).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let script = Arc::clone(&self.script);
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if script.closes() {
                    continue;
                }
                let script = Arc::clone(&script);
                connections.spawn(async move {
                    match wire {
                        Wire::Grpc => grpc::serve(stream, &script).await,
                        Wire::Http1 => http1::serve(stream, &script).await,
                    }
                });
            }
        });
    }

    /// Every attempt so far.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.script.seen.borrow().clone()
    }
}

fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // One socket listens at the most.
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

/// Makes the close of a connection a reset (RST).
pub(super) fn reset_at_close(stream: &TcpStream) {
    SockRef::from(stream)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
}
