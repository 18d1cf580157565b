//! One read-only statement of a stranger: looked at before DuckDB binds it, then run within bounds.
//!
//! Several walls, each of which should hold alone: [`Options::sql`](super::Options::sql) opens DuckDB without any way
//! to files, network or extensions, and with its settings locked; the [`gate`] lets only statements pass that are
//! made of known parts; the transaction is read-only; time, rows and bytes are bounded. What remains is DuckDB's own:
//! its memory limit does not count every byte of a long text, and a fault of its parser is a fault of this process.

mod gate;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use duckdb::Connection;

use super::Store;
use super::error::{During, StoreError};
use crate::encode::table::SqlAnswer;

/// Longest statement, in bytes.
pub const MAX_SQL_BYTES: usize = 16 << 10;
/// Stack of the thread that parses and binds: a statement of the longest kind, nested as deep as it can be, fits.
const STACK_BYTES: usize = 64 << 20;
/// Time between two attempts to interrupt a statement: those that come while it is being bound are lost.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// What a statement may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlLimits {
    /// How long it may run. Default 10 s.
    pub timeout: Duration,
    /// Most rows of its result. Default 100,000.
    pub max_rows: usize,
    /// Most bytes of its result in memory. Default 32 MiB.
    pub max_bytes: usize,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_rows: 100_000, max_bytes: 32 << 20 }
    }
}

/// Why a statement has no result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The engine was opened without [`Options::sql`](super::Options::sql).
    #[error("SQL is off: the store was not opened for it")]
    Disabled,
    /// Longer than [`MAX_SQL_BYTES`].
    #[error("the statement has {0} bytes: at most {MAX_SQL_BYTES} are allowed")]
    TooLong(usize),
    /// It is, or has a part, that nobody may run here.
    #[error("{0}")]
    Refused(String),
    /// DuckDB cannot run it: its own words.
    #[error("{0}")]
    Failed(String),
    /// It ran too long.
    #[error("the statement was stopped after {} s (--sql-timeout): read fewer points, or ask /v1/query, which reads rollups", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It needs more memory than DuckDB may take.
    #[error(
        "the statement needs more memory than the store may take (--memory-limit): read fewer points, group or sort less"
    )]
    OutOfMemory,
    /// Its result is too long.
    #[error("the result has more than {0} rows (--sql-rows): add LIMIT, or aggregate")]
    TooManyRows(usize),
    /// Its result is too large.
    #[error("the result takes more than {0} bytes (--sql-memory): select fewer columns or rows")]
    TooLarge(usize),
    /// The engine was closed.
    #[error("the store is closed")]
    Closed,
    /// The store failed.
    #[error("the store cannot answer: {0}")]
    Store(#[from] StoreError),
}

impl SqlError {
    /// What DuckDB says, where it is about the statement; anything else is the store's affair.
    fn of(error: &duckdb::Error) -> Self {
        let text = error.to_string();
        let about_the_statement = [
            "Parser Error",
            "Binder Error",
            "Catalog Error",
            "Conversion Error",
            "Constraint Error",
            "Invalid Input Error",
            "Invalid Type Error",
            "Mismatch Type Error",
            "Not implemented Error",
            "Out of Range Error",
            "Permission Error",
            "Syntax Error",
            "TransactionContext Error",
        ];
        if text.contains("Out of Memory Error") {
            Self::OutOfMemory
        } else if about_the_statement.iter().any(|kind| text.starts_with(kind)) {
            Self::Failed(text.chars().take(1_000).collect())
        } else {
            Self::Store(StoreError::new("cannot run a statement", text))
        }
    }
}

impl Store {
    /// Runs a statement on a thread of its own and waits for it.
    pub(crate) fn sql(self: &Arc<Self>, text: &str, limits: &SqlLimits) -> Result<SqlAnswer, SqlError> {
        if !self.options.sql {
            return Err(SqlError::Disabled);
        }
        if text.len() > MAX_SQL_BYTES {
            return Err(SqlError::TooLong(text.len()));
        }
        if text.contains('\0') {
            return Err(SqlError::Refused("a statement holds no NUL characters".into()));
        }
        let (store, text, limits) = (Arc::clone(self), text.to_owned(), limits.clone());
        let run = move || {
            let connection = store.database.connect()?;
            run(&connection, &text, &limits)
        };
        let thread = Builder::new().name("metrics-sql".to_owned()).stack_size(STACK_BYTES).spawn(run);
        let failed = |reason: &str| SqlError::Store(StoreError::new("cannot run a statement", reason));
        thread
            .map_err(|error| failed(&error.to_string()))?
            .join()
            .unwrap_or_else(|_| Err(failed("its thread panicked")))
    }
}

fn run(connection: &Connection, text: &str, limits: &SqlLimits) -> Result<SqlAnswer, SqlError> {
    let watchdog = Watchdog::start(connection, limits.timeout)?;
    let result = gate::check(connection, text).and_then(|()| {
        connection.execute_batch("BEGIN TRANSACTION READ ONLY").during("cannot begin a transaction")?;
        let result = read(connection, text, limits);
        // The transaction wrote nothing; where it ended by itself there is nothing to roll back.
        let _ = connection.execute_batch("ROLLBACK");
        result
    });
    match (watchdog.stop(), result) {
        (true, Err(SqlError::Store(_) | SqlError::Failed(_))) => Err(SqlError::TimedOut(limits.timeout)),
        (_, result) => result,
    }
}

fn read(connection: &Connection, text: &str, limits: &SqlLimits) -> Result<SqlAnswer, SqlError> {
    let mut statement = connection.prepare(text).map_err(|error| SqlError::of(&error))?;
    let stream = statement.stream_arrow([]).map_err(|error| SqlError::of(&error))?;
    let schema = stream.get_schema();
    let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for batch in stream {
        let batch = batch.map_err(|error| SqlError::of(&error))?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        if rows > limits.max_rows {
            return Err(SqlError::TooManyRows(limits.max_rows));
        }
        if bytes > limits.max_bytes {
            return Err(SqlError::TooLarge(limits.max_bytes));
        }
        batches.push(batch);
    }
    Ok(SqlAnswer { schema, batches })
}

/// Interrupts a connection's statement when its time is up.
struct Watchdog {
    done: Sender<()>,
    thread: JoinHandle<bool>,
}

impl Watchdog {
    fn start(connection: &Connection, timeout: Duration) -> Result<Self, StoreError> {
        let handle = connection.interrupt_handle();
        let (done, finished) = channel::<()>();
        let watch = move || {
            let mut late = false;
            let mut wait = timeout;
            while finished.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                (late, wait) = (true, INTERRUPT_INTERVAL);
                handle.interrupt();
            }
            late
        };
        let thread = Builder::new().name("metrics-sql-watch".to_owned()).spawn(watch);
        Ok(Self { done, thread: thread.during("cannot start a thread")? })
    }

    /// Ends the watch; tells whether the time was up.
    fn stop(self) -> bool {
        drop(self.done);
        self.thread.join().unwrap_or(false)
    }
}
