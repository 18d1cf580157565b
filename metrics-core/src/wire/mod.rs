//! Wire formats: bytes to validated points, one file a format.
//!
//! `decode` functions take a body whole or not at all and list its first bad rows. Readers, for files of any size, give
//! bad rows as data beside the good ones, and so do the line protocol, Prometheus remote write and OTLP, whose senders
//! expect partial writes.

#[cfg(feature = "arrow")]
pub mod arrow;
pub mod csv;
mod decimal;
mod error;
pub mod frame;
#[cfg(feature = "arrow")]
mod guard;
mod intern;
pub mod json;
pub mod line;
pub mod otlp;
pub mod params;
#[cfg(feature = "parquet")]
pub mod parquet;
mod protobuf;
pub mod remote_write;
mod scan;
#[cfg(feature = "arrow")]
pub(crate) mod table;
#[cfg(test)]
mod testing;
mod time;

pub use error::{Chunk, DecodeError, MAX_LISTED_ROWS, Place, RowError};
pub use intern::{MAX_BATCH_POINTS, MAX_BATCH_SERIES, MAX_BATCH_SERIES_BYTES};
