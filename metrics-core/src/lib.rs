//! Metrics in an embedded DuckDB file: write points, ask for averages per minute, hour or day.
//!
//! A **point** is a value of a **series** (a metric name with labels) at a time. Points are written in batches and
//! durable once their ticket resolves; an [`Engine`] answers queries from everything written before, however much
//! that is, because it keeps rollups beside the points and reads the coarsest that answers exactly.
//!
//! ```
//! # #[cfg(feature = "engine")] {
//! use metrics_core::{Aggregate, Batch, Engine, Per, Point, QueryRequest, Resolution, Timestamp};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("metrics.duckdb");
//! let engine = Engine::open(path)?;
//! let mut batch = Batch::new();
//! for minute in 0..60 {
//!     let at = Timestamp::parse("2024-02-02T12:00:00Z")?.saturating_add_micros(minute * 60_000_000);
//!     batch.push(Point::new("load", at, minute as f64)?.with_labels([("host", "a")])?);
//! }
//! engine.write(batch)?.wait()?;
//!
//! let mut request =
//!     QueryRequest::new(["load"], Timestamp::parse("2024-02-02")?, Timestamp::parse("2024-02-03")?)?;
//! request.per = Per::Every(Resolution::Hour);
//! request.aggregates = vec![Aggregate::Avg, Aggregate::Max];
//! let frame = engine.query(&request)?;
//! assert_eq!(frame.series[0].column(Aggregate::Avg), Some(&[Some(29.5)][..]));
//! assert_eq!(frame.series[0].column(Aggregate::Max), Some(&[Some(59.0)][..]));
//! engine.close()?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without the feature `engine` (on by default) the crate is the model, the wire formats and the encodings alone,
//! and does not need DuckDB: what a client builds on. The features `arrow` and `parquet`, which `engine`
//! brings along, add these formats to it. The feature `bundled` (on by default) compiles DuckDB in;
//! without it the system's library is linked.

#[cfg(feature = "engine")]
mod backups;
pub mod chart;
pub mod encode;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod export;
mod model;
#[cfg(feature = "engine")]
pub mod promql;
#[cfg(feature = "engine")]
mod query;
#[cfg(feature = "engine")]
mod rollup;
#[cfg(feature = "engine")]
mod store;
#[cfg(feature = "engine")]
mod watch;
pub mod wire;
#[cfg(feature = "engine")]
mod writer;

#[cfg(feature = "engine")]
pub use backups::{Backup, BackupError, BackupFolder};
#[cfg(feature = "arrow")]
pub use encode::table::SqlAnswer;
#[cfg(feature = "engine")]
pub use engine::{Engine, Stats};
#[cfg(feature = "engine")]
pub use export::{ExportError, ExportFormat, ExportFormatError, ExportRequest};
pub use model::*;
#[cfg(feature = "engine")]
pub use query::QueryError;
#[cfg(feature = "engine")]
pub use store::{
    CheckReport, DiskFull, Failed, Keep, LOG_ENDINGS, MAX_SQL_BYTES, NOTE_ENDINGS, OpenError, Options, Ownership,
    RetentionError, RetentionRule, SqlError, SqlLimits, StoreError, beside, remove_with_companions,
};
#[cfg(feature = "engine")]
pub use watch::{Change, ChangedSpan, Watch, WatchPosition, WatchPositionError, WatchTimeout};
#[cfg(feature = "engine")]
pub use writer::{COMMIT_BUCKETS_US, IdempotencyKey, MAX_KEY_BYTES, Receipt, WriteError, WriteTicket};
