//! Where the parts of one run are, and the placeholders that tell a system of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::host::free_ports;

/// Addresses and the folder of one run.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where the system listens for gRPC.
    pub grpc: SocketAddr,
    /// Where it listens for OTLP/HTTP.
    pub http: SocketAddr,
    /// A free port for its own affairs.
    pub admin: SocketAddr,
    /// Where the collector listens, for every protocol.
    pub out: SocketAddr,
    /// A fresh folder.
    pub dir: PathBuf,
    /// Threads that the system should work with: as many as it has cores.
    pub workers: usize,
}

impl Places {
    /// Free ports in front of the collector.
    pub fn before(out: SocketAddr, dir: &Path, workers: usize) -> anyhow::Result<Self> {
        let [grpc, http, admin] = free_ports()?;
        Ok(Self {
            grpc,
            http,
            admin,
            out,
            dir: dir.to_owned(),
            workers,
        })
    }

    /// The names that stand in braces.
    pub(super) fn names(&self) -> [(&'static str, String); 12] {
        [
            ("{in}", self.grpc.to_string()),
            ("{in_port}", self.grpc.port().to_string()),
            ("{in_http}", self.http.to_string()),
            ("{in_http_port}", self.http.port().to_string()),
            ("{admin}", self.admin.to_string()),
            ("{admin_port}", self.admin.port().to_string()),
            ("{out}", self.out.to_string()),
            ("{out_port}", self.out.port().to_string()),
            ("{out_http}", self.out.to_string()),
            ("{out_http_port}", self.out.port().to_string()),
            ("{dir}", self.dir.display().to_string()),
            ("{workers}", self.workers.to_string()),
        ]
    }

    /// A text with the names filled in. Other braces stay: they may be the system's own syntax.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let names = self.names();
        names.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_other_braces_stay() {
        let out = SocketAddr::from(([127, 0, 0, 1], 9));
        let places = Places::before(out, Path::new("/x"), 2).unwrap();
        let text = places.fill("{in} {in_http_port} {out}/{out_http} {dir}/a ${HOME} {}{workers}");
        let (grpc, http) = (places.grpc, places.http.port());
        assert_eq!(
            text,
            format!("{grpc} {http} 127.0.0.1:9/127.0.0.1:9 /x/a ${{HOME}} {{}}2")
        );
        assert_ne!(places.grpc, places.http);
    }
}
