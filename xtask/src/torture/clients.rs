//! Clients that post one after the other until the server is gone or they are told to stop.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::ledger::{Ledger, Post};
use crate::http::Connection;
use crate::joined;

const JSON: &str = "application/json";
/// Time from a refusal to the next post.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// What clients share.
pub(crate) struct Load<'a> {
    ledger: &'a Mutex<Ledger>,
    address: SocketAddr,
    most_points: u64,
    stop: AtomicBool,
    /// Acknowledgements so far.
    pub(crate) acknowledged: AtomicU64,
    /// Answers that are no acknowledgement.
    pub(crate) refused: AtomicU64,
}

/// A lock that a panic of another holder does not spoil: what is counted then is wrong, and that panic tells it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How a post was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is stored.
    Acknowledged,
    /// The server answered otherwise.
    Refused(u16),
    /// The server is gone.
    Gone,
}

/// Sends a post, the same again under the same key, and notes its acknowledgement.
///
/// # Errors
/// When that cannot be noted.
pub(crate) fn send(connection: &mut Connection, ledger: &Mutex<Ledger>, post: Post) -> anyhow::Result<Answered> {
    let body = locked(ledger).points.json(post.first, post.count);
    match connection.post("/v1/metrics", JSON, Some(&format!("post-{}", post.first)), &body) {
        Ok(answer) if answer.status == 201 => {
            locked(ledger).acknowledge(post.first)?;
            Ok(Answered::Acknowledged)
        }
        Ok(answer) => Ok(Answered::Refused(answer.status)),
        Err(_) => Ok(Answered::Gone),
    }
}

impl<'a> Load<'a> {
    /// Clients whose posts hold up to so many points.
    pub(crate) fn new(ledger: &'a Mutex<Ledger>, address: SocketAddr, most_points: u64) -> Self {
        let (stop, acknowledged, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        Self { ledger, address, most_points, stop, acknowledged, refused }
    }

    /// Posts until the server is gone.
    ///
    /// # Errors
    /// When an acknowledgement cannot be noted.
    pub(crate) fn run(&self, client: u64) -> anyhow::Result<()> {
        let Ok(mut connection) = Connection::open(self.address) else { return Ok(()) };
        for round in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let post = locked(self.ledger).open(1 + (round * 29 + client * 13) % self.most_points);
            match send(&mut connection, self.ledger, post)? {
                Answered::Acknowledged => self.acknowledged.fetch_add(1, Ordering::Relaxed),
                Answered::Refused(_) => {
                    // A server that refuses all would otherwise be asked as fast as it can refuse.
                    std::thread::sleep(REFUSED_PAUSE);
                    self.refused.fetch_add(1, Ordering::Relaxed)
                }
                Answered::Gone => break,
            };
        }
        Ok(())
    }

    /// Runs so many clients while something is done. They end after what they are sending then.
    pub(crate) fn beside<T>(&self, clients: u64, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..clients).map(|client| scope.spawn(move || self.run(client))).collect();
            let acted = act();
            self.stop.store(true, Ordering::Relaxed);
            clients.into_iter().try_for_each(joined)?;
            acted
        })
    }
}
