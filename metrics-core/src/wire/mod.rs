//! Wire formats: bytes to validated points, one file a format.
//!
//! `decode` functions take a body whole or not at all and list its first bad rows. Readers, for files of any size, give
//! bad rows as data beside the good ones, and so does the line protocol, whose senders expect partial writes.

#[cfg(feature = "arrow")]
pub mod arrow;
pub mod csv;
mod decimal;
mod error;
pub mod frame;
mod intern;
pub mod json;
pub mod line;
pub mod params;
#[cfg(feature = "parquet")]
pub mod parquet;
mod scan;
#[cfg(feature = "arrow")]
pub(crate) mod table;
mod time;

pub use error::{Chunk, DecodeError, MAX_LISTED_ROWS, Place, RowError};
pub use intern::MAX_BATCH_SERIES;
