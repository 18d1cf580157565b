//! The body of an answer: whole in memory, or made while it is sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// What an answer carries.
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// As it comes from a [`Feeder`].
    Streamed(Feed),
}

impl Content {
    /// A body that a [`Feeder`] fills: at most `parts` parts wait for the client, and `length_bytes` is said in the
    /// head where it is known. Without it the answer is sent in chunks.
    ///
    /// The answer's time limit holds for every part: a client that does not read is cut off, and the feeder learns it.
    /// A stopping server lets streams go on for its grace; one without an end of its own watches `App::stop`.
    pub(crate) fn streamed(parts: usize, length_bytes: Option<u64>) -> (Feeder, Self) {
        let (sender, parts) = mpsc::channel(parts.max(1));
        let finished = Arc::new(AtomicBool::new(false));
        let feeder = Feeder { parts: sender, finished: Arc::clone(&finished) };
        (feeder, Self::Streamed(Feed { parts, finished, left_bytes: length_bytes, ended: false }))
    }

    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// The bytes, where they are all here.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Streamed(_) => None,
        }
    }

    /// How many bytes are still to be sent, where that is known.
    pub(crate) fn length_bytes(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Streamed(feed) => feed.left_bytes,
        }
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Whole(bytes.into())
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streamed(feed) => feed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Streamed(feed) => feed.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length_bytes().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The end of a streamed body that is sent.
pub(crate) struct Feed {
    parts: mpsc::Receiver<Bytes>,
    finished: Arc<AtomicBool>,
    left_bytes: Option<u64>,
    ended: bool,
}

impl Feed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match std::task::ready!(self.parts.poll_recv(cx)) {
            Some(part) => {
                self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(part.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            None => {
                self.ended = true;
                match self.finished.load(Ordering::Acquire) {
                    true => Poll::Ready(None),
                    false => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                }
            }
        }
    }
}

/// The end of a streamed body that is filled. Dropped without [`Feeder::finish`], it breaks the answer off, so that no
/// client takes a part for the whole.
pub(crate) struct Feeder {
    parts: mpsc::Sender<Bytes>,
    finished: Arc<AtomicBool>,
}

/// Nobody reads a streamed body any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub(crate) struct Gone;

impl Feeder {
    /// Hands a part over once there is room for it.
    pub(crate) async fn send(&self, part: impl Into<Bytes>) -> Result<(), Gone> {
        self.parts.send(part.into()).await.map_err(|_| Gone)
    }

    /// Resolves when nobody reads any more.
    pub(crate) async fn gone(&self) {
        self.parts.closed().await;
    }

    /// Tells that all was sent.
    pub(crate) fn finish(self) {
        self.finished.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_streamed_body_is_its_parts_in_order() {
        let (feeder, content) = Content::streamed(1, Some(4));
        assert_eq!((content.length_bytes(), content.whole()), (Some(4), None));
        let feed = async {
            feeder.send("ab").await?;
            feeder.send("cd").await?;
            feeder.finish();
            Ok::<_, Gone>(())
        };
        let (fed, read) = tokio::join!(feed, content.collect());
        assert_eq!(fed, Ok(()));
        assert_eq!(read.expect("finished").to_bytes(), "abcd");
    }

    #[tokio::test]
    async fn a_feeder_that_does_not_finish_breaks_the_answer_off() {
        let (feeder, content) = Content::streamed(2, None);
        feeder.send("ab").await.expect("somebody reads");
        drop(feeder);
        let error = content.collect().await.map(|_| ()).expect_err("not whole");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_feeder_learns_that_nobody_reads() {
        let (feeder, content) = Content::streamed(1, None);
        drop(content);
        feeder.gone().await;
        assert_eq!(feeder.send("ab").await, Err(Gone));
    }
}
