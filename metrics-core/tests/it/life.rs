//! A store's life: checked, thinned by deletion and retention, copied, migrated.

use std::io::Read;

use metrics_core::{
    Aggregate, Batch, Engine, ExportError, ExportFormat, ExportRequest, LabelFilter, MICROS_PER_DAY, MICROS_PER_HOUR,
    MICROS_PER_MINUTE, MetricName, Options, Per, Point, QueryRequest, Resolution, SeriesKey, Timestamp, wire,
};
use tempfile::TempDir;

const DAYS: i64 = 12;

fn at(micros: i64) -> Timestamp {
    Timestamp::clamped(micros)
}

/// Two metrics on two hosts, a point a minute over twelve days: the value is the minute's number.
fn minutes() -> Batch {
    let mut batch = Batch::new();
    for minute in 0..DAYS * 24 * 60 {
        for name in ["cpu", "mem"] {
            for host in ["a", "b"] {
                let point = Point::new(name, at(minute * MICROS_PER_MINUTE), minute as f64).expect("a point");
                batch.push(point.with_labels([("host", host)]).expect("labels"));
            }
        }
    }
    batch
}

fn filled(options: Options) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    for part in minutes().split(20_000) {
        engine.write(part).expect("takes").wait().expect("stores");
    }
    engine.compact().expect("compacts");
    (folder, engine)
}

/// Counts per day of a metric over all the time, with the sum of its values.
fn counts(engine: &Engine, name: &str, per: Resolution) -> Vec<(i64, f64, f64)> {
    let mut request = QueryRequest::new([name], at(0), at(DAYS * MICROS_PER_DAY)).expect("a name");
    request.per = Per::Every(per);
    request.aggregates = vec![Aggregate::Count, Aggregate::Sum];
    let frame = engine.query(&request).expect("answers");
    let Some(series) = frame.series.first() else { return Vec::new() };
    let column = |aggregate| series.column(aggregate).expect("asked for");
    let pairs = column(Aggregate::Count).iter().zip(column(Aggregate::Sum));
    let rows = series.time.iter().zip(pairs);
    rows.map(|(time, (n, sum))| (time.micros() / MICROS_PER_DAY, n.expect("a count"), sum.expect("a sum"))).collect()
}

fn day_sum(day: i64) -> f64 {
    (day * 1_440..(day + 1) * 1_440).map(|minute| minute as f64).sum()
}

#[test]
fn a_healthy_store_has_no_differences() {
    let (_folder, engine) = filled(Options { head_points: 7_000, ..Options::default() });
    let report = engine.check(false).expect("checks");
    assert_eq!((report.differences, report.repaired), (0, 0));
    assert!(report.buckets > 1_000, "{report:?}");
}

#[test]
fn damaged_rollups_are_counted_and_repaired() {
    let (folder, engine) = filled(Options::default());
    engine.close().expect("closes");
    let path = folder.path().join("m.duckdb");
    {
        let connection = duckdb::Connection::open(&path).expect("opens");
        let table: String = connection
            .query_row(
                "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'chunk_%_hour' ORDER BY 1 LIMIT 1",
                [],
                |row| row.get(0),
            )
            .expect("there is an hour rollup");
        let spoil =
            format!("UPDATE {table} SET sum = sum + 1 WHERE t = 5; DELETE FROM {table} WHERE t = 7; CHECKPOINT");
        connection.execute_batch(&spoil).expect("spoils");
    }
    let engine = Engine::open(&path).expect("opens");
    assert_eq!(engine.check(false).expect("checks").differences, 8, "two hours of four series");
    let report = engine.check(true).expect("repairs");
    assert_eq!((report.differences, report.repaired), (8, 1));
    assert_eq!(engine.check(false).expect("checks").differences, 0);
    assert_eq!(counts(&engine, "cpu", Resolution::Day)[0], (0, 2_880.0, 2.0 * day_sum(0)));
}

#[test]
fn deleting_a_span_changes_every_tier_and_nothing_else() {
    let (folder, engine) = filled(Options { head_points: 20_000, ..Options::default() });
    let host = [LabelFilter::equal("host", "a")];
    let (from, to) = (2 * MICROS_PER_DAY + 90 * MICROS_PER_MINUTE, 5 * MICROS_PER_DAY);
    let cpu = engine.metric_names()[0].clone();
    let deleted = engine.delete(&cpu, &host, at(from), at(to)).expect("deletes");
    assert_eq!(deleted, 3 * 1_440 - 90);
    for reopened in [false, true] {
        let engine = if reopened {
            engine.clone().close().expect("closes");
            Engine::open(folder.path().join("m.duckdb")).expect("opens")
        } else {
            engine.clone()
        };
        let days = counts(&engine, "cpu", Resolution::Day);
        assert_eq!(days[1], (1, 2_880.0, 2.0 * day_sum(1)));
        let kept: f64 = (2 * 1_440..2 * 1_440 + 90).map(f64::from).sum();
        assert_eq!(days[2], (2, 1_440.0 + 90.0, day_sum(2) + kept));
        assert_eq!(days[4], (4, 1_440.0, day_sum(4)));
        assert_eq!(days[5], (5, 2_880.0, 2.0 * day_sum(5)));
        assert_eq!(counts(&engine, "mem", Resolution::Day)[3], (3, 2_880.0, 2.0 * day_sum(3)));
        assert_eq!(engine.check(false).expect("checks").differences, 0);
        let infos = engine.series(Some("cpu"), &[]);
        let left: Vec<u64> = infos.iter().map(|info| info.count).collect();
        assert_eq!(left, [12 * 1_440 - deleted, 12 * 1_440]);
    }
}

#[test]
fn a_metric_that_is_deleted_wholly_is_gone_from_the_names() {
    let (_folder, engine) = filled(Options::default());
    let mem = engine.metric_names()[1].clone();
    assert_eq!(engine.delete(&mem, &[], Timestamp::MIN, Timestamp::MAX).expect("deletes"), 2 * 12 * 1_440);
    let names: Vec<String> = engine.metric_names().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["cpu"]);
    assert!(counts(&engine, "mem", Resolution::Day).is_empty());
    engine.write(Point::new("mem", at(0), 1.0).expect("a point")).expect("takes").wait().expect("stores");
    assert_eq!(counts(&engine, "mem", Resolution::Day), [(0, 1.0, 1.0)]);
}

#[test]
fn retention_drops_points_and_keeps_rollups_exact() {
    let rules = ["cpu: raw=3d, minute=6d, quarter=6d", "nothing: raw=1d"].map(|rule| rule.parse().expect("a rule"));
    let options = Options { retention: rules.to_vec(), clock: || at(0), head_points: 30_000, ..Options::default() };
    let (folder, engine) = filled(options.clone());
    let before = (counts(&engine, "cpu", Resolution::Day), counts(&engine, "cpu", Resolution::Hour));
    let now = DAYS * MICROS_PER_DAY;
    let options = Options { clock: || at(DAYS * MICROS_PER_DAY), ..options };
    engine.close().expect("closes");
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options.clone()).expect("opens");
    engine.apply_retention().expect("applies");
    engine.apply_retention().expect("applies again, with nothing to do");
    assert_eq!((counts(&engine, "cpu", Resolution::Day), counts(&engine, "cpu", Resolution::Hour)), before);
    let raw = |name: &str| {
        let mut request = QueryRequest::new([name], at(0), at(now)).expect("a name");
        request.per = Per::Raw;
        engine.query(&request).expect("answers").series.iter().map(|series| series.time.len()).sum::<usize>()
    };
    assert_eq!(raw("cpu"), 2 * 3 * 1_440, "three days are left");
    assert_eq!(raw("mem"), 2 * 12 * 1_440, "no rule is for it");
    let minutes = counts(&engine, "cpu", Resolution::MINUTE);
    assert_eq!(
        minutes.iter().filter(|(day, n, _)| *day == 7 && *n == 2.0).count(),
        1_440,
        "minutes of the seventh day"
    );
    assert!(minutes.iter().filter(|(day, _, _)| *day == 3).count() <= 24, "only hours of the fourth");
    assert_eq!(engine.check(false).expect("checks").differences, 0);
    engine.close().expect("closes");
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    assert_eq!(counts(&engine, "cpu", Resolution::Hour), before.1);
}

#[test]
fn deleting_where_the_points_are_gone_takes_whole_days_of_every_tier() {
    let rules = vec!["cpu: raw=1d, minute=2d".parse().expect("a rule")];
    let options = Options { retention: rules, clock: || at(DAYS * MICROS_PER_DAY), ..Options::default() };
    let (_folder, engine) = filled(options);
    let cpu = engine.metric_names()[0].clone();
    let (from, to) = (3 * MICROS_PER_DAY + MICROS_PER_HOUR, 5 * MICROS_PER_DAY + MICROS_PER_HOUR);
    assert_eq!(engine.delete(&cpu, &[], at(from), at(to)).expect("deletes"), 2 * 2 * 1_440);
    for per in [Resolution::Hour, Resolution::Day] {
        let of_days: Vec<i64> = counts(&engine, "cpu", per).iter().map(|(day, _, _)| *day).collect();
        assert!(of_days.contains(&3) && of_days.contains(&6), "{per}: {of_days:?}");
        assert!(!of_days.contains(&4) && !of_days.contains(&5), "{per}: {of_days:?}");
        let sum: f64 = counts(&engine, "cpu", per).iter().map(|(_, n, _)| n).sum();
        assert_eq!(sum, 10.0 * 2_880.0);
    }
    assert_eq!(engine.check(false).expect("checks").differences, 0);
}

#[test]
fn retention_of_everything_leaves_nothing_and_frees_its_space() {
    let every = "*: raw=1d, minute=1d, quarter=1d, hour=1d, day=1d".parse().expect("a rule");
    let options = Options { retention: vec![every], clock: || at(0), ..Options::default() };
    let (folder, engine) = filled(options.clone());
    let full = engine.stats().file_bytes;
    engine.close().expect("closes");
    let options = Options { clock: || at(100 * MICROS_PER_DAY), ..options };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    engine.apply_retention().expect("applies");
    assert_eq!((engine.stats().points, engine.metric_names().len(), engine.stats().chunks), (0, 0, 0));
    // What is free inside the file is written over; a copy leaves it out.
    let copy = folder.path().join("copy.duckdb");
    engine.backup(&copy).expect("backs up");
    assert!(std::fs::metadata(&copy).expect("is there").len() < full / 2);
    for part in minutes().split(20_000) {
        engine.write(part).expect("takes").wait().expect("stores");
    }
    engine.apply_retention().expect("applies");
    assert!(engine.stats().file_bytes < full + full / 4, "{} after {full}", engine.stats().file_bytes);
}

#[test]
fn a_backup_is_a_store_of_the_moment_it_was_made() {
    let (folder, engine) = filled(Options { head_points: 50_000, ..Options::default() });
    engine.write(Point::new("cpu", at(1), 7.0).expect("a point")).expect("takes").wait().expect("stores");
    let path = folder.path().join("copy of it.duckdb");
    engine.backup(&path).expect("backs up");
    engine.write(Point::new("cpu", at(1), 9.0).expect("a point")).expect("takes").wait().expect("stores");
    let copy = Engine::open(&path).expect("opens");
    assert_eq!(copy.stats().points, 4 * 12 * 1_440 + 1);
    assert_eq!(copy.check(false).expect("checks").differences, 0);
    assert_eq!(counts(&copy, "cpu", Resolution::Day)[0].1, 2_881.0);
    assert_eq!(counts(&engine, "cpu", Resolution::Day)[0].1, 2_882.0);
    let refused = engine.backup(&path).expect_err("a file is never written over").to_string();
    assert!(refused.contains("exists already"), "{refused}");
}

#[test]
fn exports_hold_what_was_asked_for_in_order() {
    let (folder, engine) = filled(Options::default());
    let span =
        |format| ExportRequest { from: at(MICROS_PER_HOUR), to: at(2 * MICROS_PER_HOUR), ..ExportRequest::all(format) };
    let duck = duckdb::Connection::open_in_memory().expect("opens");
    for (format, file, table) in
        [(ExportFormat::Parquet, "out.parquet", "read_parquet"), (ExportFormat::Csv, "out.csv", "read_csv")]
    {
        let path = folder.path().join(file);
        let names = vec![MetricName::new("mem").expect("valid")];
        let request = ExportRequest { names, filters: vec![LabelFilter::equal("host", "b")], ..span(format) };
        assert_eq!(engine.export(&path, &request).expect("exports"), 60);
        let row: (u64, f64, String, String, i64) = duck
            .query_row(
                &format!(
                    "SELECT count(*), sum(value), any_value(name), any_value(labels), epoch_us(min(timestamp)) \
                     FROM {table}('{}')",
                    path.display()
                ),
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .expect("reads");
        let sum: f64 = (60..120).map(f64::from).sum();
        assert_eq!(row, (60, sum, "mem".into(), r#"{"host":"b"}"#.into(), MICROS_PER_HOUR));
    }
    let path = folder.path().join("out.arrow");
    assert_eq!(engine.export(&path, &span(ExportFormat::Arrow)).expect("exports"), 4 * 60);
    let read = wire::arrow::decode(&std::fs::read(&path).expect("is there"), None, 1 << 20).expect("our own");
    assert_eq!(read.len(), 4 * 60);
    let order = |(key, at, _): &(&SeriesKey, Timestamp, f64)| (key.to_string(), *at);
    assert!(read.points().collect::<Vec<_>>().is_sorted_by_key(order), "by series, then by time");
}

#[test]
fn an_export_holds_every_point_wherever_it_is_kept_and_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine =
        Engine::open_with(folder.path().join("m.duckdb"), Options { head_points: 5_000, ..Options::default() })
            .expect("opens");
    let mut written = Vec::new();
    for round in 0..12_i64 {
        let points = (0..1_000_i64).map(|i| {
            let (host, time) = (format!("h{}", i % 7), at((i * 37 % 500) * MICROS_PER_MINUTE + round));
            Point::new("load", time, (i + round) as f64).and_then(|p| p.with_labels([("host", host)])).expect("valid")
        });
        let batch: Batch = points.collect();
        written.extend(batch.points().map(|(key, at, value)| (key.to_string(), at, value.to_bits())));
        engine.write(batch).expect("takes").wait().expect("stores");
    }
    written.sort_unstable();
    let path = folder.path().join("all.parquet");
    let request = ExportRequest::all(ExportFormat::Parquet);
    assert_eq!(engine.export(&path, &request).expect("exports"), written.len() as u64);
    let mut reader =
        wire::parquet::ParquetReader::new(std::fs::File::open(&path).expect("is there"), None).expect("ours");
    let mut read = Vec::new();
    while let Some(chunk) = reader.next_batch(10_000).expect("intact") {
        assert!(chunk.errors.is_empty(), "{:?}", chunk.errors);
        read.extend(chunk.batch.points().map(|(key, at, value)| (key.to_string(), at, value.to_bits())));
    }
    read.sort_unstable();
    assert!(read == written, "{} of {}", read.len(), written.len());
    let limited = ExportRequest { limit_bytes: 1_000, ..request.clone() };
    let refused = engine.export(folder.path().join("small.parquet"), &limited).expect_err("too large");
    assert!(matches!(refused, ExportError::TooLarge { limit_bytes: 1_000 }), "{refused}");
    assert!(std::fs::read_dir(folder.path()).expect("a folder").all(|entry| {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        !name.starts_with("small")
    }));
    engine.clone().close().expect("closes");
    assert!(matches!(engine.export(folder.path().join("late.csv"), &request), Err(ExportError::Closed)));
}

#[test]
fn a_store_of_the_first_schema_is_migrated_and_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("old.duckdb");
    let mut bytes = Vec::new();
    let packed = &include_bytes!("../files/schema_1.duckdb.gz")[..];
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("unpacks");
    std::fs::write(&path, bytes).expect("writes");
    for _ in 0..2 {
        let engine = Engine::open(&path).expect("opens");
        assert_eq!((engine.stats().points, engine.stats().metrics), (20_000, 10));
        assert_eq!(engine.check(false).expect("checks").differences, 0);
        let from = Timestamp::parse("2024-01-01T02:00:00Z").expect("a time");
        let mut request =
            QueryRequest::new(["metric_3"], from, from.saturating_add_micros(MICROS_PER_HOUR)).expect("a name");
        request.per = Per::Every(Resolution::Hour);
        let average = engine.query(&request).expect("answers").series[0].column(Aggregate::Avg).expect("asked for")[0];
        // What DuckDB's own avg gave over the view `points` when the file was made.
        assert!((average.expect("a value") - 54.761194444444484).abs() < 1e-9, "{average:?}");
        engine.close().expect("closes");
    }
}

#[test]
fn the_write_ahead_log_stays_bounded_under_small_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let limit = 256 << 10;
    let options = Options { wal_limit_bytes: limit, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let mut longest = 0;
    for write in 0..1_500 {
        let batch: Batch = (0..20).map(|i| Point::new("load", at(write * 20 + i), 0.5).expect("a point")).collect();
        engine.write(batch).expect("takes").wait().expect("stores");
        longest = longest.max(engine.stats().wal_bytes);
    }
    assert!(longest > limit, "the log was never long enough to matter: {longest}");
    assert!(longest < 4 * limit, "{longest}");
    assert_eq!(engine.stats().points, 30_000);
}
