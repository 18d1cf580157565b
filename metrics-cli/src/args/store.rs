//! How a store's file is opened: the bounds that a user may move, as options and in the environment.

use std::path::PathBuf;

use clap::Args;
use metrics_core::{Options, RetentionRule};

use super::values::{count, size_bytes};

/// What these options stand under in the help.
pub(crate) const HEADING: &str = "Store options";
/// Less memory than this lets DuckDB fail in the middle of its work.
const LEAST_MEMORY_BYTES: u64 = 64 << 20;
/// A shorter log would be moved into the file all the time.
const LEAST_WAL_BYTES: u64 = 1 << 20;

/// Options of every command that opens a store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreArgs {
    /// Memory that DuckDB may take for scans, sorts and caches; past it, it spills to disk; at least
    /// 64MiB [env: METRICS_MEMORY_LIMIT] [default: 128MiB]
    #[arg(long, value_name = "SIZE", value_parser = memory_bytes, help_heading = HEADING)]
    memory_limit: Option<u64>,
    /// Memory for what small reads of the file gave, so that a question asked again does not go to DuckDB; 0 keeps
    /// nothing [env: METRICS_READ_CACHE] [default: 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = size_bytes, help_heading = HEADING)]
    read_cache: Option<u64>,
    /// Threads that DuckDB uses for one statement [env: METRICS_THREADS] [default: the machine's
    /// cores, at most 8]
    #[arg(long, value_name = "N", value_parser = count, help_heading = HEADING)]
    threads: Option<usize>,
    /// Where DuckDB spills [env: METRICS_TEMP_DIRECTORY] [default: beside the store's file, with .tmp
    /// appended]
    #[arg(long, value_name = "FOLDER", help_heading = HEADING)]
    temp_directory: Option<PathBuf>,
    /// Most that spilling may take on disk, and no more than is free at the start less --min-free-disk
    /// [env: METRICS_TEMP_LIMIT] [default: 16GiB]
    #[arg(long, value_name = "SIZE", value_parser = size_bytes, help_heading = HEADING)]
    temp_limit: Option<u64>,
    /// Space on the disk that writes, merges, exports and backups leave free; under it writes are refused with 507 until
    /// there is more; 0 does not look [env: METRICS_MIN_FREE_DISK] [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = size_bytes, help_heading = HEADING)]
    min_free_disk: Option<u64>,
    /// Size of the write-ahead log at which it is moved into the file; a longer one makes opening after a crash
    /// slower, and at four times as much writes are refused with 503 [env: METRICS_WAL_LIMIT] [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = wal_bytes, help_heading = HEADING)]
    wal_limit: Option<u64>,
    /// Most series; a write that would make more is refused [env: METRICS_MAX_SERIES] [default: 1000000]
    #[arg(long, value_name = "N", value_parser = count, help_heading = HEADING)]
    max_series: Option<usize>,
    /// Points kept in memory, 16 bytes each, before they are sorted into a chunk [env: METRICS_HEAD_POINTS]
    /// [default: 2000000]
    #[arg(long, value_name = "N", value_parser = count, help_heading = HEADING)]
    head_points: Option<usize>,
    /// Most points that one query reads where rollups cannot answer; a query of more is refused
    /// [env: METRICS_MAX_POINTS_PER_QUERY] [default: 20000000]
    #[arg(long, value_name = "N", value_parser = count, help_heading = HEADING)]
    max_points_per_query: Option<usize>,
    /// How long points and rollups of which metrics are kept, such as 'cpu*: raw=30d, minute=365d'
    /// (repeatable; the first rule whose pattern takes a metric counts; tiers: raw minute quarter hour day). The store
    /// drops the rest by itself while it is open [env: METRICS_RETENTION, rules separated by ;]
    /// [default: everything is kept]
    #[arg(long, value_name = "RULE", value_parser = rule, help_heading = HEADING)]
    retention: Vec<RetentionRule>,
}

impl StoreArgs {
    /// The engine's options: those given, else the engine's own.
    pub(crate) fn options(self) -> Options {
        let usual = Options::default();
        Options {
            memory_limit_bytes: self.memory_limit.unwrap_or(usual.memory_limit_bytes),
            read_cache_bytes: self.read_cache.unwrap_or(usual.read_cache_bytes),
            threads: self.threads.unwrap_or(usual.threads),
            temp_directory: self.temp_directory,
            temp_limit_bytes: self.temp_limit.unwrap_or(usual.temp_limit_bytes),
            min_free_disk_bytes: self.min_free_disk.unwrap_or(usual.min_free_disk_bytes),
            wal_limit_bytes: self.wal_limit.unwrap_or(usual.wal_limit_bytes),
            max_series: self.max_series.unwrap_or(usual.max_series),
            head_points: self.head_points.unwrap_or(usual.head_points),
            max_raw_rows: self.max_points_per_query.unwrap_or(usual.max_raw_rows),
            retention: self.retention,
            ..usual
        }
    }
}

fn memory_bytes(text: &str) -> Result<u64, String> {
    match size_bytes(text)? {
        few if few < LEAST_MEMORY_BYTES => Err("at least 64MiB is required".into()),
        bytes => Ok(bytes),
    }
}

fn wal_bytes(text: &str) -> Result<u64, String> {
    match size_bytes(text)? {
        few if few < LEAST_WAL_BYTES => Err("at least 1MiB is required".into()),
        bytes => Ok(bytes),
    }
}

fn rule(text: &str) -> Result<RetentionRule, String> {
    text.parse().map_err(|error: metrics_core::RetentionError| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn options(line: &[&str]) -> Options {
        Line::try_parse_from(["x"].iter().chain(line)).expect("valid options").store.options()
    }

    fn figures(options: &Options) -> ([u64; 5], [usize; 4]) {
        (
            [
                options.memory_limit_bytes,
                options.wal_limit_bytes,
                options.read_cache_bytes,
                options.temp_limit_bytes,
                options.min_free_disk_bytes,
            ],
            [options.threads, options.max_series, options.head_points, options.max_raw_rows],
        )
    }

    #[test]
    fn options_reach_the_engine() {
        let options = options(&[
            "--memory-limit",
            "1GiB",
            "--wal-limit",
            "32MiB",
            "--read-cache",
            "5MiB",
            "--temp-limit",
            "5GiB",
            "--min-free-disk",
            "6MiB",
            "--threads",
            "3",
            "--max-series",
            "500",
            "--head-points",
            "7000",
            "--max-points-per-query",
            "90",
            "--temp-directory",
            "/spill",
            "--retention",
            "cpu*: raw=30d, minute=365d",
        ]);
        assert_eq!(figures(&options), ([1 << 30, 32 << 20, 5 << 20, 5 << 30, 6 << 20], [3, 500, 7_000, 90]));
        assert_eq!(options.temp_directory, Some(PathBuf::from("/spill")));
        let [rule] = &options.retention[..] else { panic!("one rule: {options:?}") };
        assert_eq!((rule.pattern(), rule.hour), ("cpu*", None));
        assert_eq!([rule.raw, rule.minute], [30, 365].map(|days| Some(Duration::from_secs(days * 86_400))));
    }

    #[test]
    fn nothing_given_is_the_engine_s_defaults() {
        let options = options(&[]);
        assert_eq!(figures(&options), figures(&Options::default()));
        assert_eq!((options.temp_directory, options.retention.len()), (None, 0));
    }

    #[test]
    fn the_defaults_that_the_help_names_are_the_engine_s() {
        let help = |id: &str| {
            let command = StoreArgs::augment_args(clap::Command::new("x"));
            let arg = command.get_arguments().find(|arg| arg.get_id() == id).expect("an option");
            arg.get_help().expect("a help text").to_string()
        };
        let named = |id: &str| {
            let help = help(id);
            let (_, default) = help.rsplit_once("[default: ").unwrap_or_else(|| panic!("no default: {help}"));
            size_bytes(default.trim_end_matches(']')).expect("a number or size")
        };
        let usual = Options::default();
        assert_eq!((named("memory_limit"), named("wal_limit")), (usual.memory_limit_bytes, usual.wal_limit_bytes));
        let counts = ["max_series", "head_points", "max_points_per_query"].map(named);
        assert_eq!((named("temp_limit"), named("min_free_disk")), (usual.temp_limit_bytes, usual.min_free_disk_bytes));
        assert_eq!(counts, [usual.max_series, usual.head_points, usual.max_raw_rows].map(|count| count as u64));
    }
}
