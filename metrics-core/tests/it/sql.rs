//! Statements of strangers: what they get, and what they do not.

use std::time::{Duration, Instant};

use metrics_core::{Batch, Engine, Options, Point, SqlError, SqlLimits, Timestamp};
use tempfile::TempDir;

/// Every way out that was thought of, one a line.
const ESCAPES: &str = include_str!("sql_escapes.txt");

fn store(points: i64) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { sql: true, head_points: 1_000, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let points = (0..points).map(|i| {
        let point = Point::new("load", Timestamp::clamped(i * 1_000_000), i as f64).expect("valid");
        point.with_labels([("host", if i % 2 == 0 { "a" } else { "b" })]).expect("valid")
    });
    for part in points.collect::<Batch>().split(1_000) {
        engine.write(part).expect("takes").wait().expect("stores");
    }
    (folder, engine)
}

fn csv(engine: &Engine, sql: &str) -> String {
    let answer = engine.sql(sql, &SqlLimits::default()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    String::from_utf8(answer.csv()).expect("UTF-8")
}

#[test]
fn a_statement_reads_points_wherever_they_are_and_writes_go_on() {
    let (_folder, engine) = store(3_500);
    engine.compact().expect("compacts");
    engine.write(Point::new("other", Timestamp::EPOCH, 1.5).expect("valid")).expect("takes").wait().expect("stores");
    let sql = "SELECT name, labels->>'host' AS host, count(*) AS n, avg(value) AS mean, min(timestamp) AS first \
               FROM points GROUP BY ALL ORDER BY ALL NULLS LAST";
    assert_eq!(
        csv(&engine, sql),
        "name,host,n,mean,first\n\
         load,a,1750,1749,1970-01-01T00:00:00Z\n\
         load,b,1750,1750,1970-01-01T00:00:01Z\n\
         other,,1,1.5,1970-01-01T00:00:00Z\n"
    );
    assert_eq!(csv(&engine, "SELECT count(*) AS n FROM series"), "n\n3\n");
    engine.close().expect("closes");
}

#[test]
fn every_way_out_is_refused_and_leaves_nothing_behind() {
    let (folder, engine) = store(1_500);
    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "a\ncanary-7c1f\n").expect("writes");
    let listed = || {
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").file_name()).collect();
        // The store's own: its log comes and goes.
        names.retain(|name| !name.to_string_lossy().starts_with("m.duckdb"));
        names
    };
    let before = listed();
    let escapes: Vec<&str> = ESCAPES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(escapes.len() >= 150, "{}", escapes.len());
    for escape in escapes {
        let sql = escape.replace("{secret}", &secret.display().to_string()).replace("\\n", "\n");
        let begun = Instant::now();
        match engine.sql(&sql, &SqlLimits::default()) {
            Err(SqlError::Refused(_) | SqlError::Failed(_)) => {}
            Err(error) => panic!("{escape}: {error}"),
            Ok(answer) => panic!("{escape}: {}", String::from_utf8_lossy(&answer.csv())),
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{escape}");
    }
    assert_eq!(listed(), before);
    // For whoever watches the system calls of this test.
    std::fs::write(folder.path().join("statements-are-over"), "").expect("writes");
    assert_eq!(csv(&engine, "SELECT count(*) AS n, sum(value) AS s FROM points"), "n,s\n1500,1124250\n");
    engine.close().expect("closes");
}

#[test]
fn a_statement_keeps_to_its_bounds() {
    let (_folder, engine) = store(2_000);
    let limits = SqlLimits { max_rows: 100, max_bytes: 1 << 20, ..SqlLimits::default() };
    let refused = |sql: &str| engine.sql(sql, &limits).map(|answer| answer.rows()).expect_err(sql);
    assert!(matches!(refused("SELECT * FROM points"), SqlError::TooManyRows(100)));
    assert_eq!(engine.sql("SELECT * FROM points LIMIT 100", &limits).expect("just fits").rows(), 100);
    let wide = "SELECT array_agg(value) FROM points, range(500)";
    assert!(matches!(refused(wide), SqlError::TooLarge(_)), "{}", refused(wide));
    let limits = SqlLimits { timeout: Duration::from_millis(200), ..limits };
    let begun = Instant::now();
    let endless = "SELECT count(*) FROM points a, points b, points c, points d WHERE a.value + b.value < c.value";
    let error = engine.sql(endless, &limits).map(|answer| answer.rows()).expect_err("endless");
    assert!(matches!(error, SqlError::TimedOut(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let long = format!("SELECT 1 -- {}", "x".repeat(16 << 10));
    assert!(matches!(refused(&long), SqlError::TooLong(_)));
    assert_eq!(csv(&engine, "SELECT 1 AS one"), "one\n1\n", "the store answers as before");
}

#[test]
fn what_is_wrong_with_a_statement_is_told_in_duckdbs_words() {
    let (_folder, engine) = store(10);
    for (sql, words) in [
        ("SELECT valeu FROM points", "valeu"),
        ("SELEC 1", "SELEC"),
        ("SELECT 1 +", "syntax error"),
        ("SELECT 'a'::INT", "Could not convert"),
        ("", "empty"),
    ] {
        let error = engine.sql(sql, &SqlLimits::default()).map(|answer| answer.rows()).expect_err(sql);
        assert!(matches!(error, SqlError::Failed(_) | SqlError::Refused(_)), "{sql}: {error:?}");
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
}

#[test]
fn without_the_option_there_is_no_sql_and_with_it_no_backup() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closed = Engine::open(folder.path().join("closed.duckdb")).expect("opens");
    assert!(matches!(closed.sql("SELECT 1", &SqlLimits::default()), Err(SqlError::Disabled)));
    let (_other, engine) = store(10);
    let error = engine.backup(folder.path().join("copy.duckdb")).expect_err("refused").to_string();
    assert!(error.contains("opened for SQL"), "{error}");
    engine.clone().close().expect("closes");
    assert!(matches!(engine.sql("SELECT 1", &SqlLimits::default()), Err(SqlError::Closed)));
}
