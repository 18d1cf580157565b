//! TLS by the server itself, with a certificate that can be exchanged while it runs.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// Most bytes of a file with certificates or a key.
const LIMIT_BYTES: u64 = 1 << 20;
/// The one protocol that is spoken inside.
const HTTP_1: &[u8] = b"http/1.1";

/// Why a certificate cannot be used. Nothing of the key is shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file has more bytes than it may have.
    #[error("{} has more than {limit_bytes} bytes: it is neither a chain of certificates nor a key", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// Everybody on the machine may read the key, or change it.
    #[error("the key {} is open to everybody on this machine (mode {mode:04o}): run `chmod 600 {}`", .path.display(), .path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds no certificate.
    #[error("{} holds no certificate: it must be PEM, the server's own first, then those that lead to its authority ({reason})", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds no private key.
    #[error("{} holds no private key: it must be PEM of PKCS #8, PKCS #1 or SEC 1 without a password", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not go together, or cannot be used here.
    #[error("the certificate {} and the key {} cannot be used: {reason}", .certificate.display(), .key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// A server's certificate and key. Clones share them: a [`reload`](Self::reload) of one is seen by all.
///
/// TLS 1.2 and 1.3 are spoken, and HTTP/1.1 inside.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its private key, both as PEM.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what would be right.
    pub fn load(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let config = Arc::new(ArcSwap::new(config(&certificate, &key)?));
        Ok(Self { certificate, key, config })
    }

    /// Reads both files again. Connections that are open go on with the certificate that they began with.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate is then that of before.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(config(&self.certificate, &self.key)?);
        Ok(())
    }

    /// Takes a client's handshake.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).field("key", &self.key).finish_non_exhaustive()
    }
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = chain(certificate)?;
    let secret = private_key(key)?;
    let unusable = |error: rustls::Error| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, secret).map_err(unusable)?;
    config.alpn_protocols = vec![HTTP_1.to_vec()];
    Ok(Arc::new(config))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (pem, _) = read(path)?;
    let wrong = |reason: String| TlsError::Certificate { path: path.to_owned(), reason };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(wrong("nothing between BEGIN CERTIFICATE and END CERTIFICATE".to_owned())),
        chain => chain.map_err(|error| wrong(error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (pem, metadata) = read(path)?;
    check_mode(path, &metadata)?;
    // What is wrong inside a key is not told, for it would show some of it.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::Key { path: path.to_owned() })
}

fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, fs::Metadata), TlsError> {
    let failed = |source| TlsError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > LIMIT_BYTES {
        true => Err(TlsError::TooLarge { path: path.to_owned(), limit_bytes: LIMIT_BYTES }),
        false => Ok((bytes, metadata)),
    }
}

/// A group may read a key, as some systems have it; everybody may not.
#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    match mode & 0o027 {
        0 => Ok(()),
        _ => Err(TlsError::Mode { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), TlsError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        folder: tempfile::TempDir,
    }

    impl Pair {
        fn new() -> Self {
            let pair = Self { folder: tempfile::tempdir().expect("a folder") };
            pair.renew();
            pair
        }

        fn renew(&self) {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
            self.write("cert.pem", &made.cert.pem(), 0o644);
            self.write("key.pem", &made.signing_key.serialize_pem(), 0o600);
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str, _mode: u32) {
            fs::write(self.path(name), text).expect("writable");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(self.path(name), fs::Permissions::from_mode(_mode)).expect("ours");
            }
        }

        fn load(&self) -> Result<Tls, TlsError> {
            Tls::load(self.path("cert.pem"), self.path("key.pem"))
        }
    }

    #[test]
    fn files_that_are_no_certificate_and_key_are_named_and_not_shown() {
        let pair = Pair::new();
        pair.load().expect("a pair");
        let key = fs::read_to_string(pair.path("key.pem")).expect("readable");
        pair.write("key.pem", "canary", 0o600);
        assert!(matches!(pair.load(), Err(TlsError::Key { .. })));
        pair.write("key.pem", &key.replace("MIG", "canary"), 0o600);
        let error = pair.load().expect_err("refused");
        assert!(!error.to_string().contains("canary"), "{error}");
        pair.write("key.pem", &key, 0o600);
        pair.write("cert.pem", "", 0o644);
        assert!(matches!(pair.load(), Err(TlsError::Certificate { .. })));
        fs::remove_file(pair.path("cert.pem")).expect("there");
        assert!(matches!(pair.load(), Err(TlsError::Io { .. })));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (pair, other) = (Pair::new(), Pair::new());
        let mixed = Tls::load(pair.path("cert.pem"), other.path("key.pem"));
        assert!(matches!(mixed, Err(TlsError::Pair { .. })), "{mixed:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_everybody_may_read_is_refused() {
        let pair = Pair::new();
        let key = fs::read_to_string(pair.path("key.pem")).expect("readable");
        pair.write("key.pem", &key, 0o644);
        assert!(pair.load().expect_err("refused").to_string().contains("chmod 600"));
        pair.write("key.pem", &key, 0o640);
        pair.load().expect("a group may read it");
    }

    #[test]
    fn a_bad_pair_at_a_reload_leaves_the_old_one() {
        let pair = Pair::new();
        let tls = pair.load().expect("a pair");
        let before = tls.config.load_full();
        pair.write("cert.pem", "nonsense", 0o644);
        assert!(tls.reload().is_err() && Arc::ptr_eq(&before, &tls.config.load_full()));
        pair.renew();
        tls.reload().expect("a new pair");
        assert!(!Arc::ptr_eq(&before, &tls.config.load_full()));
    }
}
