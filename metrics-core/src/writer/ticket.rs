//! The answer to a write, before it is there.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_channel::oneshot;

use super::error::WriteError;

/// What a committed write is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Points that the write stored.
    pub points: u64,
    /// True when its idempotency key was known: the points were stored by the earlier write of that key.
    pub replayed: bool,
}

/// Resolves when the write is committed and fsynced, or failed. A ticket may be dropped: the write goes on.
///
/// Await it in async code of any runtime, or block on it with [`WriteTicket::wait`].
#[derive(Debug)]
#[must_use = "a write is durable only once its ticket resolves"]
pub struct WriteTicket(pub(super) oneshot::Receiver<Result<Receipt, WriteError>>);

/// The sending side of a ticket.
pub(crate) type Reply = oneshot::Sender<Result<Receipt, WriteError>>;

impl WriteTicket {
    pub(crate) fn new() -> (Reply, Self) {
        let (reply, receiver) = oneshot::channel();
        (reply, Self(receiver))
    }

    /// Blocks until the write is durable or failed.
    ///
    /// # Errors
    /// [`WriteError`] as it befell the write.
    pub fn wait(self) -> Result<Receipt, WriteError> {
        futures_executor::block_on(self)
    }
}

impl Future for WriteTicket {
    type Output = Result<Receipt, WriteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(WriteError::Closed)))
    }
}
