//! A port that stays the collector's while it refuses connections.

use std::{io, net::SocketAddr};

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// A port that is kept. A socket that is bound and does not listen keeps the port while nothing
/// listens on it: connections are refused, and no other process is given the port.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    _kept: Socket,
}

impl Port {
    pub(super) fn keep(address: SocketAddr) -> anyhow::Result<Self> {
        let keep = || {
            let kept = bound(address)?;
            let address = kept.local_addr()?.as_socket();
            let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
            Ok::<_, io::Error>(Self {
                address,
                _kept: kept,
            })
        };
        keep().with_context(|| format!("cannot bind {address}: give a free one, or port 0"))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections until the listener is dropped.
    pub(super) fn listen(&self) -> anyhow::Result<TcpListener> {
        let listen = || {
            let socket = bound(self.address)?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket.into())
        };
        let address = self.address;
        listen().with_context(|| format!("cannot listen on {address}: give a free one, or port 0"))
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Two sockets may have the port as long as one of them at most listens.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_can_be_closed_and_opened_again() {
        let port = Port::keep("127.0.0.1:0".parse().unwrap()).unwrap();
        let refused = || TcpStream::connect(port.address()).unwrap_err().kind();
        assert_eq!(refused(), io::ErrorKind::ConnectionRefused);
        let listener = port.listen().unwrap();
        TcpStream::connect(port.address()).unwrap();
        // Nobody else can listen there meanwhile.
        let other = Port::keep(port.address()).and_then(|it| it.listen().map(drop));
        assert!(other.unwrap_err().to_string().contains("give a free one"));
        drop(listener);
        assert_eq!(refused(), io::ErrorKind::ConnectionRefused);
        port.listen().unwrap();
    }
}
