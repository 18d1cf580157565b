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

/// A TCP stream with deadlines.
pub(crate) struct PacedStream {
    stream: TcpStream,
    progress: Arc<Progress>,
    header_timeout: Duration,
    answer_timeout: Duration,
    /// The request whose head the alarm is armed for.
    head: u64,
    head_alarm: Alarm,
    answer_alarm: Alarm,
}

impl PacedStream {
    /// Starts the time for the first head.
    pub(crate) fn new(
        stream: TcpStream,
        progress: Arc<Progress>,
        header_timeout: Duration,
        answer_timeout: Duration,
    ) -> Self {
        let mut head_alarm = Alarm::new();
        head_alarm.arm(header_timeout);
        let answer_alarm = Alarm::new();
        Self { stream, progress, header_timeout, answer_timeout, head: 0, head_alarm, answer_alarm }
    }

    /// Passes the result of a write on, unless it has been waiting for the client for too long.
    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.answer_alarm.armed = false;
            return result;
        }
        if !self.answer_alarm.armed {
            self.answer_alarm.arm(self.answer_timeout);
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
