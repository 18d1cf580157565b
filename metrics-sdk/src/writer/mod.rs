//! A writer collects points and sends them in batches.
//!
//! Points go one way: the batch that fills → batches that wait in memory → (the disk) → the server. Two tasks move them:
//! the **sender** makes one request at a time, in order, and the **keeper** puts batches on the disk. Both take from one
//! [`State`](buffer::State) under a lock that is never held across I/O.

mod buffer;
mod error;
mod handle;
mod keeper;
mod options;
mod report;
mod sender;

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

pub use error::WriterError;
pub use handle::Writer;
pub use options::{WhenFull, WriterBuilder};
pub use report::{Counters, Rejection, Report};

use buffer::State;

use crate::spill::Directory;

/// What a writer's handles and tasks share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The folder of spilled batches.
    directory: Option<Arc<Directory>>,
    /// Something is there to send.
    work: Notify,
    /// Something is there to put on the disk.
    keep: Notify,
    /// The sender is not to wait longer: somebody waits for the outcome.
    urgent: Notify,
    /// Room was made, or a batch is done: for all who wait for that.
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }

    /// Waits until a look at the state gives something.
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on a change is noticed, also one between the look and the wait.
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            changed.await;
        }
    }
}
