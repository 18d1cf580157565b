//! DuckDB itself: one instance a store, a connection for each who needs one.

use std::path::{Path, PathBuf};

use duckdb::Config;
pub(super) use duckdb::Connection;
use parking_lot::{Condvar, Mutex};

use super::error::{COMMITTING, During, StoreError};
use super::options::Options;
use super::ownership::beside;
use super::space;

/// Prepared statements kept for each reading connection: enough for what dashboards ask again and again.
const CACHED_STATEMENTS: usize = 64;

/// What DuckDB may spill in any case, also on a disk that is full: less would let it fail where it hardly spills.
const LEAST_TEMP_BYTES: u64 = 16 << 20;

/// The open database file.
pub(crate) struct Database {
    root: Mutex<Connection>,
    path: PathBuf,
    readers: Readers,
}

/// Connections for queries: handed out, taken back, never more than so many.
struct Readers {
    idle: Mutex<ReaderState>,
    returned: Condvar,
}

struct ReaderState {
    idle: Vec<Connection>,
    may_open: usize,
    /// How often statements were to be forgotten.
    forgotten: u64,
}

impl Database {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        let temp = options.temp_directory.clone().unwrap_or_else(|| beside(path, ".tmp"));
        let room = space::free_bytes(temp.parent().unwrap_or(path)).unwrap_or(u64::MAX);
        let temp_limit =
            options.temp_limit_bytes.min(room.saturating_sub(options.min_free_disk_bytes)).max(LEAST_TEMP_BYTES);
        let settings = settings(options, &temp, temp_limit);
        let mut config = Config::default();
        for (key, value) in &settings {
            config = config.with(key, value).during(&format!("cannot set DuckDB's {key} to {value}"))?;
        }
        let root = Connection::open_with_flags(path, config).during("cannot open the database")?;
        // The store checkpoints by itself, before it closes. DuckDB would also do so where opening is refused for what a
        // damaged file holds, and would write over what is to be looked at.
        root.execute_batch("PRAGMA disable_checkpoint_on_shutdown").during("cannot keep the log")?;
        if options.sql {
            shut(&root, options.backup_directory.as_deref())?;
        }
        let readers = ReaderState { idle: Vec::new(), may_open: options.read_connections.max(1), forgotten: 0 };
        Ok(Self {
            root: Mutex::new(root),
            path: path.to_owned(),
            readers: Readers { idle: Mutex::new(readers), returned: Condvar::new() },
        })
    }

    /// Path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection of one's own.
    pub(crate) fn connect(&self) -> Result<Connection, StoreError> {
        self.root.lock().try_clone().during("cannot open a connection")
    }

    /// Runs a reader on one of the reading connections, waiting for one where all are in use.
    pub(crate) fn read<T, E: From<StoreError>>(&self, read: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let reader = self.lend()?;
        read(reader.connection.as_ref().expect("it is taken only when dropped"))
    }

    /// Lets go of the statements that are kept: their plans hold on to tables, also to such as were dropped.
    pub(crate) fn forget_statements(&self) {
        let mut state = self.readers.idle.lock();
        state.forgotten += 1;
        state.idle.iter().for_each(Connection::flush_prepared_statement_cache);
    }

    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let mut state = self.readers.idle.lock();
        loop {
            let lent = |connection, forgotten| Lent { connection: Some(connection), forgotten, readers: &self.readers };
            if let Some(connection) = state.idle.pop() {
                return Ok(lent(connection, state.forgotten));
            }
            if state.may_open > 0 {
                state.may_open -= 1;
                let forgotten = state.forgotten;
                drop(state);
                let connection = self.connect().inspect_err(|_| {
                    self.readers.idle.lock().may_open += 1;
                    self.readers.returned.notify_one();
                })?;
                connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
                return Ok(lent(connection, forgotten));
            }
            self.readers.returned.wait(&mut state);
        }
    }
}

/// A reading connection on loan: goes back even when its borrower panics.
struct Lent<'a> {
    connection: Option<Connection>,
    /// [`ReaderState::forgotten`] when it was lent.
    forgotten: u64,
    readers: &'a Readers,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let mut state = self.readers.idle.lock();
        if state.forgotten != self.forgotten {
            connection.flush_prepared_statement_cache();
        }
        state.idle.push(connection);
        drop(state);
        self.readers.returned.notify_one();
    }
}

/// DuckDB's settings: bounded in memory and disk, no code or file from outside, checkpoints when the store says so.
fn settings(options: &Options, temp: &Path, temp_limit_bytes: u64) -> Vec<(&'static str, String)> {
    let mut settings = usual_settings(options, temp, temp_limit_bytes);
    if options.sql {
        // With a folder of its own for backups, the door is shut once that is named: DuckDB takes it only when it runs.
        let at_once = |key: &str| options.backup_directory.is_none() || key != ACCESS.0;
        let jail = JAIL.into_iter().filter(|(key, _)| at_once(key));
        settings.extend(jail.map(|(key, value)| (key, value.to_owned())));
    }
    settings
}

/// What keeps a stranger's statement inside the store. (`max_expression_depth` stays as it is: the view `points` is
/// long, and the gate is stricter.)
const JAIL: [(&str, &str); 4] = [
    ACCESS,
    ("enable_external_file_cache", "false"),
    ("allow_unsigned_extensions", "false"),
    ("allow_unredacted_secrets", "false"),
];
const ACCESS: (&str, &str) = ("enable_external_access", "false");

/// Locks DuckDB's settings for good, once it is shut off from all files but the store's own and those of a folder.
fn shut(root: &Connection, folder: Option<&Path>) -> Result<(), StoreError> {
    let mut statements = Vec::new();
    if let Some(folder) = folder {
        let Some(folder) = folder.to_str() else {
            return Err(StoreError::new("cannot use the folder for backups", "its path is not UTF-8"));
        };
        let folder = folder.trim_end_matches('/').replace('\'', "''");
        statements.push(format!("SET GLOBAL allowed_directories = ['{folder}/']"));
        statements.push(format!("SET GLOBAL {} = {}", ACCESS.0, ACCESS.1));
    }
    statements.push("SET GLOBAL lock_configuration = true".to_owned());
    root.execute_batch(&statements.join(";")).during("cannot shut the store off from other files")
}

fn usual_settings(options: &Options, temp: &Path, temp_limit_bytes: u64) -> Vec<(&'static str, String)> {
    let megabytes = |bytes: u64| format!("{}MiB", (bytes >> 20).max(1));
    vec![
        ("memory_limit", megabytes(options.memory_limit_bytes.max(64 << 20))),
        ("threads", options.threads.max(1).to_string()),
        ("temp_directory", temp.display().to_string()),
        ("max_temp_directory_size", megabytes(temp_limit_bytes)),
        // The store checkpoints by itself; this is the bound should it not get to it.
        ("wal_autocheckpoint", megabytes(options.wal_limit_bytes.saturating_mul(2))),
        ("autoinstall_known_extensions", "false".into()),
        ("autoload_known_extensions", "false".into()),
        ("allow_community_extensions", "false".into()),
        ("allow_persistent_secrets", "false".into()),
        ("preserve_insertion_order", "true".into()),
        // A quarter of DuckDB's own: a row group of packed points fills its blocks, and small rollups take little.
        // (Still smaller blocks were measured to lose the packing.) Only new files take it.
        ("default_block_size", "65536".into()),
    ]
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs statements in one transaction: all of them, or none.
pub(crate) fn transaction<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let done = transaction_if_any(connection, || work().map(Some))?;
    Ok(done.expect("the work gave something"))
}

/// As [`transaction`], for work that may find that there is nothing to do: then nothing of it stays.
pub(crate) fn transaction_if_any<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    connection.execute_batch("BEGIN TRANSACTION").during("cannot begin a transaction")?;
    let result = work().and_then(|value| {
        if value.is_some() {
            connection.execute_batch("COMMIT").during(COMMITTING)?;
        }
        Ok(value)
    });
    if !matches!(result, Ok(Some(_))) {
        // The first error is the one to report; a transaction that ended by itself has nothing to roll back.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}
