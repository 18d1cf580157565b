//! A connection that ends by itself when its client is too slow: with a head, or with reading an answer.
//! (Bodies have their own deadline, where they are read; idle connections are hyper's.)

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::content::Content;
use crate::options::ServerOptions;

/// How far a connection's requests have come; shared by its stream and its service.
#[derive(Default)]
pub(crate) struct Progress {
    asked: AtomicU64,
    answered: AtomicU64,
}

impl Progress {
    /// A head has arrived.
    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Ordering::AcqRel);
    }

    /// The number of the request whose head is due, if one is.
    fn due(&self) -> Option<u64> {
        let answered = self.answered.load(Ordering::Acquire);
        (self.asked.load(Ordering::Acquire) == answered).then_some(answered)
    }
}

/// The body of an answer. When it is gone, the next head is due.
pub(crate) struct Answer {
    body: Content,
    progress: Arc<Progress>,
}

impl Answer {
    pub(crate) fn new(body: Content, progress: Arc<Progress>) -> Self {
        Self { body, progress }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.progress.answered.fetch_add(1, Ordering::AcqRel);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A timer that is armed for one thing at a time.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: bool,
}

impl Alarm {
    fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), armed: false }
    }

    fn arm(&mut self, after: Duration) {
        self.sleep.as_mut().reset(Instant::now() + after);
        self.armed = true;
    }

    /// Whether the time is up; otherwise the task is woken when it is.
    fn rings(&mut self, cx: &mut Context<'_>) -> bool {
        self.armed && self.sleep.as_mut().poll(cx).is_ready()
    }
}

/// The time that a client may still keep the server waiting: it is used up by waiting and earned by taking bytes, so
/// that one which takes a byte now and then does not hold an answer for ever.
struct Patience {
    most: Duration,
    bytes_per_s: usize,
    left: Duration,
    waiting_since: Option<Instant>,
}

impl Patience {
    fn new(most: Duration, bytes_per_s: usize) -> Self {
        Self { most, bytes_per_s: bytes_per_s.max(1), left: most, waiting_since: None }
    }

    /// Begins to wait; tells how long that may take.
    fn wait(&mut self, now: Instant) -> Duration {
        self.waiting_since = Some(now);
        self.left
    }

    /// Ends the wait, if there was one, with so many bytes taken.
    fn took(&mut self, bytes: usize, now: Instant) {
        let Some(since) = self.waiting_since.take() else { return };
        let earned = Duration::from_secs_f64(bytes as f64 / self.bytes_per_s as f64);
        self.left = (self.left.saturating_sub(now - since) + earned).min(self.most);
    }
}

/// A TCP stream with deadlines.
pub(crate) struct PacedStream {
    stream: TcpStream,
    progress: Arc<Progress>,
    header_timeout: Duration,
    patience: Patience,
    /// The request whose head the alarm is armed for.
    head: u64,
    head_alarm: Alarm,
    answer_alarm: Alarm,
}

impl PacedStream {
    /// Starts the time for the first head.
    pub(crate) fn new(stream: TcpStream, progress: Arc<Progress>, options: &ServerOptions) -> Self {
        let header_timeout = options.header_timeout;
        let patience = Patience::new(options.answer_timeout, options.answer_rate_min_bytes_per_s);
        let mut head_alarm = Alarm::new();
        head_alarm.arm(header_timeout);
        let answer_alarm = Alarm::new();
        Self { stream, progress, header_timeout, patience, head: 0, head_alarm, answer_alarm }
    }

    /// Passes the result of a write on, unless it has been waiting for the client for too long.
    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = &result {
            if self.answer_alarm.armed {
                self.answer_alarm.armed = false;
                self.patience.took(*written.as_ref().unwrap_or(&0), Instant::now());
            }
            return result;
        }
        if !self.answer_alarm.armed {
            self.answer_alarm.arm(self.patience.wait(Instant::now()));
        }
        match self.answer_alarm.rings(cx) {
            true => Poll::Ready(Err(timed_out("the client does not read the answer"))),
            false => Poll::Pending,
        }
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl AsyncRead for PacedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let due = this.progress.due();
        if due == Some(this.head) && this.head_alarm.rings(cx) {
            return Poll::Ready(Err(timed_out("the head did not arrive in time")));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let first_bytes = matches!(result, Poll::Ready(Ok(()))) && buffer.filled().len() > before;
        if let Some(number) = due
            && first_bytes
            && number != this.head
        {
            this.head = number;
            this.head_alarm.arm(this.header_timeout);
        }
        result
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_used_up_by_waiting_and_earned_by_taking() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut patience = Patience::new(10 * second, 1_000);
        assert_eq!(patience.wait(start), 10 * second);
        patience.took(2_000, start + 6 * second);
        assert_eq!(patience.wait(start + 6 * second), 6 * second, "ten, less six, and two earned");
        patience.took(1, start + 12 * second);
        assert_eq!(patience.wait(start + 12 * second), Duration::from_millis(1), "a byte earns next to nothing");
        patience.took(1_000_000, start + 12 * second);
        assert_eq!(patience.wait(start + 12 * second), 10 * second, "there is no more to earn than there was");
        patience.took(0, start + 12 * second);
        patience.took(1, start + 90 * second);
        assert_eq!(patience.wait(start + 90 * second), 10 * second, "time in which nobody waited does not count");
    }
}
