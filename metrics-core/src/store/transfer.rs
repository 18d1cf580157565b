//! Copies of a store: whole, as a backup that is a store itself.

use std::fs::File;
use std::path::Path;

use super::Store;
use super::connection::Connection;
use super::error::{During, StoreError};
use super::ownership::beside;
use super::space::DiskSpace;

/// A text as SQL writes it between quotes of a kind.
fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
}

fn path_text(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::new("cannot write a copy", "its path is not UTF-8"))
}

/// Writes a file under another name first, and gives it its own once it is whole and on disk.
pub(crate) fn whole_or_absent<T, E: From<StoreError>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    if path.exists() {
        return Err(StoreError::new(format!("cannot write {}", path.display()), "it exists already").into());
    }
    let partial = beside(path, ".partial");
    let _ = std::fs::remove_file(&partial);
    let written = write(&partial).and_then(|value| {
        settle(&partial, path)?;
        Ok(value)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// Gives a file its own name, for good.
pub(crate) fn settle(partial: &Path, path: &Path) -> Result<(), StoreError> {
    let action = format!("cannot write {}", path.display());
    File::open(partial).and_then(|file| file.sync_all()).during(&action)?;
    std::fs::rename(partial, path).during(&action)?;
    // The new name itself is durable once its folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).during(&action)
}

impl Store {
    /// Copies the store, as it is at one moment, into a new file.
    pub(crate) fn backup(&self, connection: &Connection, path: &Path) -> Result<(), StoreError> {
        let reached = self.options.backup_directory.as_deref();
        if self.options.sql && (reached.is_none() || path.parent() != reached) {
            let reason = "it was opened for SQL and reaches no file but those of its folder for backups";
            return Err(StoreError::new("cannot back the store up", reason));
        }
        let (file_bytes, wal_bytes) = self.file_bytes();
        let space = DiskSpace::of(path, self.options.min_free_disk_bytes);
        space.take(file_bytes + wal_bytes, 0).during("cannot back the store up")?;
        whole_or_absent(path, |partial| {
            let own: String = connection
                .query_row("SELECT current_database()", [], |row| row.get(0))
                .during("cannot read the database's name")?;
            let attach = format!("ATTACH {} AS metrics_backup", quoted(path_text(partial)?, '\''));
            connection.execute_batch(&attach).during("cannot create the backup")?;
            let copy = format!("COPY FROM DATABASE {} TO metrics_backup", quoted(&own, '"'));
            let copied = connection.execute_batch(&copy).during("cannot copy the store");
            // Nothing of it may stay in a log of its own, which would not go with it.
            let settled = copied
                .and_then(|()| connection.execute_batch("CHECKPOINT metrics_backup").during("cannot end the backup"));
            settled.and(connection.execute_batch("DETACH metrics_backup").during("cannot close the backup"))
        })
    }
}
