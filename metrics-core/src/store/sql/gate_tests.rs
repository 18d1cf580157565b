use super::*;

fn checked(sql: &str) -> Result<(), String> {
    let connection = Connection::open_in_memory().expect("opens");
    check(&connection, sql).map_err(|error| error.to_string())
}

#[test]
fn statements_that_people_write_pass() {
    for sql in [
        "SELECT * FROM points",
        "FROM points LIMIT 10;",
        "select name, avg(value), count(*) from points where labels->>'host' = 'a' group by all order by 2 desc",
        "WITH hourly AS (SELECT time_bucket(INTERVAL 1 hour, timestamp) AS t, avg(value) AS v FROM points GROUP BY t) \
         SELECT t, v, v - lag(v) OVER (ORDER BY t) AS step FROM hourly QUALIFY row_number() OVER (ORDER BY t) < 100",
        "SELECT p.value FROM points p JOIN series s ON s.name = p.name WHERE p.timestamp > now() - INTERVAL 1 DAY",
        "SELECT quantile_cont(value, [0.5, 0.95]) FROM points UNION ALL SELECT [1.0]",
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 5) SELECT * FROM r",
        "SELECT i, (SELECT max(value) FROM points WHERE value < i) FROM range(10) t(i)",
        "SELECT CASE WHEN value > 1 THEN 'high' ELSE 'low' END, value BETWEEN 1 AND 2, name IN ('a', 'b') FROM points",
        "SELECT list_transform([1, 2], lambda x: x + 1), {'a': 1}, MAP {'a': 1}, [1, 2][1]",
        "SELECT * EXCLUDE (labels) REPLACE (value * 2 AS value) FROM points",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT a.value FROM points a ASOF JOIN points b ON a.name = b.name AND a.timestamp >= b.timestamp",
        "SELECT sum(value) FILTER (WHERE value > 0) FROM points GROUP BY ROLLUP (name)",
        "SELECT strftime(timestamp, '%H'), extract(dow FROM timestamp), timestamp::DATE, CAST(value AS BIGINT) FROM points",
        "SELECT name FROM points WHERE name LIKE 'a%' AND name ~ 'b' AND NOT name SIMILAR TO 'c' -- ends here",
        "SELECT coalesce(NULL, 1), nullif(1, 2), current_date, -1, 7 // 2, 7 % 2, 'a' || 'b'",
    ] {
        assert_eq!(checked(sql), Ok(()), "{sql}");
    }
}

#[test]
fn a_name_that_a_statement_makes_is_seen_only_where_it_is() {
    for sql in [
        "WITH meta AS (SELECT * FROM meta) SELECT * FROM meta",
        "SELECT * FROM (WITH meta AS (SELECT 1) SELECT * FROM meta), meta",
        "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
        "SELECT (WITH idempotency AS (SELECT 1) SELECT 1), * FROM idempotency",
    ] {
        let error = checked(sql).expect_err(sql);
        assert!(error.contains("is not allowed: read points"), "{sql}: {error}");
    }
    for sql in [
        "WITH meta AS (SELECT 1) SELECT * FROM META",
        "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT (SELECT count(*) FROM b)",
        "SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) y",
    ] {
        assert_eq!(checked(sql), Ok(()), "{sql}");
    }
}

#[test]
fn statements_nested_without_end_are_refused_and_nothing_breaks() {
    let deep = |open: &str, inner: &str, close: &str, times: usize| {
        format!("SELECT {}{inner}{}", open.repeat(times), close.repeat(times))
    };
    for sql in [
        deep("(", "1", ")", 7_000),
        deep("[", "1", "]", 7_000),
        deep("- ", "1", "", 8_000),
        deep("NOT ", "true", "", 4_000),
        deep("(SELECT ", "1", ")", 1_600),
        deep("CASE WHEN 1 THEN ", "1", " END", 700),
        deep("{'a':", "1", "}", 2_500),
        deep("abs(", "1", ")", 3_000),
        deep("", "1", "::INT", 3_000),
        deep("", "1", " + 1", 4_000),
        format!("FROM points{}", ", points".repeat(1_900)),
        format!("{}SELECT 1{}", "WITH a AS (".repeat(700), ") SELECT 1".repeat(700)),
    ] {
        assert!(checked(&sql).is_err(), "{} …", &sql[..30]);
    }
    assert_eq!(checked(&deep("(", "1", ")", 50)), Ok(()));
    assert_eq!(checked(&deep("", "1", " + 1", 30)), Ok(()));
    assert_eq!(checked(&format!("SELECT true{}", " AND true".repeat(1_500))), Ok(()), "wide is not deep");
}

#[test]
fn every_function_that_is_allowed_exists_and_changes_nothing() {
    let connection = Connection::open_in_memory().expect("opens");
    let volatile = "SELECT DISTINCT lower(function_name) FROM duckdb_functions() \
        WHERE stability = 'VOLATILE' OR function_type = 'pragma'";
    let mut statement = connection.prepare(volatile).expect("prepares");
    let volatile: HashSet<String> =
        statement.query_map([], |row| row.get(0)).expect("runs").collect::<Result<_, _>>().expect("texts");
    assert!(volatile.contains("nextval") && volatile.contains("write_log"));
    let allowed: Vec<_> = FUNCTIONS.iter().filter(|name| volatile.contains(**name)).collect();
    assert_eq!(allowed, [&"random"]);
}
