//! Writing: a bounded queue, a thread that commits what waits in it as a group, and one that keeps the store tidy.

mod committer;
mod error;
mod keys;
mod maintenance;
mod queue;
mod ticket;

pub(crate) use committer::{CommitFigures, Committer};
pub(crate) use maintenance::Maintenance;
pub(crate) use queue::{Job, Queue, WriteJob};

pub use committer::COMMIT_BUCKETS_US;
pub use error::WriteError;
pub use keys::{IdempotencyKey, MAX_KEY_BYTES};
pub use ticket::{Receipt, WriteTicket};
