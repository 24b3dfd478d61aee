//! Ports for systems that cannot say which port they took.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, bail};

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

/// Where ports are looked for that keep for a while: below those that kernels hand out to
/// connections, so that no connection takes one while its owner is away for a moment. A sender
/// that tries again and again could even meet itself there.
const LASTING: std::ops::Range<u16> = 20_000..32_000;

/// Ports of the loopback address, all different, that can be given up and taken again.
pub fn lasting_ports<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    // Several of these may look for ports at once: each begins somewhere else.
    let begin = std::process::id() % u32::from(LASTING.end - LASTING.start);
    let places = LASTING.cycle().skip(begin as usize);
    let mut found = places
        .step_by(7)
        .take(usize::from(LASTING.end - LASTING.start))
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .filter(|address| TcpListener::bind(address).is_ok());
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for address in &mut addresses {
        let Some(free) = found.next() else {
            bail!("no free port at 127.0.0.1 within {LASTING:?}: end what uses them");
        };
        *address = free;
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasting_ports_are_free_different_and_not_those_of_connections() {
        let ports: [SocketAddr; 3] = lasting_ports().unwrap();
        assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
        for address in ports {
            assert!(LASTING.contains(&address.port()));
            TcpListener::bind(address).unwrap();
        }
    }
}
