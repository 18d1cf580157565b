//! How a store's file is opened: the bounds that a user may move, as options and in the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use metrics_core::{Options, RetentionRule};

use super::values::{count, size_bytes};
use crate::output::WrongUsage;

/// What these options stand under in the help.
const HEADING: &str = "Store options";
/// Less memory than this lets DuckDB fail in the middle of its work.
const LEAST_MEMORY_BYTES: u64 = 64 << 20;
/// A shorter log would be moved into the file all the time.
const LEAST_WAL_BYTES: u64 = 1 << 20;

/// Options of every command that opens a store; each has a variable that counts where the option is not given.
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
    /// The engine's options: those given, then the environment's, then the engine's own.
    ///
    /// # Errors
    /// [`WrongUsage`] when a variable holds no such value.
    pub(crate) fn options(self, env: impl Fn(&str) -> Option<OsString>) -> Result<Options, WrongUsage> {
        let env = |key: &str| env(key).filter(|value| !value.is_empty());
        let usual = Options::default();
        let bytes = |given, key, parse, usual| setting(given, &env, key, parse).map(|set| set.unwrap_or(usual));
        let number = |given, key, usual| setting(given, &env, key, count).map(|set| set.unwrap_or(usual));
        let rules = Some(self.retention).filter(|rules| !rules.is_empty());
        Ok(Options {
            memory_limit_bytes: bytes(
                self.memory_limit,
                "METRICS_MEMORY_LIMIT",
                memory_bytes as Parse<u64>,
                usual.memory_limit_bytes,
            )?,
            read_cache_bytes: bytes(self.read_cache, "METRICS_READ_CACHE", size_bytes, usual.read_cache_bytes)?,
            threads: number(self.threads, "METRICS_THREADS", usual.threads)?,
            temp_directory: self.temp_directory.or_else(|| env("METRICS_TEMP_DIRECTORY").map(PathBuf::from)),
            temp_limit_bytes: bytes(self.temp_limit, "METRICS_TEMP_LIMIT", size_bytes, usual.temp_limit_bytes)?,
            min_free_disk_bytes: bytes(
                self.min_free_disk,
                "METRICS_MIN_FREE_DISK",
                size_bytes,
                usual.min_free_disk_bytes,
            )?,
            wal_limit_bytes: bytes(self.wal_limit, "METRICS_WAL_LIMIT", wal_bytes, usual.wal_limit_bytes)?,
            max_series: number(self.max_series, "METRICS_MAX_SERIES", usual.max_series)?,
            head_points: number(self.head_points, "METRICS_HEAD_POINTS", usual.head_points)?,
            max_raw_rows: number(self.max_points_per_query, "METRICS_MAX_POINTS_PER_QUERY", usual.max_raw_rows)?,
            retention: setting(rules, &env, "METRICS_RETENTION", rules_of)?.unwrap_or_default(),
            ..usual
        })
    }

    /// Refuses options that a server at `--url` would never see; variables may be set all the same.
    ///
    /// # Errors
    /// [`WrongUsage`] names the first of them.
    pub(crate) fn refuse_for_server(&self) -> Result<(), WrongUsage> {
        let given = [
            ("--memory-limit", self.memory_limit.is_some()),
            ("--read-cache", self.read_cache.is_some()),
            ("--threads", self.threads.is_some()),
            ("--temp-directory", self.temp_directory.is_some()),
            ("--temp-limit", self.temp_limit.is_some()),
            ("--min-free-disk", self.min_free_disk.is_some()),
            ("--wal-limit", self.wal_limit.is_some()),
            ("--max-series", self.max_series.is_some()),
            ("--head-points", self.head_points.is_some()),
            ("--max-points-per-query", self.max_points_per_query.is_some()),
            ("--retention", !self.retention.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(WrongUsage(format!(
                "{option} is about a store's file: a server at --url has its own, set when it is started"
            ))),
            None => Ok(()),
        }
    }
}

type Parse<T> = fn(&str) -> Result<T, String>;

fn setting<T>(
    given: Option<T>,
    env: &impl Fn(&str) -> Option<OsString>,
    key: &str,
    parse: Parse<T>,
) -> Result<Option<T>, WrongUsage> {
    if given.is_some() {
        return Ok(given);
    }
    let Some(value) = env(key) else { return Ok(None) };
    let text = value.to_string_lossy();
    parse(&text).map(Some).map_err(|error| WrongUsage(format!("{key}=\"{text}\": {error}")))
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

fn rules_of(text: &str) -> Result<Vec<RetentionRule>, String> {
    text.split(';').filter(|part| !part.trim().is_empty()).map(rule).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn options(line: &[&str], env: &[(&str, &str)]) -> Result<Options, WrongUsage> {
        let env: HashMap<&str, &str> = env.iter().copied().collect();
        let line = Line::try_parse_from(["x"].iter().chain(line)).expect("valid options");
        line.store.options(|key| env.get(key).map(OsString::from))
    }

    fn figures(options: &Options) -> ([u64; 4], [usize; 4]) {
        (
            [
                options.memory_limit_bytes,
                options.wal_limit_bytes,
                options.temp_limit_bytes,
                options.min_free_disk_bytes,
            ],
            [options.threads, options.max_series, options.head_points, options.max_raw_rows],
        )
    }

    const LINE: [&str; 20] = [
        "--memory-limit",
        "1GiB",
        "--wal-limit",
        "32MiB",
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
        "--temp-limit",
        "5GiB",
        "--min-free-disk",
        "6MiB",
        "--retention",
        "cpu*: raw=30d, minute=365d",
    ];
    const ENV: [(&str, &str); 10] = [
        ("METRICS_MEMORY_LIMIT", "128mib"),
        ("METRICS_WAL_LIMIT", "2097152"),
        ("METRICS_THREADS", "1"),
        ("METRICS_MAX_SERIES", "2"),
        ("METRICS_HEAD_POINTS", "3"),
        ("METRICS_MAX_POINTS_PER_QUERY", "4"),
        ("METRICS_TEMP_DIRECTORY", "/elsewhere"),
        ("METRICS_TEMP_LIMIT", "7"),
        ("METRICS_MIN_FREE_DISK", "0"),
        ("METRICS_RETENTION", "a: raw=1d; b: day=2d"),
    ];

    #[test]
    fn options_reach_the_engine_and_go_before_the_environment() {
        for env in [&[][..], &ENV] {
            let options = options(&LINE, env).expect("valid");
            assert_eq!(figures(&options), ([1 << 30, 32 << 20, 5 << 30, 6 << 20], [3, 500, 7_000, 90]));
            assert_eq!(options.temp_directory, Some(PathBuf::from("/spill")));
            let [rule] = &options.retention[..] else { panic!("one rule: {options:?}") };
            assert_eq!((rule.pattern(), rule.hour), ("cpu*", None));
            assert_eq!([rule.raw, rule.minute], [30, 365].map(|days| Some(Duration::from_secs(days * 86_400))));
        }
    }

    #[test]
    fn the_environment_reaches_the_engine() {
        let options = options(&[], &ENV).expect("valid");
        assert_eq!(figures(&options), ([128 << 20, 2 << 20, 7, 0], [1, 2, 3, 4]));
        assert_eq!(options.temp_directory, Some(PathBuf::from("/elsewhere")));
        let patterns: Vec<&str> = options.retention.iter().map(RetentionRule::pattern).collect();
        assert_eq!(patterns, ["a", "b"]);
    }

    #[test]
    fn nothing_given_and_empty_variables_are_the_engine_s_defaults() {
        let empty = ENV.map(|(key, _)| (key, ""));
        for env in [&[][..], &empty] {
            let options = options(&[], env).expect("valid");
            assert_eq!(figures(&options), figures(&Options::default()));
            assert_eq!((options.temp_directory, options.retention.len()), (None, 0));
        }
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
        assert_eq!(counts, [usual.max_series, usual.head_points, usual.max_raw_rows].map(|count| count as u64));
        assert_eq!((named("temp_limit"), named("min_free_disk")), (usual.temp_limit_bytes, usual.min_free_disk_bytes));
        for (id, (key, _)) in
            ["memory_limit", "wal_limit", "threads", "max_series", "head_points", "max_points_per_query"]
                .into_iter()
                .chain(["temp_directory", "temp_limit", "min_free_disk", "retention"])
                .zip(ENV)
        {
            assert!(help(id).contains(&format!("[env: {key}")), "{}", help(id));
        }
    }

    #[test]
    fn bad_variables_are_named() {
        for (key, value, word) in [
            ("METRICS_MEMORY_LIMIT", "1MiB", "64MiB"),
            ("METRICS_WAL_LIMIT", "5MB", "512MiB"),
            ("METRICS_WAL_LIMIT", "99999999TiB", "more than there are"),
            ("METRICS_THREADS", "0", "from 1 on"),
            ("METRICS_RETENTION", "cpu*; b: raw=1d", "\":\""),
        ] {
            let WrongUsage(error) = options(&[], &[(key, value)]).expect_err(value);
            assert!(error.starts_with(key) && error.contains(word), "{error}");
        }
    }

    #[test]
    fn each_option_is_refused_for_a_server() {
        for pair in LINE.chunks(2) {
            let line = Line::try_parse_from(["x", pair[0], pair[1]]).expect("valid options");
            let WrongUsage(error) = line.store.refuse_for_server().expect_err(pair[0]);
            assert!(error.starts_with(&format!("{} is about a store's file", pair[0])), "{error}");
        }
        assert!(StoreArgs::default().refuse_for_server().is_ok());
    }
}
