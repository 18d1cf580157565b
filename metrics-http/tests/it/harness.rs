//! A server on port 0 with a store in a temporary folder, and a client that shows every byte.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_core::{Engine, Options};
use metrics_http::{ServerOptions, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// No answer takes so long unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(ServerOptions::default()).await
    }

    pub(crate) async fn with(options: ServerOptions) -> Self {
        Self::with_store(options, Options::default()).await
    }

    pub(crate) async fn with_store(options: ServerOptions, store: Options) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let engine = Engine::open_with(folder.path().join("metrics.duckdb"), store).expect("a new store opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(engine.clone(), listener, options, shutdown));
        Self { address, engine, stop: Some(stop), task, _folder: folder }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("the server listens"), read: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut client = self.connect().await;
        client.write(&request(method, target, headers, body)).await;
        client.answer(method == "HEAD").await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"").await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.send("POST", "/v1/metrics", &[("content-type", "application/json")], body.as_bytes()).await
    }

    /// Posts a body of that type.
    pub(crate) async fn post_as(&self, target: &str, content_type: &str, body: &[u8]) -> Answer {
        self.send("POST", target, &[("content-type", content_type)], body).await
    }

    /// How many points are stored, by the store itself.
    pub(crate) fn points(&self) -> u64 {
        self.engine.series(None, &[]).iter().map(|series| series.count).sum()
    }

    /// Tells the server to stop without waiting for it.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take().expect("asked once").send(()).expect("the server runs");
    }

    /// Waits for the end of the server.
    pub(crate) async fn ended(self) -> Engine {
        timeout(PATIENCE, self.task)
            .await
            .expect("the server ends")
            .expect("without a panic")
            .expect("without an error");
        self.engine
    }
}

/// The bytes of a request; `Host` and `Content-Length` are added unless they are given.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    let has = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    if !has("host") {
        text.push_str("host: localhost\r\n");
    }
    if !has("content-length") && !has("transfer-encoding") && (!body.is_empty() || method == "POST") {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self, is_head: bool) -> Answer {
        timeout(PATIENCE, self.read_answer(is_head)).await.expect("an answer comes")
    }

    async fn read_answer(&mut self, is_head: bool) -> Answer {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert!(self.fill().await > 0, "the connection ended before an answer");
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).expect("a head is ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("name: value"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status: status.expect("a status line"), headers, body: Vec::new() };
        if is_head || [100, 204, 304].contains(&answer.status) {
            return answer;
        }
        let length: usize = answer.header("content-length").map_or(0, |text| text.parse().expect("a number"));
        while self.read.len() < length {
            assert!(self.fill().await > 0, "the connection ended inside a body");
        }
        answer.body = self.read.drain(..length).collect();
        answer
    }

    async fn fill(&mut self) -> usize {
        self.stream.read_buf(&mut self.read).await.expect("readable")
    }

    /// Waits until the server closes the connection, and gives what came before that.
    pub(crate) async fn closed(mut self) -> Vec<u8> {
        let all = async {
            loop {
                match self.stream.read_buf(&mut self.read).await {
                    Ok(0) | Err(_) => return std::mem::take(&mut self.read),
                    Ok(_) => {}
                }
            }
        };
        timeout(PATIENCE, all).await.expect("the server closes the connection")
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The message of a refusal, after a look at its shape.
    pub(crate) fn message(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        self.json()["message"].as_str().expect("every refusal has a message").to_owned()
    }
}
