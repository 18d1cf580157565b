//! Writing a chunk: points in order go in, the points' table and its rollups come out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt64Array};
use duckdb::Connection;

use super::chunk::{Chunk, ChunkId, ChunkTable, series_table_name, table_name};
use super::encoding::{Encoding, scaled};
use super::error::{During, StoreError};
use super::head::{append, record_batch};
use super::memtable::{Row, Run, is_in_order};
use super::registry::{SeriesId, SeriesStats};
use super::rollup_buffer::{RollupBuffer, create_table};
use crate::rollup::{Partial, Tier};

/// Rows that are handed to DuckDB at once: one row group.
const BUFFER_ROWS: usize = 122_880;

/// A rollup is kept when it has at most one row for so many points. A denser one would cost more bytes than the
/// points and save little reading.
pub(super) const MIN_REDUCTION: u64 = 8;

/// Which rollups a chunk gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollups {
    /// Those that are so much smaller than the points that they pay.
    ThatPay,
    /// All, because the points will be dropped.
    All,
}

/// What a chunk's tables will be, decided from what is known of its points before they are read.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// One that all points fit.
    pub(crate) encoding: Encoding,
    rollups: Rollups,
    /// The rollups that are made, finest first.
    tiers: Vec<Tier>,
    /// Those of them that carry sketches.
    digests: Vec<Tier>,
}

/// Points an average bucket must have for its sketch to pay: a sketch takes up to some hundred bytes, and of fewer
/// points the exact quantile is soon had.
const DIGEST_POINTS: u64 = 512;

impl Layout {
    /// For so many points, of which each tier will have about so many rows; none where that is not known, only that
    /// it would not pay. Rollups that will not pay are not even begun: of points each ten seconds the minutes, thrown
    /// away at the end, took more time to write than the points.
    pub(crate) fn new(encoding: Encoding, rollups: Rollups, points: u64, rows: impl Fn(Tier) -> Option<u64>) -> Self {
        let pays = |tier: &Tier| rows(*tier).is_some_and(|rows| rows.saturating_mul(MIN_REDUCTION) <= points);
        let has_digest = |tier: &Tier| {
            let dense = rows(*tier).is_some_and(|rows| points >= DIGEST_POINTS * rows.max(1));
            tier.may_have_digest() && (dense || rollups == Rollups::All)
        };
        let digests: Vec<Tier> = Tier::ROLLUPS.into_iter().filter(has_digest).collect();
        let finest = match rollups {
            Rollups::All => Some(Tier::Minute),
            // Sketches are begun with the hours.
            Rollups::ThatPay if !digests.is_empty() => {
                Tier::ROLLUPS.into_iter().find(pays).map(|tier| tier.min(Tier::Hour))
            }
            Rollups::ThatPay => Tier::ROLLUPS.into_iter().find(pays),
        };
        let tiers = Tier::ROLLUPS.into_iter().filter(|tier| finest.is_some_and(|finest| *tier >= finest)).collect();
        Self { encoding, rollups, tiers, digests }
    }
}

/// Points on their way into a chunk's tables.
pub(crate) struct ChunkWriter<'c> {
    connection: &'c Connection,
    chunk: Chunk,
    raw: RawBuffer,
    /// Finest first; what each gives is taken in by the next.
    rollups: Vec<RollupBuffer>,
    /// Place of the hours among them, where there are sketches: these are filled from there on.
    digests_from: Option<usize>,
    series: Option<SeriesId>,
    wanted: Rollups,
    last: Option<Row>,
    stats: Vec<(SeriesId, SeriesStats)>,
}

/// Points as they are stored.
struct RawBuffer {
    series: Vec<u64>,
    times: Vec<i64>,
    values: Vec<f64>,
    /// In place of `values` where the chunk has a scale.
    whole: Vec<i64>,
}

impl RawBuffer {
    /// With room for a row group, so that nothing is copied as it fills.
    fn new(scale: Option<i64>) -> Self {
        let (doubles, whole) = if scale.is_none() { (BUFFER_ROWS, 0) } else { (0, BUFFER_ROWS) };
        Self {
            series: Vec::with_capacity(BUFFER_ROWS),
            times: Vec::with_capacity(BUFFER_ROWS),
            values: Vec::with_capacity(doubles),
            whole: Vec::with_capacity(whole),
        }
    }

    /// Takes points in; false where one does not fit the table's encoding.
    fn take(&mut self, run: Run<'_>, table: &ChunkTable) -> bool {
        self.series.resize(self.series.len() + run.times.len(), run.series.0);
        self.take_times(run.times, table.base, table.unit) && self.take_values(run.values, table.scale)
    }

    /// Points come at even steps as a rule: a division is made only where the step changes.
    fn take_times(&mut self, times: &[i64], base: i64, unit: i64) -> bool {
        let (mut before, mut stored_before) = (base, 0);
        let (mut step, mut stored_step) = (0, 0);
        for &at in times {
            if at - before != step {
                (step, stored_step) = (at - before, (at - before) / unit);
                if stored_step * unit != step {
                    return false;
                }
            }
            (before, stored_before) = (at, stored_before + stored_step);
            self.times.push(stored_before);
        }
        true
    }

    fn take_values(&mut self, values: &[f64], scale: Option<i64>) -> bool {
        let Some(scale) = scale else {
            self.values.extend_from_slice(values);
            return true;
        };
        let mut fits = true;
        self.whole.extend(values.iter().map(|&value| {
            scaled(value, scale).unwrap_or_else(|| {
                fits = false;
                0
            })
        }));
        fits
    }

    fn into_batch(self, scale: Option<i64>) -> RecordBatch {
        let values: ArrayRef = match scale {
            None => Arc::new(Float64Array::from(self.values)),
            Some(_) => Arc::new(Int64Array::from(self.whole)),
        };
        record_batch(vec![
            ("series", Arc::new(UInt64Array::from(self.series))),
            ("t", Arc::new(Int64Array::from(self.times))),
            ("value", values),
        ])
    }
}

impl<'c> ChunkWriter<'c> {
    /// Creates the tables of a chunk.
    pub(crate) fn create(connection: &'c Connection, id: ChunkId, layout: &Layout) -> Result<Self, StoreError> {
        let Encoding { base, unit, scale } = layout.encoding;
        create_raw_table(connection, id, layout.encoding)?;
        let has_digest = |tier: &Tier| layout.digests.contains(tier);
        layout.tiers.iter().try_for_each(|tier| create_table(connection, id, *tier, has_digest(tier)))?;
        create_series_table(connection, id)?;
        let raw = ChunkTable { tier: Tier::Raw, rows: 0, base, unit, scale, digest: false };
        let hours = layout.tiers.iter().position(|tier| *tier == Tier::Hour);
        Ok(Self {
            connection,
            chunk: Chunk { id, first_at: i64::MAX, last_at: i64::MIN, points: 0, tables: vec![raw] },
            raw: RawBuffer::new(scale),
            rollups: layout.tiers.iter().map(|tier| RollupBuffer::new(*tier, has_digest(tier))).collect(),
            digests_from: hours.filter(|_| !layout.digests.is_empty()),
            series: None,
            wanted: layout.rollups,
            last: None,
            stats: Vec::new(),
        })
    }

    /// Takes the next points, of one series.
    ///
    /// # Errors
    /// When they are not in the order of [`Row::order`], do not fit the chunk's encoding, or DuckDB fails.
    pub(crate) fn push(&mut self, run: Run<'_>) -> Result<(), StoreError> {
        let mut rest = run;
        while !rest.times.is_empty() {
            let room = BUFFER_ROWS - self.raw.times.len();
            let (now, later) = rest.split_at(room.min(rest.times.len()));
            self.take(now)?;
            if self.raw.times.len() == BUFFER_ROWS {
                self.write_buffers()?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Takes points in, of which there is at least one.
    fn take(&mut self, run: Run<'_>) -> Result<(), StoreError> {
        let unfit = |what: &str| StoreError::new("cannot write a chunk", format!("{what} from {:?} on", run.first()));
        let stats = run.stats().ok_or_else(|| unfit("no point"))?;
        if self.last.zip(run.first()).is_some_and(|(last, first)| last.order(&first).is_gt())
            || !is_in_order(run.times, run.values)
        {
            return Err(unfit("points out of order"));
        }
        self.last = run.last();
        if self.series == Some(run.series) {
            self.stats.last_mut().expect("the series at hand has an entry").1.merge(&stats);
        } else {
            self.end_series();
            self.series = Some(run.series);
            self.stats.push((run.series, stats));
        }
        if !self.raw.take(run, &self.chunk.tables[0]) {
            return Err(unfit("points that do not fit the encoding"));
        }
        self.chunk.points += stats.count;
        self.chunk.first_at = self.chunk.first_at.min(stats.first_at);
        self.chunk.last_at = self.chunk.last_at.max(stats.last_at);
        self.roll_up(run);
        Ok(())
    }

    /// Sums points up by the buckets of the finest rollup; the coarser ones take theirs in as they close.
    fn roll_up(&mut self, run: Run<'_>) {
        let mut rest = run;
        while let (Some(finest), Some(first)) = (self.rollups.first(), rest.first()) {
            let bucket = finest.bucket_of(first.at);
            let end = (bucket + 1) * finest.tier().width_micros();
            if finest.open_bucket() != Some(bucket) {
                self.close_buckets(Some(first.at));
            }
            let (inside, later) = rest.split_before(end);
            let partial = Partial::of_points(inside.times, inside.values);
            self.rollups[0].add(first.at, &partial);
            // The sketch of a day is merged from its hours'.
            if let Some(hours) = self.digests_from {
                self.rollups[hours].digest().push_all(inside.values);
            }
            rest = later;
        }
    }

    /// Ends the open bucket of the finest rollup, and every coarser one that the next point (none: of this series) is
    /// not in.
    fn close_buckets(&mut self, next_at: Option<i64>) {
        let Some(series) = self.series else { return };
        for index in 0..self.rollups.len() {
            let (finer, coarser) = self.rollups.split_at_mut(index + 1);
            let rollup = &mut finer[index];
            let Some(bucket) = rollup.open_bucket() else { return };
            if index > 0 && next_at.is_some_and(|at| rollup.bucket_of(at) == bucket) {
                return;
            }
            let start = bucket * rollup.tier().width_micros();
            let closed = rollup.close(series).expect("it was open");
            if let Some(next) = coarser.first_mut() {
                next.add(start, &closed);
                if rollup.tier() == Tier::Hour {
                    next.digest().merge(rollup.digest());
                }
            }
            rollup.digest().clear();
        }
    }

    fn end_series(&mut self) {
        self.close_buckets(None);
    }

    fn write_buffers(&mut self) -> Result<(), StoreError> {
        self.chunk.tables[0].rows += self.raw.times.len() as u64;
        let scale = self.chunk.tables[0].scale;
        let full = std::mem::replace(&mut self.raw, RawBuffer::new(scale));
        append(self.connection, &table_name(self.chunk.id, Tier::Raw), full.into_batch(scale))?;
        self.rollups.iter_mut().try_for_each(|rollup| rollup.write_when_full(self.connection, self.chunk.id))
    }

    /// Writes what is left, drops the rollups that do not pay, and describes the chunk.
    /// Nothing is seen of it before the caller's transaction commits and the chunk is listed.
    pub(crate) fn finish(mut self) -> Result<Chunk, StoreError> {
        self.end_series();
        self.write_buffers()?;
        for mut rollup in std::mem::take(&mut self.rollups) {
            let dense = rollup.rows() * MIN_REDUCTION > self.chunk.points;
            if dense && self.wanted == Rollups::ThatPay {
                let sql = format!("DROP TABLE {}", table_name(self.chunk.id, rollup.tier()));
                self.connection.execute_batch(&sql).during("cannot drop a rollup")?;
                continue;
            }
            rollup.write(self.connection, self.chunk.id)?;
            self.chunk.tables.push(rollup.table());
        }
        append_series_stats(self.connection, self.chunk.id, &self.stats)?;
        Ok(self.chunk)
    }
}

fn create_raw_table(connection: &Connection, chunk: ChunkId, encoding: Encoding) -> Result<(), StoreError> {
    let name = table_name(chunk, Tier::Raw);
    let value = if encoding.scale.is_some() { "BIGINT" } else { "DOUBLE" };
    let sql = format!("CREATE TABLE {name}(series UBIGINT NOT NULL, t BIGINT NOT NULL, value {value} NOT NULL)");
    connection.execute_batch(&sql).during("cannot create a chunk")
}

/// Creates the table with what a chunk holds of each series.
pub(super) fn create_series_table(connection: &Connection, chunk: ChunkId) -> Result<(), StoreError> {
    let name = series_table_name(chunk);
    let sql = format!(
        "CREATE TABLE {name}(series UBIGINT NOT NULL, count UBIGINT NOT NULL, first_at BIGINT NOT NULL, \
         last_at BIGINT NOT NULL, last DOUBLE NOT NULL)"
    );
    connection.execute_batch(&sql).during("cannot create a chunk")
}

/// Writes what a chunk holds of each series.
pub(super) fn append_series_stats(
    connection: &Connection,
    chunk: ChunkId,
    stats: &[(SeriesId, SeriesStats)],
) -> Result<(), StoreError> {
    let batch = record_batch(vec![
        ("series", Arc::new(UInt64Array::from_iter_values(stats.iter().map(|(id, _)| id.0)))),
        ("count", Arc::new(UInt64Array::from_iter_values(stats.iter().map(|(_, s)| s.count)))),
        ("first_at", Arc::new(Int64Array::from_iter_values(stats.iter().map(|(_, s)| s.first_at)))),
        ("last_at", Arc::new(Int64Array::from_iter_values(stats.iter().map(|(_, s)| s.last_at)))),
        ("last", Arc::new(Float64Array::from_iter_values(stats.iter().map(|(_, s)| s.last)))),
    ]);
    append(connection, &series_table_name(chunk), batch)
}

/// The greatest common divisor; of zero and a number, the number.
pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}
