//! Answers that are no frames: the result of an SQL statement, and exports, which are taken part by part.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use metrics_core::{LabelFilter, MetricName, Timestamp};
use tokio::time::timeout;

use crate::{Client, ClientError};

/// How long a server may take to make an export before its first byte.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(1_800);

/// The form of a statement's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlFormat {
    /// `{"columns":[{"name","type","values":[…]}],"rows"}`.
    Json,
    /// A header and one line a row.
    Csv,
    /// One JSON object a row.
    Ndjson,
    /// Apache Arrow's IPC stream.
    Arrow,
}

impl SqlFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Which points an export holds; all of them by default.
///
/// ```
/// use metrics_sdk::{ExportSelection, MetricName, Timestamp};
/// let mut selection = ExportSelection::default();
/// selection.names = vec![MetricName::new("cpu")?];
/// selection.from = Some(Timestamp::parse("2024-02-02")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExportSelection {
    /// The metrics; all of them where none is named.
    pub names: Vec<MetricName>,
    /// What the labels of their series must pass.
    pub filters: Vec<LabelFilter>,
    /// Start of the time; without it the first point.
    pub from: Option<Timestamp>,
    /// Its end, not included; without it after the last point.
    pub to: Option<Timestamp>,
}

impl Client {
    /// Has the server run one read-only SQL statement over `points` and `series`; it must have been started with
    /// `--allow-sql`.
    ///
    /// # Errors
    /// [`ClientError`]; what is wrong with the statement is [`Refused`](ClientError::Refused) in the server's words.
    ///
    /// ```no_run
    /// # async fn run(client: metrics_sdk::Client) -> Result<(), metrics_sdk::ClientError> {
    /// use metrics_sdk::SqlFormat;
    /// let csv = client.sql("SELECT name, count(*) AS n FROM points GROUP BY name", SqlFormat::Csv).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sql(&self, statement: &str, format: SqlFormat) -> Result<Bytes, ClientError> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(statement.as_bytes())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.shared.endpoint.uri("/v1/sql", &[])?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/sql"));
        headers.insert(ACCEPT, HeaderValue::from_static(format.content_type()));
        let whole = async {
            let response = self.shared.transport.open(request).await?;
            self.shared.transport.whole("POST /v1/sql", response).await
        };
        let after = self.shared.timeout;
        timeout(after, whole).await.unwrap_or_else(|_| Err(self.timed_out(after)))
    }

    /// Downloads points as a Parquet file, handing over its parts in order; gives back how many bytes they were. The
    /// client's timeout holds for every part; before the first one the server makes the file, which may take up to half
    /// an hour.
    ///
    /// # Errors
    /// [`ClientError`]; a part that `each` cannot take ends the download as
    /// [`Interrupted`](ClientError::Interrupted).
    ///
    /// ```no_run
    /// # async fn run(client: metrics_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::Write;
    /// let mut file = std::fs::File::create("points.parquet")?;
    /// client.export_parquet(&Default::default(), |part| file.write_all(part)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn export_parquet(
        &self,
        selection: &ExportSelection,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<u64, ClientError> {
        let mut download = self.open_export(selection).await?;
        let mut count = 0;
        while let Some(part) = download.part().await? {
            each(&part).map_err(|error| self.interrupted(&error))?;
            count += part.len() as u64;
        }
        Ok(count)
    }

    /// Waits until the server has made an export.
    pub(crate) async fn open_export(&self, selection: &ExportSelection) -> Result<Download, ClientError> {
        let names = selection.names.iter().map(|name| ("name", name.to_string()));
        let filters = selection.filters.iter().map(|filter| ("where", filter.to_string()));
        let times = [("from", selection.from), ("to", selection.to)];
        let times = times.into_iter().filter_map(|(key, time)| Some((key, time?.to_string())));
        let pairs: Vec<_> = names.chain(filters).chain(times).collect();
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = self.shared.endpoint.uri("/v1/export.parquet", &pairs)?;
        let opened = timeout(EXPORT_TIMEOUT, self.shared.transport.open(request)).await;
        let body = opened.unwrap_or_else(|_| Err(self.timed_out(EXPORT_TIMEOUT)))?.into_body();
        Ok(Download { client: self.clone(), body })
    }

    pub(crate) fn interrupted(&self, error: &dyn std::error::Error) -> ClientError {
        ClientError::Interrupted { url: self.url().to_owned(), reason: error.to_string() }
    }

    fn timed_out(&self, after: Duration) -> ClientError {
        ClientError::Timeout { url: self.url().to_owned(), after }
    }
}

/// An export under way.
pub(crate) struct Download {
    client: Client,
    body: Incoming,
}

impl Download {
    /// The next part; none after the last.
    pub(crate) async fn part(&mut self) -> Result<Option<Bytes>, ClientError> {
        let after = self.client.shared.timeout;
        loop {
            let frame = timeout(after, self.body.frame()).await.map_err(|_| self.client.timed_out(after))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| self.client.interrupted(&error))?;
            // What is no data is the headers after the body.
            if let Ok(part) = frame.into_data() {
                return Ok(Some(part));
            }
        }
    }
}
