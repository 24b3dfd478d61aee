//! The collector as a whole: its two ports and their connections.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{JoinSet, LocalSet},
};
use tokio_rustls::TlsAcceptor;

use super::{
    behave::{Act, Script, Switch},
    buffered::Buffered,
    control,
    exchange::State,
    http1, http2,
    link::{Ending, Link},
    port::Port,
    tally::Tally,
};
use crate::{audit::Arrivals, results::CollectReport, telemetry::Level};

/// How HTTP/2 begins, as far as it differs from every HTTP/1.1 request.
const HTTP2: &[u8] = b"PRI * HTTP/2";

/// How long nothing is accepted when that has failed.
pub(super) const SHORT: Duration = Duration::from_millis(10);

/// What a collector is to be.
pub struct Options {
    /// Where telemetry is taken.
    pub listen: SocketAddr,
    /// Where it is controlled.
    pub control: SocketAddr,
    /// How closely items are looked at.
    pub level: Level,
    /// How it behaves at first.
    pub script: Script,
    /// TLS on the telemetry port.
    pub tls: Option<TlsAcceptor>,
    /// The largest HTTP/2 frame that senders may use, 16 KiB to 16 MiB - 1.
    pub max_frame: u32,
}

/// A collector whose ports are open.
pub struct Collector {
    port: Port,
    listener: TcpListener,
    control: TcpListener,
    shared: Shared,
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    state: Rc<State>,
    tls: Option<TlsAcceptor>,
    max_frame: u32,
}

/// What a collector has seen in its life.
#[derive(Debug)]
pub struct Finished {
    /// Totals.
    pub report: CollectReport,
    /// The items that arrived.
    pub arrivals: Arrivals,
}

impl Collector {
    /// Opens both ports.
    ///
    /// # Errors
    ///
    /// An address is taken or not this machine's.
    pub async fn bind(options: Options) -> anyhow::Result<Self> {
        let port = Port::keep(options.listen)?;
        let listener = port.listen()?;
        let control = TcpListener::bind(options.control).await;
        let control = control.with_context(|| {
            let address = options.control;
            format!("cannot bind the control port {address}: give a free one, or port 0")
        })?;
        let state = State {
            switch: Rc::new(Switch::new(options.script)),
            tally: Tally::new(options.level).into(),
        };
        Ok(Self {
            port,
            listener,
            control,
            shared: Shared {
                state: Rc::new(state),
                tls: options.tls,
                max_frame: options.max_frame,
            },
        })
    }

    /// Where telemetry is taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Where it is controlled.
    ///
    /// # Errors
    ///
    /// The socket has none.
    pub fn control_address(&self) -> std::io::Result<SocketAddr> {
        self.control.local_addr()
    }

    /// Serves until `end` is there, then breaks everything off.
    ///
    /// # Errors
    ///
    /// The port cannot be opened again after it was closed.
    pub async fn serve(self, end: impl Future<Output = ()>) -> anyhow::Result<Finished> {
        let Self {
            port,
            listener,
            control,
            shared,
        } = self;
        let state = Rc::clone(&shared.state);
        let tasks = LocalSet::new();
        let serving = tasks.run_until(async {
            tokio::select! {
                ended = accept(&port, listener, shared) => ended,
                () = control::run(control, Rc::clone(&state)) => Ok(()),
                () = state.switch.run() => Ok(()),
                () = end => Ok(()),
            }
        });
        serving.await?;
        drop(tasks);
        let report = report(&state);
        let arrivals = state.tally.take().into_arrivals();
        Ok(Finished { report, arrivals })
    }
}

/// What arrived so far.
pub(super) fn report(state: &State) -> CollectReport {
    CollectReport {
        misbehaved: state.switch.misbehaved(),
        ..state.tally.borrow().report()
    }
}

/// Takes connections while the behaviour allows; ends only by an error.
async fn accept(port: &Port, listener: TcpListener, shared: Shared) -> anyhow::Result<()> {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut behaviour = shared.state.switch.watch();
    loop {
        let next = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = next => match accepted {
                Ok((socket, _)) => {
                    connections.spawn_local(serve(socket, shared.clone()));
                }
                // The process is short of something, as of files: it may have it a little later.
                Err(_) => tokio::time::sleep(SHORT).await,
            },
            Some(_) = connections.join_next() => {}
            Ok(()) = behaviour.changed() => {
                let now = Rc::clone(&behaviour.borrow_and_update());
                if now.phase.act == Act::Refuse {
                    listener = None;
                    for _ in 0..connections.len() {
                        now.count();
                    }
                    connections.abort_all();
                } else if listener.is_none() {
                    listener = Some(port.listen()?);
                }
            }
        }
    }
}

/// Serves one connection. How it ends concerns nobody else.
async fn serve(socket: TcpStream, shared: Shared) {
    let ending = Rc::new(Ending::default());
    drop(socket.set_nodelay(true));
    let switch = Rc::clone(&shared.state.switch);
    let link = Link::new(socket, switch, Rc::clone(&ending));
    match shared.tls.clone() {
        None => speak(link, &shared, &ending).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(link).await {
                speak(stream, &shared, &ending).await;
            }
        }
    }
}

/// Finds out the protocol and speaks it.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: &Shared, ending: &Ending) {
    let mut stream = Buffered::new(stream);
    let Ok(http2) = stream.begins_with(HTTP2).await else {
        return;
    };
    if http2 {
        drop(http2::serve(stream, &shared.state, ending, shared.max_frame).await);
    } else {
        drop(http1::serve(stream, &shared.state, ending).await);
    }
}
