//! A server that keeps what it is sent as the real one does: once for each key. Tests switch how it behaves.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use metrics_core::wire::json;
use metrics_sdk::{Client, ClientBuilder, Point, Retry, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::Broken;

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Stores.
    Well,
    /// 503.
    Busy,
    /// 503 with `Retry-After: 1`.
    BusyForASecond,
    /// Stores, and closes the connection without an answer.
    Losing,
    /// 400 for a point of the metric "wrong".
    Strict,
    /// No answer, for ever.
    Hanging,
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Values in the order in which they came.
    pub(crate) values: Vec<f64>,
    /// Points of each request that was stored.
    pub(crate) batches: Vec<usize>,
    keys: HashMap<String, usize>,
    /// Requests, whatever became of them.
    pub(crate) requests: usize,
    pub(crate) gzipped: usize,
}

/// A running server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) url: String,
    mood: Arc<watch::Sender<Mood>>,
    kept: Arc<Mutex<Kept>>,
    requests: Arc<watch::Sender<usize>>,
}

impl Store {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let store =
            Self { url, mood: Arc::new(watch::channel(mood).0), kept: Arc::default(), requests: Arc::default() };
        let serving = store.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let store = serving.clone();
                let service = service_fn(move |request| store.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        store
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Settings of a client that waits next to nothing between attempts.
    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(&self.url).timeout(Duration::from_secs(10))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().expect("a good address")
    }

    pub(crate) fn kept<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.kept.lock().expect("not poisoned"))
    }

    /// What was stored, in order of values.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut values = self.kept(|kept| kept.values.clone());
        values.sort_by(f64::total_cmp);
        values
    }

    /// Waits until so many requests have come.
    pub(crate) async fn requests(&self, count: usize) {
        let mut requests = self.requests.subscribe();
        requests.wait_for(|seen| *seen >= count).await.expect("the store lives");
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
        let (head, body) = request.into_parts();
        let mut body = body.collect().await.map_err(|_| Broken)?.to_bytes().to_vec();
        let gzip = head.headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
        if gzip {
            let mut plain = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
            body = plain;
        }
        let key = head.headers["idempotency-key"].to_str().expect("text").to_owned();
        let mood = *self.mood.borrow();
        let answer = self.take(mood, &body, key, gzip);
        self.requests.send_modify(|requests| *requests += 1);
        if mood == Mood::Hanging {
            std::future::pending::<()>().await;
        }
        answer
    }

    fn take(&self, mood: Mood, body: &[u8], key: String, gzip: bool) -> Result<Response<Full<Bytes>>, Broken> {
        let mut kept = self.kept.lock().expect("not poisoned");
        kept.requests += 1;
        kept.gzipped += usize::from(gzip);
        let batch = json::decode(body, Timestamp::now()).expect("points");
        let say = |status: u16, body: String| Response::builder().status(status).body(Full::new(body.into()));
        let answer = match mood {
            Mood::Hanging => say(500, String::new()),
            Mood::Busy => say(503, r#"{"message":"the write queue is full"}"#.into()),
            Mood::BusyForASecond => Response::builder()
                .status(503)
                .header("retry-after", "1")
                .body(Full::new(r#"{"message":"starting"}"#.into())),
            Mood::Strict if batch.series().iter().any(|key| key.name.as_str() == "wrong") => {
                say(400, r#"{"message":"index 0: wrong is wrong"}"#.into())
            }
            Mood::Well | Mood::Strict | Mood::Losing => {
                let known = kept.keys.insert(key, batch.len()).is_some();
                if !known {
                    kept.values.extend(batch.samples().iter().map(|sample| sample.value));
                    kept.batches.push(batch.len());
                }
                let points = format!(r#"{{"status":"success","points":{}}}"#, batch.len());
                let replayed = if known { "true" } else { "false" };
                Response::builder().status(201).header("idempotency-replayed", replayed).body(Full::new(points.into()))
            }
        };
        if mood == Mood::Losing { Err(Broken) } else { Ok(answer.expect("a valid response")) }
    }
}

/// A point of the metric `name` that is told by its value.
pub(crate) fn named(name: &str, number: usize) -> Point {
    let at = Timestamp::clamped(1_706_832_000_000_000 + number as i64 * 1_000);
    Point::new(name, at, number as f64).and_then(|point| point.with_labels([("host", "a")])).expect("valid")
}

pub(crate) fn point(number: usize) -> Point {
    named("number", number)
}

/// The values of the points from 0 on.
pub(crate) fn values(count: usize) -> Vec<f64> {
    (0..count).map(|number| number as f64).collect()
}

/// Next to no wait between attempts.
pub(crate) fn quick() -> Retry {
    Retry::default().first_delay(Duration::from_millis(2)).max_delay(Duration::from_millis(20))
}
