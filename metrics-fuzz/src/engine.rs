//! Targets that need a store or a server.

use std::sync::LazyLock;
use std::time::Duration;

use metrics_core::promql::Query;
use metrics_core::{Batch, Engine, Options, Point, Timestamp};
use tempfile::TempDir;

/// A store with a few series, one of them a histogram's.
static STORE: LazyLock<(Engine, TempDir)> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a temporary folder");
    let options = Options { max_promql_values: 200_000, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("fuzz.duckdb"), options).expect("a new store opens");
    let mut batch = Batch::new();
    for second in 0..120 {
        let at = Timestamp::clamped(second * 10_000_000);
        for (name, label, of) in
            [("up", "a", "job"), ("up", "b", "job"), ("h_bucket", "1", "le"), ("h_bucket", "+Inf", "le")]
        {
            let point = Point::new(name, at, second as f64).expect("valid").with_labels([(of, label)]).expect("valid");
            batch.push(point);
        }
    }
    engine.write(batch).expect("takes").wait().expect("stores");
    (engine, folder)
});

/// An expression is answered or refused, in its time.
pub(super) fn promql(data: &[u8]) {
    let Ok(expression) = std::str::from_utf8(data) else { return };
    let (start, end) = (Timestamp::clamped(300_000_000), Timestamp::clamped(1_200_000_000));
    for query in [Query::at(expression, end), Query::range(expression, start, end, Duration::from_secs(60))] {
        let query = Query { timeout: Duration::from_secs(2), ..query };
        if let Err(error) = STORE.0.promql(&query) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Bytes in any coding become no more than the bound.
pub(super) fn inflate(data: &[u8]) {
    const LIMIT: usize = 1 << 20;
    for plain in metrics_http::fuzzing::inflate(data, LIMIT) {
        assert!(plain.len() <= LIMIT, "{} bytes", plain.len());
    }
}
