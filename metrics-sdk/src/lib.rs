//! Client for a metrics server: typed points in, typed frames out, over HTTP.
//!
//! ```no_run
//! use metrics_sdk::{Batch, Client, Per, Point, QueryRequest, Resolution, Timestamp};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:8080")?;
//! let now = Timestamp::now();
//!
//! let mut batch = Batch::new();
//! batch.push(Point::new("temperature", now, 21.5)?.with_labels([("room", "kitchen")])?);
//! let receipt = client.write(&batch).await?;
//! assert_eq!(receipt.points, 1);
//!
//! let hour_ago = now.saturating_add_micros(-metrics_sdk::MICROS_PER_HOUR);
//! let mut request = QueryRequest::new(["temperature"], hour_ago, now.saturating_add_micros(1))?;
//! request.per = Per::Every(Resolution::MINUTE);
//! for series in client.query(&request).await?.series {
//!     println!("{}{}: {} windows", series.name, series.labels, series.time.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Which way in
//!
//! | you have | use |
//! | --- | --- |
//! | points now and then, or from many places | [`Writer`]: it batches, retries, bounds what it holds, and reports |
//! | a batch whose fate you want to know at once | [`Client::write`] |
//! | a source that can be read again, such as a file | [`Client::write_keyed`] with a key made of its name and offset |
//! | no asynchronous runtime | [`blocking::Client`] and [`blocking::Writer`] |
//! | counters and histograms of the `metrics` facade | the crate `metrics-recorder`, which writes through [`blocking::Writer`] |
//!
//! # What a write promises
//!
//! A [`Receipt`] means that the server has committed the points and synced them to its disk. Every write carries an
//! [`IdempotencyKey`], so a request that is sent again because its answer was lost never stores the points twice.
//!
//! A [`Writer`] keeps each batch until there is a receipt for it, under one key through all retries, and through restarts of
//! the program where it has a [`Spill`]. What the server refuses for good is reported in its words; nothing is lost in
//! silence: [`Writer::close`] tells what was delivered, rejected, dropped and spilled.
//!
//! # Who asks
//!
//! A server may ask for a token: [`ClientBuilder::token`]. It is sent in a header, and shown in no error and no `Debug`. To
//! an `https://` address TLS is spoken (1.2 and 1.3, by rustls); the server's certificate must lead to an authority that this
//! machine trusts, or to one of [`ClientBuilder::ca_certs`]. A [`Writer`] whose token is not good any more keeps its batches as
//! it does while the server is away: a program that starts with a new token sends what was spilled.
//!
//! # What is bounded
//!
//! A call takes at most its [timeout](ClientBuilder::timeout), retries and the waits between them included; it is
//! tried at most [so many times](Retry::attempts); an answer has at most
//! [so many bytes](ClientBuilder::max_answer_bytes). Over a bound is a [`ClientError`] that names it. A writer holds at most
//! [so many points](WriterBuilder::buffer_points) and [bytes](WriterBuilder::buffer_bytes), and its spill
//! [so many bytes](Spill::max_bytes) of disk; what happens beyond, [`WhenFull`] says.
//!
//! # Features
//!
//! `arrow`: `Client::query_arrow` gives answers as record batches of the crate [`arrow`](https://docs.rs/arrow), version 60.
//! None is on by default.
//!
//! This crate never links the storage engine: of `metrics-core` it takes the model and the wire formats only.

#![warn(missing_debug_implementations)]

mod answer;
pub mod blocking;
mod body;
mod builder;
mod client;
mod download;
mod endpoint;
mod error;
mod key;
mod retry;
mod spill;
mod tls;
mod transport;
mod writer;

pub use answer::{Backup, Latest, Receipt};
pub use builder::ClientBuilder;
pub use client::Client;
pub use download::{ExportSelection, SqlFormat};
pub use error::ClientError;
pub use key::IdempotencyKey;
pub use retry::Retry;
pub use spill::{Spill, SpillError};
pub use writer::{Counters, Rejection, Report, WhenFull, Writer, WriterBuilder, WriterError};

pub use metrics_core::{
    Aggregate, AggregateError, Batch, BatchSeries, Column, ColumnKind, DurationError, Exactness, Explain, Fill,
    FilterError, Frame, FrameSeries, GroupBy, LabelError, LabelFilter, Labels, MICROS_PER_DAY, MICROS_PER_HOUR,
    MICROS_PER_MINUTE, MICROS_PER_SECOND, MetricName, Order, Per, Point, PointError, Quantile, QueryRequest,
    Resolution, Sample, SeriesInfo, SeriesKey, TierUse, Timestamp, TimestampError,
};
