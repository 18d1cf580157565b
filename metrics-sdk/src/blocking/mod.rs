//! The client and the writer for programs without an asynchronous runtime.
//!
//! ```no_run
//! use metrics_sdk::{Point, Timestamp, blocking};
//!
//! let writer = blocking::Client::new("http://127.0.0.1:8080")?.start_writer()?;
//! for reading in [21.5, 21.7, 21.6] {
//!     writer.push(Point::new("temperature", Timestamp::now(), reading)?)?;
//! }
//! println!("{}", writer.close());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A client has one thread of its own that makes its requests, and its writers' too. Calls wait for it. They may be made
//! from asynchronous code as well, whose thread then waits.

mod client;
mod runtime;
mod writer;

pub use client::Client;
pub use writer::Writer;
