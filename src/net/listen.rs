//! Listening sockets: one a shard on the same port, so that the kernel spreads the connections.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel holds until they are accepted.
///
/// - Source: chosen: a reconnect of every sender at once; `net.core.somaxconn` caps it.
const BACKLOG: i32 = 4096;

/// How long a port may still be taken at the start. After a process that used io_uring was killed,
/// the kernel closes its listening sockets only a little later than it reports the end, so who
/// starts the next one at once would find the port taken.
///
/// - Source: measured: 4 to 17 ms on an idle host; chosen: 500 × 2 ms, enough for a busy one.
const TRIES: usize = 500;

/// Between two tries for a port that is taken.
const PAUSE: Duration = Duration::from_millis(2);

/// Binds `count` listening sockets to one address. Port 0 picks one free port for all of them.
/// Waits up to a second for a port that is taken; called at the start, before anything is served.
///
/// # Errors
///
/// The kernel's, with the address: taken by another process, not of this host, not permitted.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    };
    if address.port() != 0 {
        // SO_REUSEPORT would let a second process share the port in silence: ask without it first.
        drop(released(address).map_err(named)?);
    }
    let mut listeners = Vec::with_capacity(count);
    let mut address_bound = address;
    for _ in 0..count {
        let socket = bound(address_bound, true).map_err(named)?;
        socket.listen(BACKLOG).map_err(named)?;
        let listener = TcpListener::from(socket);
        address_bound = listener.local_addr().map_err(named)?;
        listeners.push(listener);
    }
    Ok((address_bound, listeners))
}

/// A socket that has the port for itself, once nobody else has it.
fn released(address: SocketAddr) -> io::Result<Socket> {
    for _ in 0..TRIES {
        match bound(address, false) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the kernel tells nobody when a port is free"
        )]
        thread::sleep(PAUSE);
    }
    bound(address, false)
}

fn bound(address: SocketAddr, share_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_listens_on_the_one_port_that_was_picked() {
        let (address, listeners) = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_ne!(address.port(), 0);
        assert_eq!(listeners.len(), 3);
        for listener in &listeners {
            assert_eq!(listener.local_addr().unwrap(), address);
        }
    }

    #[test]
    fn a_port_that_another_listener_holds_is_an_error_that_names_it() {
        let (address, _held) = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let error = bind(address, 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
