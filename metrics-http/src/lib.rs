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
//! What a browser sends from another site's page is refused unless [`ServerOptions::cors_origin`] names it; links to here
//! may be followed.
//!
//! With [`ServerOptions::tokens`] a request needs a token whose scopes allow what its route does; `/ping`, `/health`, `/ready`, the
//! description and the files of the page are everybody's. Tokens come in headers alone: there are no cookies, and nothing
//! is read from addresses.

mod access;
mod app;
mod backups;
mod body;
mod compress;
mod connection;
mod content;
mod credentials;
mod events;
mod exports;
mod figures;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
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
mod throttle;
mod tls;
mod tokens;

pub use backups::BackupOptions;
pub use options::ServerOptions;
pub use server::serve;
pub use tls::{Tls, TlsError};
pub use tokens::{Scope, Scopes, Secret, TokenError, TokenFile, TokenInfo, Tokens};
