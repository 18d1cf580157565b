//! Exports that are read by parts: each is made once into a file, and every part comes from the same bytes.
//!
//! An export is kept for those who are reading it: a request for a part, or for the length, gets the file that others
//! of the last moments got, also when points were written since. Whoever asks for all of it gets a new one as soon as
//! anything was written, unless somebody is reading the old one by parts.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use metrics_core::{ExportError, ExportRequest, Timestamp, beside};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::app::App;
use crate::options::ServerOptions;
use crate::respond::Failure;

/// How a request reads an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it at once.
    Whole,
    /// Its length: parts will follow.
    Length,
    /// A part, after others of the same file.
    Part,
}

/// How long after a request for a part others of the same client are expected.
const SESSION: Duration = Duration::from_secs(30);
/// Age at which an export is made anew although it is being read: its readers then see another version's tag.
const MAX_AGE: Duration = Duration::from_secs(600);
/// What the names of the files end with.
const ENDING: &str = ".parquet";

/// A finished export. Its file goes when nobody holds it any more.
pub(crate) struct Exported {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Its `ETag`: strong, for the bytes never change.
    pub(crate) tag: String,
    generation: u64,
    made: Instant,
    used: Mutex<Used>,
    _room: OwnedSemaphorePermit,
}

/// When an export was asked for last.
#[derive(Clone, Copy)]
struct Used {
    at_all: Instant,
    by_parts: Option<Instant>,
}

/// The exports of a server.
pub(crate) struct Exports {
    directory: PathBuf,
    limit_bytes: u64,
    lifetime: Duration,
    room: Arc<Semaphore>,
    /// By what was asked for. Whoever makes one holds its lock, so that others wait for it.
    slots: Mutex<HashMap<String, Slot>>,
    next: AtomicU64,
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<Exported>>>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exported {
    fn touch(&self, reading: Reading) {
        let now = Instant::now();
        let mut used = locked(&self.used);
        used.at_all = now;
        if reading != Reading::Whole {
            used.by_parts = Some(now);
        }
    }

    /// Whether it may answer a request.
    fn serves(&self, generation: u64, reading: Reading) -> bool {
        let being_read = locked(&self.used).by_parts.is_some_and(|at| at.elapsed() < SESSION);
        reading == Reading::Part || self.generation == generation || (being_read && self.made.elapsed() < MAX_AGE)
    }

    fn idle(&self) -> Duration {
        locked(&self.used).at_all.elapsed()
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Exports {
    /// Removes what an earlier server may have left.
    pub(crate) fn new(options: &ServerOptions, store: &Path) -> Self {
        let directory = options.export_directory.clone().unwrap_or_else(|| beside(store, ".exports"));
        sweep(&directory);
        Self {
            directory,
            limit_bytes: options.export_limit_bytes,
            lifetime: options.export_lifetime,
            room: Arc::new(Semaphore::new(options.max_exports)),
            slots: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    /// The export of this key: the one that is there, or a new one. It is made to its end and kept also where the
    /// client that asked for it is gone by then.
    ///
    /// # Errors
    /// 503 when there is no room for one more, 400 when it would be too large.
    pub(crate) async fn get(
        app: &Arc<App>,
        key: String,
        request: ExportRequest,
        reading: Reading,
    ) -> Result<Arc<Exported>, Failure> {
        let found = tokio::spawn(Self::find_or_make(Arc::clone(app), key, request, reading));
        found.await.unwrap_or_else(|error| {
            tracing::error!(%error, "an export failed");
            Err(Failure::internal())
        })
    }

    async fn find_or_make(
        app: Arc<App>,
        key: String,
        request: ExportRequest,
        reading: Reading,
    ) -> Result<Arc<Exported>, Failure> {
        let exports = &app.exports;
        let slot = Arc::clone(locked(&exports.slots).entry(key.clone()).or_default());
        let mut held = slot.lock().await;
        let generation = app.engine.generation();
        if let Some(export) = held.as_ref().filter(|export| export.serves(generation, reading)) {
            export.touch(reading);
            return Ok(Arc::clone(export));
        }
        // The old one goes before there is a new one: it may be its room.
        *held = None;
        let made = exports.make(&app, request, generation).await;
        match &made {
            Ok(export) => {
                export.touch(reading);
                *held = Some(Arc::clone(export));
                // Others may have taken it for an empty one meanwhile, and thrown it away.
                locked(&exports.slots).insert(key.clone(), Arc::clone(&slot));
                tokio::spawn(expire(Arc::downgrade(&app), key, export.tag.clone()));
            }
            Err(_) => {
                locked(&exports.slots).remove(&key);
            }
        }
        made
    }

    async fn make(&self, app: &App, mut request: ExportRequest, generation: u64) -> Result<Arc<Exported>, Failure> {
        let room = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => room,
            Err(_) => {
                self.forget_idle(SESSION);
                Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
                    Failure::overloaded(
                        "other exports take all room that is set apart for them (--max-exports): try again in a moment",
                    )
                })?
            }
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{:x}-{number:x}", Timestamp::now().micros());
        let path = self.directory.join(format!("{tag}{ENDING}"));
        request.limit_bytes = self.limit_bytes;
        let (engine, target) = (app.engine.clone(), path.clone());
        let written = app.exporters.run(move || {
            let failed = |error: io::Error| {
                tracing::error!(%error, path = %target.display(), "an export could not be written");
                Failure::internal()
            };
            std::fs::create_dir_all(target.parent().unwrap_or(Path::new("."))).map_err(failed)?;
            engine.export(&target, &request)?;
            std::fs::metadata(&target).map(|about| about.len()).map_err(failed)
        });
        let bytes = written.await??;
        let now = Instant::now();
        let used = Mutex::new(Used { at_all: now, by_parts: None });
        let tag = format!("\"{tag}\"");
        Ok(Arc::new(Exported { path, bytes, tag, generation, made: now, used, _room: room }))
    }

    /// Forgets the exports that were not asked for in so long; those that are being made are left.
    fn forget_idle(&self, idle: Duration) {
        locked(&self.slots).retain(|_, slot| {
            let Ok(held) = slot.try_lock() else { return true };
            held.as_ref().is_some_and(|export| export.idle() < idle)
        });
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        locked(&self.slots).clear();
        sweep(&self.directory);
    }
}

/// Removes the files of exports, and their folder where nothing else is in it.
fn sweep(directory: &Path) {
    let Ok(files) = std::fs::read_dir(directory) else { return };
    for path in files.flatten().map(|file| file.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(ENDING) || name.ends_with(".partial") {
            let _ = std::fs::remove_file(&path);
        }
    }
    let _ = std::fs::remove_dir(directory);
}

/// Forgets an export once nobody has asked for it for its lifetime.
async fn expire(app: Weak<App>, key: String, tag: String) {
    let Some((stop, lifetime)) = app.upgrade().map(|app| (app.stop.clone(), app.exports.lifetime)) else { return };
    let mut wait = lifetime;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        let Some(app) = app.upgrade() else { return };
        let mut slots = locked(&app.exports.slots);
        let Some(slot) = slots.get(&key) else { return };
        let idle = match slot.try_lock() {
            // Somebody is looking at it, or making it anew.
            Err(_) => Duration::ZERO,
            Ok(held) => match held.as_ref().filter(|export| export.tag == tag) {
                Some(export) => export.idle(),
                // It was made anew: the new one has its own end.
                None => return,
            },
        };
        if idle >= lifetime {
            slots.remove(&key);
            return;
        }
        wait = lifetime - idle;
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::TooLarge { .. } => Self::malformed(error.to_string()),
            ExportError::DiskFull(_) => Self::no_space(error.to_string()),
            ExportError::Store(error) if error.is_out_of_space() => {
                Self::no_space("there is no room on the disk for the export: make some, or ask for less")
            }
            ExportError::Closed => Self::closing(),
            error => {
                tracing::error!(%error, "an export failed");
                Self::internal()
            }
        }
    }
}
