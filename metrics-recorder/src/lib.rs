//! Counters, gauges and histograms of the [`metrics`] facade, kept in a metrics store.
//!
//! A program and the libraries in it say what they count by `metrics::counter!`, `gauge!` and `histogram!`. This crate
//! is the other end: it collects that and writes it every so often to a [`Sink`], which is a server or a store of one's own.
//!
//! To a server, through `metrics-sdk` (feature `sdk`, on by default):
//!
//! ```no_run
//! # #[cfg(feature = "sdk")] {
//! use metrics_sdk::blocking::Client;
//!
//! let writer = Client::new("http://127.0.0.1:8080")?.start_writer()?;
//! let recorder = metrics_recorder::builder().label("service", "shop")?.install(writer)?;
//!
//! metrics::counter!("orders").increment(1);
//! metrics::histogram!("order_seconds", "kind" => "book").record(0.025);
//!
//! recorder.close()?; // or drop it: what came since the last interval is written
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where the server asks for a token, or is at an `https://` address with a certificate of your own, build the client with
//! `Client::build(metrics_sdk::Client::builder(url).token(token).ca_certs(pem))`.
//!
//! Into a store in the same program, through `metrics-core` (feature `engine`):
//!
//! ```no_run
//! # #[cfg(feature = "engine")] {
//! let engine = metrics_core::Engine::open("metrics.duckdb")?;
//! let recorder = metrics_recorder::builder().install(engine.clone())?;
//! metrics::gauge!("queue_depth").set(3.0);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is written
//!
//! Every [interval](Builder::interval), at one time for all:
//!
//! | of | series | value |
//! | --- | --- | --- |
//! | a counter `orders` | `orders` | the count since the program started, from a point 0 at its first use: ask for `rate` or `increase` |
//! | a gauge `queue_depth` | `queue_depth` | its value now |
//! | a histogram `order_seconds` | `order_seconds_count`, `order_seconds_sum` | samples, and their sum, since the start |
//! | | `order_seconds{quantile="0.5"}`, `0.9`, `0.95`, `0.99` | quantiles of the interval's samples |
//! | | `order_seconds_min`, `order_seconds_max` | the least and the greatest of them |
//!
//! Labels of the facade are labels of the series; those of the [builder](Builder::label) are added to all. Several
//! processes that write the same metrics need a label that tells them apart, such as `instance`. A unit given by
//! `describe_histogram!` and its likes before the first interval becomes the label `unit` (`seconds`, `bytes`), except on
//! `_count`; descriptions have no place in a store and are let go.
//!
//! # What it costs
//!
//! An increment is one atomic addition, a sample of a histogram a few: `benches/recorder.rs` measures both beside
//! `metrics-exporter-prometheus`. Histograms are counted in buckets that are 1/32 of their power of two wide, so a quantile
//! is within 1.6 % of a sample of that rank; least and greatest are exact. Memory is bounded: at most
//! [`Builder::max_metrics`] metrics with their labels, a histogram 28 KiB at most and most often 2 or 3; what comes beyond is not
//! recorded and [counted](Stats::refused).
//!
//! # With `tracing`
//!
//! This crate is for numbers, `tracing` for what happened; a program uses both side by side, and neither needs to know the
//! other. Where a number belongs to an event, write both: `tracing::warn!(order, "payment refused")` says which order it was,
//! `metrics::counter!("payments_refused").increment(1)` says how often that happens. To give metrics the fields of the span
//! that they are recorded in as labels, put the layer of the crate `metrics-tracing-context` around a [`Recorder`] of
//! [`Builder::start`], and keep out fields that vary without end, such as the order's number.

#![warn(missing_debug_implementations)]

mod builder;
mod cells;
mod histogram;
mod publish;
mod recorder;
mod registry;
mod reporter;
mod sink;

pub use builder::{BuildError, Builder, builder};
pub use recorder::Recorder;
pub use reporter::{Guard, Stats};
pub use sink::{FlushError, Sink, SinkError, SinkFn};

pub use metrics_core::{Batch, LabelError};
