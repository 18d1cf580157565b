//! Holding rollups against points: the same sums computed once more, by DuckDB itself.

use std::sync::Arc;

use super::Store;
use super::chunk::{Chunk, series_table_name, table_name};
use super::connection::Connection;
use super::error::{During, StoreError};
use super::registry::SeriesId;
use crate::rollup::Tier;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Chunks that were looked at.
    pub chunks: u64,
    /// Rows of rollups that were computed anew.
    pub buckets: u64,
    /// Rows that differ from what was computed: wrong, missing or too many. 0 on a healthy store.
    pub differences: u64,
    /// Chunks that were written anew from their points.
    pub repaired: u64,
}

impl Store {
    /// Checks every chunk: rollups against its points, or where retention dropped those against its finest rollup.
    /// With `repair`, chunks that differ and have points are written anew.
    pub(crate) fn check(&self, connection: &Connection, repair: bool) -> Result<CheckReport, StoreError> {
        let mut report = CheckReport::default();
        let chunks = Arc::clone(&self.snapshot().chunks);
        for chunk in chunks.iter() {
            report.chunks += 1;
            let mut differences = self.check_series(connection, chunk)?;
            for table in chunk.tables.iter().filter(|table| table.tier != Tier::Raw) {
                report.buckets += table.rows;
                let finest = chunk.tables[0].tier;
                differences += match chunk.table(Tier::Raw) {
                    Some(_) => count(connection, &against_points(chunk, table.tier))?,
                    None if table.tier == finest => 0,
                    None => count(connection, &against_finer(chunk, finest, table.tier))?,
                };
            }
            report.differences += differences;
            if repair && differences > 0 && chunk.table(Tier::Raw).is_some() {
                self.rebuild(connection, chunk)?;
                report.repaired += 1;
            }
        }
        Ok(report)
    }

    fn check_series(&self, connection: &Connection, chunk: &Chunk) -> Result<u64, StoreError> {
        let Some(raw) = chunk.table(Tier::Raw) else { return Ok(0) };
        let registry = self.registry.read();
        let mut unknown = 0;
        super::catalog::each_series(connection, chunk, |series: SeriesId, _| {
            let known = registry.next_ordinal(series.metric()) > series.ordinal();
            unknown += u64::from(!known);
        })?;
        drop(registry);
        let sql = format!(
            "WITH expected AS (SELECT series, count(*) AS n, min(t) AS low, max(t) AS high FROM {} GROUP BY series) \
             SELECT count(*) FROM expected e FULL JOIN {} s ON e.series = s.series WHERE e.n IS DISTINCT FROM s.count \
             OR e.low * {unit} + {base} IS DISTINCT FROM s.first_at OR e.high * {unit} + {base} IS DISTINCT FROM s.last_at",
            table_name(chunk.id, Tier::Raw),
            series_table_name(chunk.id),
            unit = raw.unit,
            base = raw.base,
        );
        Ok(unknown + count(connection, &sql)?)
    }
}

fn count(connection: &Connection, sql: &str) -> Result<u64, StoreError> {
    connection.query_row(sql, [], |row| row.get(0)).during("cannot check a chunk")
}

/// Sums may differ by rounding, but not in being finite. To DuckDB, NaN is NaN and more than anything else.
const SUMS_DIFFER: &str = "(e.s IS DISTINCT FROM r.sum AND (NOT isfinite(e.s) OR NOT isfinite(r.sum) \
    OR abs(e.s - r.sum) > 1e-9 * e.scale))";

/// The least or greatest of a column as rollups have it: NaN only where there is no number. To DuckDB it is the greatest.
fn extreme(function: &str, column: &str) -> String {
    format!("coalesce({function}({column}) FILTER (NOT isnan({column})), 'NaN'::DOUBLE)")
}

/// Counts the rows of a rollup that differ from the finest rollup of a chunk without points.
fn against_finer(chunk: &Chunk, finest: Tier, tier: Tier) -> String {
    let ratio = tier.width_micros() / finest.width_micros();
    format!(
        "WITH expected AS (SELECT series, (t - ((t % {ratio}) + {ratio}) % {ratio}) // {ratio} AS bucket, \
             sum(count) AS n, sum(sum) AS s, sum(abs(sum)) AS scale, {low} AS low, {high} AS high \
             FROM {finer} GROUP BY ALL) \
         SELECT count(*) FROM expected e FULL JOIN {rollup} r ON e.series = r.series AND e.bucket = r.t \
         WHERE e.n IS DISTINCT FROM r.count OR e.low IS DISTINCT FROM r.min OR e.high IS DISTINCT FROM r.max \
         OR {SUMS_DIFFER}",
        low = extreme("min", "min"),
        high = extreme("max", "max"),
        finer = table_name(chunk.id, finest),
        rollup = table_name(chunk.id, tier),
    )
}

/// Counts the rows of a rollup that differ from the points. Sums may differ by rounding: they are added in another
/// order, so that their error grows with the sum of the magnitudes.
fn against_points(chunk: &Chunk, tier: Tier) -> String {
    let raw = chunk.table(Tier::Raw).expect("the caller looked");
    let width = tier.width_micros();
    format!(
        "WITH points AS (SELECT series, {base} + t * {unit} AS ts, {value} AS value FROM {points}), \
         placed AS (SELECT *, (ts - ((ts % {width}) + {width}) % {width}) // {width} AS bucket FROM points), \
         expected AS (SELECT series, bucket, count(*) AS n, sum(value) AS s, sum(abs(value)) AS scale, \
             {low} AS low, {high} AS high, min({{'at': ts, 'v': value}}) AS first, \
             max({{'at': ts, 'v': value}}) AS last FROM placed GROUP BY ALL) \
         SELECT count(*) FROM expected e FULL JOIN {rollup} r ON e.series = r.series AND e.bucket = r.t \
         WHERE e.n IS DISTINCT FROM r.count OR e.low IS DISTINCT FROM r.min OR e.high IS DISTINCT FROM r.max \
         OR {SUMS_DIFFER} OR r.m2 < 0 \
         OR e.first.at IS DISTINCT FROM r.t * {width} + r.first_at OR e.first.v IS DISTINCT FROM r.first \
         OR e.last.at IS DISTINCT FROM r.t * {width} + r.last_at OR e.last.v IS DISTINCT FROM r.last",
        base = raw.base,
        unit = raw.unit,
        low = extreme("min", "value"),
        high = extreme("max", "value"),
        value = raw.encoding().value_sql(),
        points = table_name(chunk.id, Tier::Raw),
        rollup = table_name(chunk.id, tier),
    )
}
