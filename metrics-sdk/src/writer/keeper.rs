//! The task that puts batches on the disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::buffer::{Sealed, Size};
use crate::spill::{Directory, Packed};

/// Pause after the disk took nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// Puts batches on the disk as they come (durable) or while the server is away, until the writer has ended.
pub(super) async fn run(shared: Arc<Shared>, gzip: bool) {
    loop {
        let next = {
            let mut state = shared.lock();
            if state.ended {
                return;
            }
            state.next_to_keep(Instant::now())
        };
        let look_again = match next {
            Ok(sealed) => match store(&shared, sealed, gzip).await {
                true => continue,
                false => Some(Instant::now() + PAUSE),
            },
            Err(due) => due,
        };
        match look_again {
            Some(at) => {
                tokio::select! {
                    () = sleep_until(at) => {}
                    () = shared.keep.notified() => {}
                }
            }
            None => shared.keep.notified().await,
        }
    }
}

/// Puts a batch that was taken in hand on the disk; puts it back into the memory where that fails, and tells so.
pub(super) async fn store(shared: &Arc<Shared>, sealed: Sealed, gzip: bool) -> bool {
    let Some(directory) = shared.directory.clone() else {
        shared.lock().put_back(sealed);
        return false;
    };
    let of = Arc::clone(shared);
    let stored = spawn_blocking(move || {
        let (seq, size, packed) = sealed.pack(gzip);
        write(&of, &directory, seq, size, packed)
    });
    let stored = stored.await.unwrap_or(false);
    shared.work.notify_one();
    shared.changed.notify_waiters();
    stored
}

fn write(shared: &Shared, directory: &Directory, seq: u64, size: Size, packed: Packed) -> bool {
    let content = packed.file();
    let bytes = content.len() as u64;
    let room = shared.lock().room_on_disk(bytes);
    let is_set_apart = room.is_ok();
    let written = room
        .and_then(|gone| gone.into_iter().try_for_each(|seq| directory.remove(seq)))
        .and_then(|()| directory.write(seq, &packed, &content));
    let mut state = shared.lock();
    if is_set_apart {
        state.written(bytes);
    }
    match written {
        Ok(entry) => {
            state.disk_fault = None;
            state.spilled(size, entry);
            true
        }
        Err(error) => {
            state.last_error = Some(error.to_string());
            state.disk_fault = Some(error);
            state.disk_faults += 1;
            state.put_back(Sealed::packed(seq, size, packed));
            false
        }
    }
}
