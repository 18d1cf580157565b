//! An HTTP/1.1 server over a metrics [`Engine`](metrics_core::Engine): write points, ask for windows, see them as a chart.
//!
//! [`serve`] runs on a listener that the caller opened until a future of the caller's says stop. It then accepts
//! nothing more, lets requests finish within [`ServerOptions::grace`] and returns; closing the engine is left to the
//! caller, who may have other uses for it.
//!
//! ```no_run
//! use metrics_core::Engine;
//! use metrics_http::{ServerOptions, serve};
//! use tokio::net::TcpListener;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::open("metrics.duckdb")?;
//! let listener = TcpListener::bind("127.0.0.1:8080").await?;
//! let interrupted = async {
//!     let _ = tokio::signal::ctrl_c().await;
//! };
//! serve(engine.clone(), listener, ServerOptions::default(), interrupted).await?;
//! engine.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Bounds
//!
//! Everything that a client can make large, many or slow has a limit in [`ServerOptions`] and an answer of its own:
//! 413 for a body, 431 for a head, 408 for a body that comes too slowly, 503 with `Retry-After` for too many requests
//! or streams at once, a closed connection for a head that does not arrive and for an answer that is not read.
//!
//! # Who may ask
//!
//! The `Host` of a request must be a loopback name, the address that the client connected to, or one of
//! [`ServerOptions::allow_hosts`]: a page of another site cannot reach the server through a name that it controls.
//! Writes that a browser sends from another site's page are refused unless [`ServerOptions::cors_origin`] names it.

mod access;
mod app;
mod backups;
mod body;
mod compress;
mod connection;
mod content;
mod events;
mod exports;
mod figures;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod inflate;
mod limits;
mod negotiate;
mod openapi;
mod options;
mod page;
mod process;
mod range;
mod requests;
mod respond;
mod router;
mod routes;
mod server;

pub use backups::BackupOptions;
pub use options::ServerOptions;
pub use server::serve;
