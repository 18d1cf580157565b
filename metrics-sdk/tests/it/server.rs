//! A server that gives prepared answers in turn and keeps what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use metrics_sdk::{Batch, Client, ClientBuilder, Point, Retry, Timestamp};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Duration;

/// What the server does with a request.
pub(crate) enum Answer {
    /// Status, headers, body.
    Say(u16, &'static [(&'static str, &'static str)], String),
    /// 200 with this body.
    #[cfg(feature = "arrow")]
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// Closes the connection.
    Drop,
}

impl Answer {
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self::Say(status, &[], body.to_owned())
    }
}

/// A request as it arrived.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("tests send text"))
    }
}

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
    connections: usize,
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::on(listener, answers)
    }

    pub(crate) fn on(listener: TcpListener, answers: impl IntoIterator<Item = Answer>) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let script = Arc::new(Mutex::new(Script { answers: answers.into_iter().collect(), ..Script::default() }));
        let shared = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = shared.clone();
                script.lock().expect("not poisoned").connections += 1;
                let service = service_fn(move |request| answer(script.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, script }
    }

    /// A client that waits next to nothing between attempts.
    pub(crate) fn client(&self) -> Client {
        self.builder().build().expect("a good address")
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(&self.url).retry(Retry::default().first_delay(Duration::from_millis(2)))
    }

    /// What was asked since the last look, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.lock().expect("not poisoned").asked)
    }

    pub(crate) fn connections(&self) -> usize {
        self.script.lock().expect("not poisoned").connections
    }
}

/// A port that nobody else gets and that refuses connections until it is opened.
pub(crate) struct ClosedPort(TcpSocket);

pub(crate) fn closed_port() -> ClosedPort {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    ClosedPort(socket)
}

impl ClosedPort {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("bound"))
    }

    pub(crate) fn open(self) -> TcpListener {
        self.0.listen(16).expect("a bound socket")
    }
}

async fn answer(script: Arc<Mutex<Script>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let next = {
        let mut script = script.lock().expect("not poisoned");
        let (method, target) = (head.method.to_string(), head.uri.to_string());
        script.asked.push(Asked { method, target, headers: head.headers, body });
        script.answers.pop_front().expect("the test prepared an answer for every request")
    };
    match next {
        Answer::Say(status, headers, body) => {
            let response = headers.iter().fold(Response::builder().status(status), |r, (k, v)| r.header(*k, *v));
            Ok(response.body(Full::new(Bytes::from(body))).expect("a valid response"))
        }
        #[cfg(feature = "arrow")]
        Answer::Bytes(body) => Ok(Response::new(Full::new(Bytes::from(body)))),
        Answer::Hang => std::future::pending::<Result<_, Infallible>>().await.map_err(|never| match never {}),
        Answer::Drop => Err(Broken),
    }
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
pub(crate) struct Broken;

/// Points of one series, a second apart from 2024-02-02 on.
pub(crate) fn batch(points: usize) -> Batch {
    let start = Timestamp::parse("2024-02-02").expect("a date");
    (0..points)
        .map(|i| {
            let at = start.saturating_add_micros(i as i64 * 1_000_000);
            Point::new("cpu", at, i as f64).and_then(|p| p.with_labels([("host", "a")])).expect("valid")
        })
        .collect()
}
