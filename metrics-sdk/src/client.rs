//! The client: one method a call of the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use metrics_core::wire::{frame, params};
use metrics_core::{Batch, Frame, LabelFilter, MetricName, QueryRequest, SeriesInfo};
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer::{self, Backup, Latest, Receipt};
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::key::random_bits;
use crate::transport::{Answered, Call, JSON, Transport};
use crate::{ClientBuilder, ClientError, IdempotencyKey, Retry, WriterBuilder};

/// A connection pool to one server. Cheap to clone: clones share the pool.
///
/// Its calls need a tokio runtime with time and I/O enabled.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) endpoint: Endpoint,
    pub(crate) transport: Transport,
    pub(crate) timeout: Duration,
    retry: Retry,
    gzip: bool,
}

impl Client {
    /// A client with the settings that [`ClientBuilder`] names as defaults. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Url`] when the address is neither `http://host[:port][/prefix]` nor the same with `https`;
    /// [`ClientError::Trust`] when it is `https` and this machine trusts no authority.
    ///
    /// ```
    /// use metrics_sdk::{Client, ClientError};
    /// assert!(Client::new("http://127.0.0.1:8080").is_ok());
    /// assert!(matches!(Client::new("127.0.0.1:8080"), Err(ClientError::Url { .. })));
    /// ```
    pub fn new(url: impl Into<String>) -> Result<Self, ClientError> {
        Self::builder(url).build()
    }

    /// Settings for a client of the server at `http://host[:port][/prefix]` or `https://…`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    pub(crate) fn of(endpoint: Endpoint, transport: Transport, builder: &ClientBuilder) -> Self {
        let ClientBuilder { timeout, retry, gzip, .. } = *builder;
        Self { shared: Arc::new(Shared { endpoint, transport, timeout, retry, gzip }) }
    }

    /// The server's address, without a slash at its end.
    pub fn url(&self) -> &str {
        self.shared.endpoint.as_str()
    }

    /// Writes points; returns once the server has committed and synced them. All of them are stored, or none.
    ///
    /// The write has an idempotency key of its own, so its retries never store a point twice. An empty batch is
    /// answered here, without a request.
    ///
    /// # Errors
    /// [`ClientError`]. After [`Timeout`](ClientError::Timeout) and [`Interrupted`](ClientError::Interrupted) it is
    /// unknown whether the points are stored: to try further, use [`Self::write_keyed`] from the start.
    pub async fn write(&self, batch: &Batch) -> Result<Receipt, ClientError> {
        self.write_keyed(batch, &IdempotencyKey::random()).await
    }

    /// Writes points under a key: however often that is done, they are stored once.
    ///
    /// # Errors
    /// [`ClientError`]; the same batch may be written again under the same key after any of them.
    ///
    /// ```no_run
    /// # async fn run(client: metrics_sdk::Client, batch: metrics_sdk::Batch) -> Result<(), metrics_sdk::ClientError> {
    /// use metrics_sdk::IdempotencyKey;
    /// let key = IdempotencyKey::new("import-2024-02-02.csv:0")?;
    /// assert!(!client.write_keyed(&batch, &key).await?.replayed);
    /// assert!(client.write_keyed(&batch, &key).await?.replayed, "nothing is stored the second time");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_keyed(&self, batch: &Batch, key: &IdempotencyKey) -> Result<Receipt, ClientError> {
        if batch.is_empty() {
            return Ok(Receipt { points: 0, replayed: false });
        }
        let call = self.write_call(Body::of(batch, self.shared.gzip), key)?;
        answer::receipt(call.name, &self.send(&call).await?, batch.len())
    }

    /// Settings of a [`Writer`](crate::Writer) that collects points and sends them in batches, by this client.
    pub fn writer(&self) -> WriterBuilder {
        WriterBuilder::new(self.clone())
    }

    /// The call that writes a body under a key.
    pub(crate) fn write_call(&self, body: Body, key: &IdempotencyKey) -> Result<Call, ClientError> {
        let uri = self.shared.endpoint.uri("/v1/metrics", &[])?;
        Ok(Call { name: "POST /v1/metrics", method: Method::POST, uri, accept: JSON, body: Some((body, key.clone())) })
    }

    /// Whether bodies are compressed.
    pub(crate) fn gzip(&self) -> bool {
        self.shared.gzip
    }

    /// Makes a call that writes `points` points once, within the client's timeout.
    pub(crate) async fn write_once(&self, call: &Call, points: usize) -> Result<Receipt, ClientError> {
        answer::receipt(call.name, &self.send_once(call).await?, points)
    }

    /// Asks for windows or points.
    ///
    /// # Errors
    /// [`ClientError`]; what is wrong with the request is [`Refused`](ClientError::Refused) in the server's words.
    ///
    /// ```no_run
    /// # async fn run(client: metrics_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use metrics_sdk::{Aggregate, Per, QueryRequest, Resolution, Timestamp};
    /// let (from, to) = (Timestamp::parse("2014-02-14")?, Timestamp::parse("2014-02-28")?);
    /// let mut request = QueryRequest::new(["cpu"], from, to)?;
    /// request.per = Per::Every(Resolution::Hour);
    /// let frame = client.query(&request).await?;
    /// let averages = frame.series[0].column(Aggregate::Avg).expect("asked for");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn query(&self, request: &QueryRequest) -> Result<Frame, ClientError> {
        let name = "GET /v1/query";
        let body = self.get(name, "/v1/query", &params::encode(request)).await?;
        frame::decode(&body).map_err(|error| ClientError::Answer { call: name, reason: error.to_string() })
    }

    /// Asks for windows or points as Arrow: no text in between, and other programs take it as it is. The columns are
    /// those that the server documents for `application/vnd.apache.arrow.stream`.
    ///
    /// # Errors
    /// [`ClientError`]; a server that answers no Arrow says so by [`Refused`](ClientError::Refused) with status 406.
    ///
    /// ```no_run
    /// # async fn run(client: metrics_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use metrics_sdk::{QueryRequest, Timestamp};
    /// let (from, to) = (Timestamp::parse("2014-02-14")?, Timestamp::parse("2014-02-28")?);
    /// for batch in client.query_arrow(&QueryRequest::new(["cpu"], from, to)?).await? {
    ///     println!("{} rows of {}", batch.num_rows(), batch.schema());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "arrow")]
    pub async fn query_arrow(
        &self,
        request: &QueryRequest,
    ) -> Result<Vec<arrow::record_batch::RecordBatch>, ClientError> {
        let name = "GET /v1/query";
        let accept = "application/vnd.apache.arrow.stream";
        let body = self.get_as(name, "/v1/query", &params::encode(request), accept).await?;
        let unreadable =
            |error: arrow::error::ArrowError| ClientError::Answer { call: name, reason: error.to_string() };
        let batches = arrow::ipc::reader::StreamReader::try_new(body.as_ref(), None).map_err(unreadable)?;
        batches.collect::<Result<_, _>>().map_err(unreadable)
    }

    /// The names of all metrics, ascending.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn metric_names(&self) -> Result<Vec<MetricName>, ClientError> {
        let name = "GET /v1/metrics";
        answer::metric_names(name, &self.get(name, "/v1/metrics", &[]).await?)
    }

    /// The series of a metric, or of all, that pass every filter. The server does not tell their last values here, so
    /// [`SeriesInfo::last_value`] is NaN: [`Self::latest`] has them.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// ```no_run
    /// # async fn run(client: metrics_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for series in client.series(Some("cpu"), &["host=~web.*".parse()?]).await? {
    ///     println!("{}: {} points since {}", series.key, series.count, series.first);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn series(&self, name: Option<&str>, filters: &[LabelFilter]) -> Result<Vec<SeriesInfo>, ClientError> {
        let call = "GET /v1/series";
        answer::series(call, &self.get(call, "/v1/series", &selection(name, filters)).await?)
    }

    /// The latest point of each series of a metric, or of all, that pass every filter.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn latest(&self, name: Option<&str>, filters: &[LabelFilter]) -> Result<Vec<Latest>, ClientError> {
        let call = "GET /v1/latest";
        answer::latest(call, &self.get(call, "/v1/latest", &selection(name, filters)).await?)
    }

    /// Whether the server is up: it accepts connections and answers.
    ///
    /// # Errors
    /// [`ClientError`] says why not.
    pub async fn ping(&self) -> Result<(), ClientError> {
        self.get("GET /ping", "/ping", &[]).await.map(drop)
    }

    /// Asks whether the server takes writes and answers reads.
    ///
    /// # Errors
    /// [`ClientError`] says why not.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.get("GET /ready", "/ready", &[]).await.map(drop)
    }

    /// Asks whether the server's store answers.
    ///
    /// # Errors
    /// [`ClientError`] says why not.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.get("GET /health", "/health", &[]).await.map(drop)
    }

    /// Has the server make a backup in its own folder, and waits until it is on disk, as long as the client's timeout
    /// allows: one that is asked for is finished all the same. It is asked for once.
    ///
    /// # Errors
    /// [`ClientError`]; a server without a folder for backups answers 403.
    pub async fn backup(&self) -> Result<Backup, ClientError> {
        let uri = self.shared.endpoint.uri("/v1/backup", &[])?;
        let call = Call { name: "POST /v1/backup", method: Method::POST, uri, accept: JSON, body: None };
        answer::backup(call.name, &self.send_once(&call).await?.body)
    }

    /// Sends a call once, within the client's timeout.
    async fn send_once(&self, call: &Call) -> Result<Answered, ClientError> {
        let after = self.shared.timeout;
        let sent = tokio::time::timeout(after, self.shared.transport.send(call)).await;
        sent.map_err(|_| ClientError::Timeout { url: self.url().to_owned(), after })?
    }

    async fn get(&self, name: &'static str, path: &str, pairs: &[(&str, String)]) -> Result<Bytes, ClientError> {
        self.get_as(name, path, pairs, JSON).await
    }

    async fn get_as(
        &self,
        name: &'static str,
        path: &str,
        pairs: &[(&str, String)],
        accept: &'static str,
    ) -> Result<Bytes, ClientError> {
        let uri = self.shared.endpoint.uri(path, pairs)?;
        Ok(self.send(&Call { name, method: Method::GET, uri, accept, body: None }).await?.body)
    }

    /// Sends a call until it is answered, may not be repeated, or its time or its attempts are used up.
    async fn send(&self, call: &Call) -> Result<Answered, ClientError> {
        let Shared { transport, timeout, retry, .. } = &*self.shared;
        let deadline = Instant::now() + *timeout;
        let mut attempt = 1;
        loop {
            let error = match timeout_at(deadline, transport.send(call)).await {
                Ok(Ok(answered)) => return Ok(answered),
                Ok(Err(error)) => error,
                Err(_) => return Err(ClientError::Timeout { url: self.url().to_owned(), after: *timeout }),
            };
            match retry.delay_after(attempt, &error, random_bits()) {
                Some(delay) if delay < deadline.saturating_duration_since(Instant::now()) => sleep(delay).await,
                _ => return Err(error),
            }
            attempt += 1;
        }
    }
}

fn selection(name: Option<&str>, filters: &[LabelFilter]) -> Vec<(&'static str, String)> {
    let name = name.map(|name| ("name", name.to_owned()));
    name.into_iter().chain(filters.iter().map(|filter| ("where", filter.to_string()))).collect()
}
