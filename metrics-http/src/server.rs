//! The accept loop and its end.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_core::Engine;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::backups;
use crate::connection::{Answer, PacedStream, Progress};
use crate::limits::open_files_limit;
use crate::options::ServerOptions;
use crate::router::{self, Ends};

/// Pause after a failed accept, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most bytes that a connection buffers in each direction, unless heads may be longer.
const BUFFER_BYTES: usize = 128 << 10;
/// Bytes of answers that the system keeps for a client which does not read them (it doubles the number). Without a
/// bound it is megabytes, for each of thousands of connections.
const SEND_BUFFER_BYTES: usize = 128 << 10;
/// What a connection beyond the limit gets.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 85\r\n\
    retry-after: 1\r\nconnection: close\r\n\r\n{\"message\":\"too many connections at once (--max-connections): try again in a moment\"}";

/// What a client gets that speaks without TLS where TLS is spoken.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 70\r\n\
    connection: close\r\n\r\n{\"message\":\"this server speaks TLS: use https:// in place of http://\"}";

/// Serves an engine on a listener until `shutdown` resolves; then says so on `/ready`, goes on for
/// [`ServerOptions::drain`], and after that accepts nothing more, ends idle connections, lets
/// requests finish within [`ServerOptions::grace`], drops those that do not, and returns. The engine stays open.
///
/// Needs a tokio runtime with its I/O and time drivers.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when an option is unusable; the listener's error when it has no address; that of the
/// folder for backups when it cannot be used.
/// A failed accept is logged and tried again.
pub async fn serve(
    engine: Engine,
    listener: TcpListener,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if let Err(error) = SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER_BYTES) {
        tracing::debug!(%error, "the system chooses how much of an answer it keeps");
    }
    let (drain, grace) = (options.drain, options.grace);
    let app = Arc::new(App::new(engine, options)?);
    let room = Arc::new(Semaphore::new(connection_limit(app.options.max_connections)));
    let connections = TaskTracker::new();
    let abandon = CancellationToken::new();
    let mut stopped = pin!(async {
        shutdown.await;
        app.drain.cancel();
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            // Who still comes would only hear that the store has failed.
            _ = app.engine.failed() => {}
        }
    });
    tokio::spawn(backups::on_schedule(Arc::clone(&app)));
    tracing::info!(%address, "listening");
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(seat) => {
                    let connection = Connection { app: Arc::clone(&app), abandon: abandon.clone() };
                    connections.spawn(connection.run(stream, seat));
                }
                Err(_) => refuse(&app, &stream),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    app.stop.cancel();
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not finish in time and are dropped");
        abandon.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// The limit asked for, but at most half of the files that the process may open.
fn connection_limit(asked: usize) -> usize {
    let half = open_files_limit().map_or(usize::MAX, |files| files / 2);
    if half < asked {
        tracing::debug!(asked, limit = half, "the limit of open files lowers the limit of connections");
    }
    asked.min(half).clamp(1, Semaphore::MAX_PERMITS)
}

/// Tells a client that there is no room, as far as that is possible without waiting for it.
fn refuse(app: &App, stream: &TcpStream) {
    app.figures.connections_refused.fetch_add(1, Ordering::Relaxed);
    if app.options.tls.is_some() {
        // Without a handshake it would not be read.
        return;
    }
    let _ = stream.try_write(FULL);
}

/// Why a connection ended early.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// One connection's share of the server.
struct Connection {
    app: Arc<App>,
    /// Close now.
    abandon: CancellationToken,
}

impl Connection {
    async fn run(self, stream: TcpStream, seat: OwnedSemaphorePermit) {
        self.app.figures.connections.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.serve(stream).await {
            tracing::debug!(%error, "a connection ended early");
        }
        self.app.figures.connections.fetch_sub(1, Ordering::Relaxed);
        drop(seat);
    }

    async fn serve(&self, stream: TcpStream) -> Result<(), Broken> {
        stream.set_nodelay(true)?;
        let ends = Ends { local: stream.local_addr()?.ip(), peer: stream.peer_addr()?.ip() };
        let options = &self.app.options;
        if options.tls.is_some() && self.is_plain(&stream).await? {
            let _ = stream.try_read(&mut [0; 4 << 10]);
            let _ = stream.try_write(PLAIN);
            return Ok(());
        }
        let progress = Arc::new(Progress::default());
        let stream = PacedStream::new(stream, Arc::clone(&progress), options);
        let Some(tls) = &options.tls else { return self.talk(stream, ends, &progress).await };
        let stream = tokio::select! {
            accepted = tokio::time::timeout(options.header_timeout, tls.acceptor().accept(stream)) => accepted??,
            () = self.app.stop.cancelled() => return Ok(()),
        };
        self.talk(stream, ends, &progress).await
    }

    /// Whether a client begins to speak without TLS: a handshake begins with 22 (RFC 8446, section 5.1), a request with a
    /// letter.
    async fn is_plain(&self, stream: &TcpStream) -> Result<bool, Broken> {
        let mut first = [0];
        let read = tokio::select! {
            read = tokio::time::timeout(self.app.options.header_timeout, stream.peek(&mut first)) => read??,
            () = self.app.stop.cancelled() => 0,
        };
        Ok(read == 1 && first[0].is_ascii_alphabetic())
    }

    /// Answers the requests of a connection.
    async fn talk<S>(&self, stream: S, ends: Ends, progress: &Arc<Progress>) -> Result<(), Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let options = &self.app.options;
        let service = service_fn(|request| {
            progress.ask();
            let (app, progress) = (Arc::clone(&self.app), Arc::clone(progress));
            async move { Ok::<_, Infallible>(answer(&app, ends, request, progress).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(options.idle_timeout)
            // Up to here the router refuses a head, with a word about it; what is longer still gets a bare status.
            .max_header_size(options.header_limit_bytes.saturating_mul(2))
            .max_buf_size(options.header_limit_bytes.saturating_mul(2).max(BUFFER_BYTES))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            result = connection.as_mut() => return Ok(result?),
            () = self.app.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            result = connection => Ok(result?),
            () = self.abandon.cancelled() => Ok(()),
        }
    }
}

async fn answer(
    app: &Arc<App>,
    ends: Ends,
    request: hyper::Request<hyper::body::Incoming>,
    progress: Arc<Progress>,
) -> hyper::Response<Answer> {
    router::answer(app, ends, request).await.map(|body| Answer::new(body, progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_connection_says_its_own_length() {
        for text in [FULL, PLAIN] {
            let text = std::str::from_utf8(text).expect("ASCII");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{}", body.len());
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
    }
}
