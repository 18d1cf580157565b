//! The blocking client.

use std::io;

use bytes::Bytes;
use metrics_core::{Batch, Frame, LabelFilter, MetricName, QueryRequest, SeriesInfo};

use super::Writer;
use super::runtime::Thread;
use crate::{
    Backup, ClientBuilder, ClientError, ExportSelection, IdempotencyKey, Latest, Receipt, SqlFormat, WriterBuilder,
    WriterError,
};

/// The blocking form of [`metrics_sdk::Client`](crate::Client): the same calls, which wait for their answers.
/// Cheap to clone: clones share connections and thread.
#[derive(Debug, Clone)]
pub struct Client {
    client: crate::Client,
    thread: Thread,
}

impl Client {
    /// A client with the settings that [`ClientBuilder`] names as defaults. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Url`], or [`ClientError::Thread`] when no thread can be started.
    pub fn new(url: impl Into<String>) -> Result<Self, ClientError> {
        Self::build(crate::Client::builder(url))
    }

    /// A client with settings of one's own.
    ///
    /// ```
    /// use metrics_sdk::{Client, blocking};
    /// let settings = Client::builder("http://127.0.0.1:8080").token("s3cret");
    /// let client = blocking::Client::build(settings)?;
    /// assert_eq!(client.url(), "http://127.0.0.1:8080");
    /// # Ok::<(), metrics_sdk::ClientError>(())
    /// ```
    ///
    /// # Errors
    /// [`ClientError`] when the settings cannot be used or no thread can be started.
    pub fn build(settings: ClientBuilder) -> Result<Self, ClientError> {
        Ok(Self { client: settings.build()?, thread: Thread::start()? })
    }

    /// The server's address, without a slash at its end.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// Settings of a writer, for [`Self::start`].
    pub fn writer(&self) -> WriterBuilder {
        self.client.writer()
    }

    /// Starts a writer with default settings.
    ///
    /// # Errors
    /// As [`WriterBuilder::start`].
    pub fn start_writer(&self) -> Result<Writer, WriterError> {
        self.start(self.writer())
    }

    /// Starts a writer with settings of one's own.
    ///
    /// # Errors
    /// As [`WriterBuilder::start`].
    pub fn start(&self, settings: WriterBuilder) -> Result<Writer, WriterError> {
        let writer = self.thread.enter(|| settings.start())?;
        Ok(Writer::of(writer, self.thread.clone()))
    }

    /// As [`Client::write`](crate::Client::write).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn write(&self, batch: &Batch) -> Result<Receipt, ClientError> {
        self.write_keyed(batch, &IdempotencyKey::random())
    }

    /// As [`Client::write_keyed`](crate::Client::write_keyed).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn write_keyed(&self, batch: &Batch, key: &IdempotencyKey) -> Result<Receipt, ClientError> {
        let (client, batch, key) = (self.client.clone(), batch.clone(), key.clone());
        self.thread.run(async move { client.write_keyed(&batch, &key).await })
    }

    /// As [`Client::query`](crate::Client::query).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn query(&self, request: &QueryRequest) -> Result<Frame, ClientError> {
        let (client, request) = (self.client.clone(), request.clone());
        self.thread.run(async move { client.query(&request).await })
    }

    /// As [`Client::query_arrow`](crate::Client::query_arrow).
    ///
    /// # Errors
    /// [`ClientError`].
    #[cfg(feature = "arrow")]
    pub fn query_arrow(&self, request: &QueryRequest) -> Result<Vec<arrow::array::RecordBatch>, ClientError> {
        let (client, request) = (self.client.clone(), request.clone());
        self.thread.run(async move { client.query_arrow(&request).await })
    }

    /// As [`Client::sql`](crate::Client::sql).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn sql(&self, statement: &str, format: SqlFormat) -> Result<Bytes, ClientError> {
        let (client, statement) = (self.client.clone(), statement.to_owned());
        self.thread.run(async move { client.sql(&statement, format).await })
    }

    /// As [`Client::export_parquet`](crate::Client::export_parquet); the parts are handed over on the calling thread.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn export_parquet(
        &self,
        selection: &ExportSelection,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<u64, ClientError> {
        let (client, selection) = (self.client.clone(), selection.clone());
        let mut download = self.thread.run(async move { client.open_export(&selection).await })?;
        let mut count = 0;
        loop {
            let (part, rest) = self.thread.run(async move { (download.part().await, download) });
            download = rest;
            let Some(part) = part? else { return Ok(count) };
            each(&part).map_err(|error| self.client.interrupted(&error))?;
            count += part.len() as u64;
        }
    }

    /// As [`Client::metric_names`](crate::Client::metric_names).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn metric_names(&self) -> Result<Vec<MetricName>, ClientError> {
        let client = self.client.clone();
        self.thread.run(async move { client.metric_names().await })
    }

    /// As [`Client::series`](crate::Client::series).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn series(&self, name: Option<&str>, filters: &[LabelFilter]) -> Result<Vec<SeriesInfo>, ClientError> {
        let (client, name, filters) = (self.client.clone(), name.map(str::to_owned), filters.to_vec());
        self.thread.run(async move { client.series(name.as_deref(), &filters).await })
    }

    /// As [`Client::latest`](crate::Client::latest).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn latest(&self, name: Option<&str>, filters: &[LabelFilter]) -> Result<Vec<Latest>, ClientError> {
        let (client, name, filters) = (self.client.clone(), name.map(str::to_owned), filters.to_vec());
        self.thread.run(async move { client.latest(name.as_deref(), &filters).await })
    }

    /// As [`Client::ready`](crate::Client::ready).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ready(&self) -> Result<(), ClientError> {
        let client = self.client.clone();
        self.thread.run(async move { client.ready().await })
    }

    /// As [`Client::health`](crate::Client::health).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn health(&self) -> Result<(), ClientError> {
        let client = self.client.clone();
        self.thread.run(async move { client.health().await })
    }

    /// As [`Client::backup`](crate::Client::backup).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn backup(&self) -> Result<Backup, ClientError> {
        let client = self.client.clone();
        self.thread.run(async move { client.backup().await })
    }

    /// As [`Client::ping`](crate::Client::ping).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ping(&self) -> Result<(), ClientError> {
        let client = self.client.clone();
        self.thread.run(async move { client.ping().await })
    }
}
