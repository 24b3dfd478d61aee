//! Ports for systems that cannot say which port they took.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context as _;

/// Free ports of the loopback address, all different. They are free when this returns; somebody
/// else may take one before it is used, and then the system that was given it says so.
pub fn free_ports<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()
        .context("no free port at 127.0.0.1")?;
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener
            .local_addr()
            .context("a listener without an address")?;
    }
    Ok(addresses)
}
