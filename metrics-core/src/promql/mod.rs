//! PromQL: the query language of Prometheus over this store.
//!
//! A text is parsed (by the crate `promql-parser`), planned for the instants at which it is asked for, and evaluated in
//! memory over samples that are read in one pass a selector, all from one view of the store. What an expression means is
//! Prometheus' own affair, as of its version 3: ranges are open on the left, an instant looks five minutes back, `rate`
//! extrapolates. Where the points of a store know more than Prometheus does:
//!
//! - Times are microseconds, those of steps milliseconds.
//! - A series may hold several points of one time. An instant takes the last of them in the store's order, the
//!   greatest; so do the functions that look at steps from one sample to the next (`rate`, `increase`, `irate`, `delta`,
//!   `idelta`, `deriv`, `predict_linear`, `changes`, `resets`). Those over time take all, as every average here does.
//!
//! ```
//! use metrics_core::{Engine, Point, Timestamp, promql};
//! # let folder = tempfile::tempdir()?;
//! # let engine = Engine::open(folder.path().join("metrics.duckdb"))?;
//! let noon = Timestamp::parse("2024-02-02T12:00:00Z")?;
//! engine.write(Point::new("load", noon, 20.0)?.with_labels([("host", "a")])?)?.wait()?;
//! engine.write(Point::new("load", noon, 22.0)?.with_labels([("host", "b")])?)?.wait()?;
//!
//! let query = promql::Query::at("sum by (rack) (load) * 2", noon.saturating_add_micros(60_000_000));
//! let promql::Answer::Vector(samples) = engine.promql(&query)? else { panic!("a vector") };
//! assert_eq!(samples[0].value, 84.0);
//! # engine.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aggregate;
mod answer;
mod binary;
mod budget;
mod call;
mod dates;
mod error;
mod eval;
mod function;
mod guard;
mod histogram;
mod labelling;
mod matching;
mod numbers;
mod operator;
mod over_time;
mod plan;
mod plan_call;
mod range_function;
mod read;
mod run;
mod select;
mod slope;
mod steps;
mod value;

use std::time::Duration;

pub use answer::{Answer, RangeSeries, VectorSample};
pub use error::PromqlError;
pub use guard::parse_duration;
pub use run::Query;
pub(crate) use run::{run, series};
pub use select::Selector;
pub use value::{Metric, NAME_LABEL};

/// Longest expression, in bytes of UTF-8.
pub const MAX_QUERY_BYTES: usize = 64 << 10;
/// Most words and signs in an expression.
pub const MAX_TOKENS: usize = 4_096;
/// Most regular expressions in an expression, each of which may take a mebibyte.
pub const MAX_PATTERNS: usize = 50;
/// Most levels of an expression; a chain of operators has one for each of them.
pub const MAX_DEPTH: usize = 128;
/// Most operators in an expression.
pub const MAX_OPERATORS: usize = 256;
/// Most steps of a range query, as in Prometheus.
pub const MAX_STEPS: usize = 11_000;
/// How far an instant looks back for a sample, as in Prometheus.
pub const LOOKBACK: Duration = Duration::from_secs(300);
/// Step of a subquery that names none: Prometheus' default evaluation interval.
pub const SUBQUERY_STEP: Duration = Duration::from_secs(60);
