//! How an engine behaves: every bound with its effect and default.

use std::path::PathBuf;
use std::time::Duration;

use super::retention::RetentionRule;
use crate::model::Timestamp;

/// Settings of an engine. Sizes are bytes, counts are points, series or rows.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory that DuckDB may take for scans, sorts and caches; past it, it spills to `temp_directory`.
    /// Default 128 MiB, at least 64 MiB.
    pub memory_limit_bytes: u64,
    /// Threads that DuckDB uses for one statement. Default 1: with more, a statement that writes hands its work over and
    /// spins until it is done, which takes a third more processor time for points that are written, and leaves row groups
    /// half filled (0.3 bytes a point). Large SQL statements are faster with more.
    pub threads: usize,
    /// Where DuckDB spills. Default: beside the file, with `.tmp` appended.
    pub temp_directory: Option<PathBuf>,
    /// Most that spilling may take on disk, and no more than was free there when the store was opened, less
    /// [`Self::min_free_disk_bytes`]. Default 16 GiB.
    pub temp_limit_bytes: u64,
    /// Space on the disk of the file that writes leave free, for checkpoints and compaction; under it they are refused
    /// until there is more again. What the write-ahead log takes is left free besides, for it is to be moved into the
    /// file. 0 does not look. Default 256 MiB.
    pub min_free_disk_bytes: u64,
    /// Write-ahead log at which a checkpoint is made, at the latest. At four times as much, where something
    /// holds the checkpoint up, writes are refused. Default 256 MiB.
    pub wal_limit_bytes: u64,
    /// Points that may wait for their commit; over it writes are refused (or wait, see `Engine::write`).
    /// Default 500,000.
    pub queue_points: usize,
    /// Most points in one write. Default 1,000,000.
    pub batch_points: usize,
    /// Most points in one commit. Default 100,000.
    pub commit_points: usize,
    /// Most labels of a series; a write with more is refused. Default and most: [`crate::MAX_LABELS`], 32.
    pub max_labels: usize,
    /// Most series; a write that would make more is refused. Default 1,000,000.
    pub max_series: usize,
    /// Points kept in memory (16 bytes each) and in arrival order on disk before they are moved into a sorted
    /// chunk; up to three times as many while one is written. Default 2,000,000.
    pub head_points: usize,
    /// Most points in one chunk that compaction makes by merging. Default 16,000,000.
    pub chunk_points: u64,
    /// Memory for what small reads of chunks gave, so that a question asked again does not go to DuckDB; 0 keeps
    /// nothing. Default 32 MiB.
    pub read_cache_bytes: u64,
    /// Queries that read from disk at the same time. Default 4.
    pub read_connections: usize,
    /// How long a query may take. (A PromQL query brings its own time with it, a statement its [`super::SqlLimits`].)
    /// Default two minutes.
    pub query_timeout: Duration,
    /// Most (series or group, window) pairs in one answer. Default 10,000,000.
    pub max_cells: usize,
    /// Most points that one query reads where rollups cannot answer. Default 20,000,000.
    pub max_raw_rows: usize,
    /// Most values that the evaluation of one PromQL expression makes: the series times the steps of each of its
    /// parts, 8 bytes each. Default 50,000,000.
    pub max_promql_values: usize,
    /// What is dropped when, first matching rule first. Default: none, everything is kept.
    pub retention: Vec<RetentionRule>,
    /// What time it is, for retention and for the age of idempotency keys; a leap ahead by more than a week is not
    /// believed at once, see [`Engine::apply_retention`](crate::Engine::apply_retention). Default: the machine's clock.
    pub clock: fn() -> Timestamp,
    /// Points up to which a quantile is computed from every one of them; over it (or where retention dropped
    /// them) sketches answer. Default 2,000,000.
    pub exact_quantile_points: usize,
    /// Whether `Engine::sql` answers. DuckDB is then opened without any way to other files, the network or extensions,
    /// and with its settings locked: `Engine::backup` reaches [`Self::backup_directory`] only. Default: false.
    pub sql: bool,
    /// The one folder, besides the store's own files, that DuckDB may reach where [`Self::sql`] shuts it off from all
    /// others, so that backups can be made there. A statement reaches it no more than any other: what reads or writes
    /// files is refused before DuckDB sees it. Default: none.
    pub backup_directory: Option<PathBuf>,
    /// How long an idempotency key is remembered. Default 48 hours, at least 24.
    pub key_lifetime: Duration,
    /// Most idempotency keys that are remembered at a time. Default 2,000,000.
    pub max_keys: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_limit_bytes: 128 << 20,
            threads: 1,
            temp_directory: None,
            temp_limit_bytes: 16 << 30,
            min_free_disk_bytes: 256 << 20,
            wal_limit_bytes: 256 << 20,
            queue_points: 500_000,
            batch_points: 1_000_000,
            commit_points: 100_000,
            max_labels: crate::model::MAX_LABELS,
            max_series: 1_000_000,
            head_points: 2_000_000,
            chunk_points: 16_000_000,
            read_cache_bytes: 32 << 20,
            read_connections: 4,
            query_timeout: Duration::from_secs(120),
            max_cells: 10_000_000,
            max_raw_rows: 20_000_000,
            max_promql_values: 50_000_000,
            retention: Vec::new(),
            clock: Timestamp::now,
            exact_quantile_points: 2_000_000,
            sql: false,
            backup_directory: None,
            key_lifetime: Duration::from_secs(48 * 3_600),
            max_keys: 2_000_000,
        }
    }
}
