//! The same server through TLS.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics_http::{ServerOptions, Tls};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{PATIENCE, Server, request};

/// A certificate for localhost in a folder of its own.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    fn new() -> (Self, CertificateDer<'static>) {
        let own = Self { folder: TempDir::new().expect("a temporary folder") };
        let der = own.renew();
        (own, der)
    }

    /// Writes a new pair in place of the old one.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(self.path("cert.pem"), made.cert.pem()).expect("writable");
        std::fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).expect("writable");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(self.path("key.pem"), mode).expect("ours");
        }
        made.cert.der().clone()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Tls {
        Tls::load(self.path("cert.pem"), self.path("key.pem")).expect("a pair")
    }
}

/// A handshake by a client that trusts this certificate alone.
async fn shake(server: &Server, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(server.address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").expect("a name"), tcp).await
}

async fn ping(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(&request("GET", "/ping", &[("connection", "close")], b"")).await.expect("written");
    let mut text = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("an answer comes");
    read.expect("the server ends the session as TLS has it");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_the_certificate_is_answered_in_http_1() {
    let (certificate, der) = Certificate::new();
    let server = Server::with(ServerOptions { tls: Some(certificate.load()), ..ServerOptions::default() }).await;
    let mut stream = shake(&server, &der).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let text = ping(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("{\"status\":\"up\"}"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_from_the_next_connection_on() {
    let (certificate, old) = Certificate::new();
    let tls = certificate.load();
    let server = Server::with(ServerOptions { tls: Some(tls.clone()), ..ServerOptions::default() }).await;
    let mut open = shake(&server, &old).await.expect("a handshake");
    let new = certificate.renew();
    assert!(shake(&server, &new).await.is_err(), "nobody asked for a reload");
    tls.reload().expect("a pair");
    assert!(shake(&server, &old).await.is_err());
    assert!(ping(&mut shake(&server, &new).await.expect("a handshake")).await.starts_with("HTTP/1.1 200"));
    assert!(ping(&mut open).await.starts_with("HTTP/1.1 200"), "what is open goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_without_tls_is_told_so() {
    let (certificate, _) = Certificate::new();
    let server = Server::with(ServerOptions { tls: Some(certificate.load()), ..ServerOptions::default() }).await;
    let answer = server.get("/ping").await;
    assert_eq!(answer.status, 400);
    assert!(answer.message().contains("https://"), "{}", answer.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_go_on_is_ended_and_gives_its_place_back() {
    let (certificate, der) = Certificate::new();
    let options = ServerOptions {
        tls: Some(certificate.load()),
        header_timeout: Duration::from_millis(200),
        max_connections: 1,
        ..ServerOptions::default()
    };
    let server = Server::with(options).await;
    let silent = server.connect().await;
    assert!(silent.closed().await.is_empty());
    let mut stuck = server.connect().await;
    // The head of a handshake of 512 bytes, and no more.
    stuck.write(&[22, 3, 1, 2, 0]).await;
    assert!(stuck.closed().await.len() < 64, "nothing but an alert");
    let mut stream = shake(&server, &der).await.expect("a handshake, now that there is room");
    // One connection is all there may be, with TLS too.
    assert!(shake(&server, &der).await.is_err());
    assert!(ping(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_handshake() {
    let (certificate, _) = Certificate::new();
    let mut server = Server::with(ServerOptions { tls: Some(certificate.load()), ..ServerOptions::default() }).await;
    let mut stuck = server.connect().await;
    stuck.write(&[22, 3, 1, 2, 0]).await;
    // Accepted before the stop: connections are taken in their order.
    let text = server.get("/ping").await;
    assert_eq!(text.status, 400);
    let began = std::time::Instant::now();
    server.ask_to_stop();
    server.ended().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
