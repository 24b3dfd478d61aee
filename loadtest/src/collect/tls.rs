//! The collector's certificate: given, or made for the occasion.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// Makes an authority and a certificate of it for `localhost`, 127.0.0.1 and `::1`, and writes
/// `ca.pem`, `cert.pem` and `key.pem` into `directory`, which is made if it is missing.
///
/// # Errors
///
/// The directory cannot be written.
pub fn self_signed(directory: &Path) -> anyhow::Result<TlsAcceptor> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "loadtest authority");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("cert.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    from_files(&directory.join("cert.pem"), &directory.join("key.pem"))
}

/// Takes the certificate, with those that lead to its authority, and its key from PEM files.
///
/// # Errors
///
/// A file cannot be read, or key and certificate do not belong together.
pub fn from_files(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let unread = |path: &Path| format!("cannot read {}", path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .with_context(|| unread(certificate))?
        .collect();
    let chain = chain.with_context(|| unread(certificate))?;
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| unread(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| {
            let (certificate, key) = (certificate.display(), key.display());
            format!("{certificate} and {key} do not make a TLS server: give a pair")
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
