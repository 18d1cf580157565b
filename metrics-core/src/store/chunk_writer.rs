//! Writing a chunk: points in order go in, the points' table and its rollups come out.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Float64Array, Int64Array, UInt64Array};
use duckdb::Connection;

use super::chunk::{Chunk, ChunkId, ChunkTable, series_table_name, table_name};
use super::encoding::{Encoding, scaled};
use super::error::{During, StoreError};
use super::head::{append, record_batch};
use super::memtable::Row;
use super::registry::{SeriesId, SeriesStats};
use crate::rollup::{Digest, Partial, Tier};

/// Rows that are handed to DuckDB at once: one row group.
const BUFFER_ROWS: usize = 122_880;

/// Buckets that are handed to DuckDB at once: fewer, because they are many times larger than points.
const BUFFER_BUCKETS: usize = 16_384;

/// A rollup is kept when it has at most one row for so many points. A denser one would cost more bytes than the
/// points and save little reading.
const MIN_REDUCTION: u64 = 8;

/// Which rollups a chunk gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollups {
    /// Those that are so much smaller than the points that they pay.
    ThatPay,
    /// All, because the points will be dropped.
    All,
}

/// Points on their way into a chunk's tables.
pub(crate) struct ChunkWriter<'c> {
    connection: &'c Connection,
    chunk: Chunk,
    raw: RawBuffer,
    rollups: Vec<RollupBuffer>,
    /// The bucket that each rollup is filling, with the series it belongs to.
    series: Option<SeriesId>,
    wanted: Rollups,
    last: Option<Row>,
    stats: Vec<(SeriesId, SeriesStats)>,
}

#[derive(Default)]
struct RawBuffer {
    series: Vec<u64>,
    times: Vec<i64>,
    values: Vec<f64>,
}

/// The rows of one rollup table, and the bucket being filled.
pub(super) struct RollupBuffer {
    tier: Tier,
    open: Option<(i64, Partial)>,
    digest: Digest,
    series: Vec<u64>,
    buckets: Vec<i64>,
    partials: Vec<Partial>,
    digests: BinaryBuilder,
    with_digest: bool,
    written: u64,
    /// It would not reach `MIN_REDUCTION`: nothing more is written.
    abandoned: bool,
}

impl RollupBuffer {
    pub(super) fn new(tier: Tier, with_digest: bool) -> Self {
        Self {
            tier,
            open: None,
            digest: Digest::default(),
            series: Vec::new(),
            buckets: Vec::new(),
            partials: Vec::new(),
            digests: BinaryBuilder::new(),
            with_digest,
            written: 0,
            abandoned: false,
        }
    }

    pub(super) fn with_digest(&self) -> bool {
        self.with_digest
    }

    pub(super) fn rows(&self) -> u64 {
        self.written + self.partials.len() as u64
    }

    fn bucket_of(&self, at: i64) -> i64 {
        at.div_euclid(self.tier.width_micros())
    }

    /// Ends the bucket being filled and gives it back for the next coarser tier.
    fn close(&mut self, series: SeriesId) -> Option<Partial> {
        let (bucket, partial) = self.open.take()?;
        if !self.abandoned {
            let mut digest = std::mem::take(&mut self.digest);
            self.put(series, bucket * self.tier.width_micros(), partial, Some(&mut digest));
            self.digest = digest;
        }
        Some(partial)
    }

    /// Adds a finished bucket.
    pub(super) fn put(&mut self, series: SeriesId, start: i64, partial: Partial, digest: Option<&mut Digest>) {
        self.series.push(series.0);
        self.buckets.push(self.bucket_of(start));
        self.partials.push(partial);
        if self.with_digest {
            self.digests.append_value(digest.map(Digest::encode).unwrap_or_default());
        }
    }

    /// Writes the finished buckets once they are as many as are handed over at once.
    pub(super) fn write_when_full(&mut self, connection: &Connection, chunk: ChunkId) -> Result<(), StoreError> {
        if self.partials.len() >= BUFFER_BUCKETS { self.write(connection, chunk) } else { Ok(()) }
    }

    /// Takes a finer bucket (or a point) in; the bucket it falls into must be the open one or none.
    fn add(&mut self, at: i64, finer: &Partial) {
        match &mut self.open {
            Some((_, partial)) => partial.merge(finer),
            none => *none = Some((at.div_euclid(self.tier.width_micros()), *finer)),
        }
    }

    pub(super) fn write(&mut self, connection: &Connection, chunk: ChunkId) -> Result<(), StoreError> {
        if self.partials.is_empty() || self.abandoned {
            return Ok(());
        }
        self.written += self.partials.len() as u64;
        let width = self.tier.width_micros();
        let column =
            |of: fn(&Partial) -> f64| Arc::new(Float64Array::from_iter_values(self.partials.iter().map(of))) as _;
        let offset = |of: fn(&Partial) -> i64| {
            let offsets = self.partials.iter().zip(&self.buckets).map(|(partial, bucket)| of(partial) - bucket * width);
            Arc::new(Int64Array::from_iter_values(offsets)) as _
        };
        let mut columns: Vec<(&str, arrow::array::ArrayRef)> = vec![
            ("series", Arc::new(UInt64Array::from(std::mem::take(&mut self.series)))),
            ("t", Arc::new(Int64Array::from(self.buckets.clone()))),
            ("count", Arc::new(UInt64Array::from_iter_values(self.partials.iter().map(|p| p.count)))),
            ("sum", column(|p| p.sum)),
            ("m2", column(|p| p.m2)),
            ("min", column(|p| p.min)),
            ("max", column(|p| p.max)),
            ("first_at", offset(|p| p.first_at)),
            ("first", column(|p| p.first)),
            ("last_at", offset(|p| p.last_at)),
            ("last", column(|p| p.last)),
        ];
        if self.with_digest {
            columns.push(("digest", Arc::new(self.digests.finish())));
        }
        append(connection, &table_name(chunk, self.tier), record_batch(columns))?;
        self.partials.clear();
        self.buckets.clear();
        Ok(())
    }
}

impl<'c> ChunkWriter<'c> {
    /// Creates the tables of a chunk whose points all fit an encoding.
    /// Rollups of the tiers in `digests` carry sketches; see [`digest_tiers`].
    pub(crate) fn create(
        connection: &'c Connection,
        id: ChunkId,
        encoding: Encoding,
        wanted: Rollups,
        digests: &[Tier],
    ) -> Result<Self, StoreError> {
        create_raw_table(connection, id, encoding)?;
        let digest = |tier: Tier| digests.contains(&tier) || (tier.may_have_digest() && wanted == Rollups::All);
        Tier::ROLLUPS.into_iter().try_for_each(|tier| create_table(connection, id, tier, digest(tier)))?;
        create_series_table(connection, id)?;
        let Encoding { base, unit, scale } = encoding;
        let raw = ChunkTable { tier: Tier::Raw, rows: 0, base, unit, scale, digest: false };
        Ok(Self {
            connection,
            chunk: Chunk { id, first_at: i64::MAX, last_at: i64::MIN, points: 0, tables: vec![raw] },
            raw: RawBuffer::default(),
            rollups: Tier::ROLLUPS.into_iter().map(|tier| RollupBuffer::new(tier, digest(tier))).collect(),
            series: None,
            wanted,
            last: None,
            stats: Vec::new(),
        })
    }

    /// Takes the next point.
    ///
    /// # Errors
    /// When it is not in the order of [`Row::order`], does not fit the chunk's unit, or DuckDB fails.
    pub(crate) fn push(&mut self, row: Row) -> Result<(), StoreError> {
        let raw = self.chunk.tables[0];
        if self.last.is_some_and(|last| last.order(&row).is_gt()) || (row.at - raw.base) % raw.unit != 0 {
            return Err(StoreError::new(
                "cannot write a chunk",
                format!("point out of order: {row:?} after {:?}", self.last),
            ));
        }
        self.last = Some(row);
        if self.series != Some(row.series) {
            self.end_series();
            self.series = Some(row.series);
            self.stats.push((row.series, SeriesStats::of(row.at, row.value)));
        } else if let Some((_, stats)) = self.stats.last_mut() {
            stats.count += 1;
            (stats.last_at, stats.last) = (row.at, row.value);
        }
        self.raw.series.push(row.series.0);
        self.raw.times.push((row.at - raw.base) / raw.unit);
        self.raw.values.push(row.value);
        self.chunk.points += 1;
        self.chunk.first_at = self.chunk.first_at.min(row.at);
        self.chunk.last_at = self.chunk.last_at.max(row.at);
        self.roll_up(row);
        if self.raw.times.len() >= BUFFER_ROWS {
            self.write_buffers()?;
        }
        Ok(())
    }

    fn roll_up(&mut self, row: Row) {
        let minute = self.rollups[0].bucket_of(row.at);
        match &mut self.rollups[0].open {
            Some((bucket, partial)) if *bucket == minute => partial.push_in_order(row.at, row.value),
            _ => {
                self.close_buckets(Some(row.at));
                self.rollups[0].open = Some((minute, Partial::of(row.at, row.value)));
            }
        }
        // The sketch of a day is merged from its hours'.
        let (hour, day) = (self.rollups[2].with_digest, self.rollups[3].with_digest);
        if hour || day {
            self.rollups[2].digest.push(row.value);
        }
    }

    /// Ends the open minute, and every coarser bucket that the next point (none: of this series) is not in.
    fn close_buckets(&mut self, next_at: Option<i64>) {
        let Some(series) = self.series else { return };
        for index in 0..self.rollups.len() {
            let (finer, coarser) = self.rollups.split_at_mut(index + 1);
            let rollup = &mut finer[index];
            let Some((bucket, _)) = rollup.open else { return };
            if index > 0 && next_at.is_some_and(|at| rollup.bucket_of(at) == bucket) {
                return;
            }
            let start = bucket * rollup.tier.width_micros();
            let closed = rollup.close(series).expect("it was open");
            if let Some(next) = coarser.first_mut() {
                next.add(start, &closed);
                if rollup.tier == Tier::Hour {
                    next.digest.merge(&rollup.digest);
                }
            }
            rollup.digest.clear();
        }
    }

    fn end_series(&mut self) {
        self.close_buckets(None);
    }

    fn write_buffers(&mut self) -> Result<(), StoreError> {
        self.chunk.tables[0].rows += self.raw.times.len() as u64;
        let batch = record_batch(vec![
            ("series", Arc::new(UInt64Array::from(std::mem::take(&mut self.raw.series)))),
            ("t", Arc::new(Int64Array::from(std::mem::take(&mut self.raw.times)))),
            ("value", self.values()?),
        ]);
        append(self.connection, &table_name(self.chunk.id, Tier::Raw), batch)?;
        for rollup in &mut self.rollups {
            // Twice the rows it may have after this many points: the rest will not make up for it.
            let dense = rollup.rows() * MIN_REDUCTION > 2 * self.chunk.points;
            rollup.abandoned |= dense && self.wanted == Rollups::ThatPay;
            rollup.write_when_full(self.connection, self.chunk.id)?;
        }
        Ok(())
    }

    /// The buffered values as they are stored.
    fn values(&mut self) -> Result<ArrayRef, StoreError> {
        let values = std::mem::take(&mut self.raw.values);
        let Some(scale) = self.chunk.tables[0].scale else { return Ok(Arc::new(Float64Array::from(values))) };
        let whole: Option<Vec<i64>> = values.iter().map(|&value| scaled(value, scale)).collect();
        let unfit = || StoreError::new("cannot write a chunk", format!("a value is no multiple of 1/{scale}"));
        Ok(Arc::new(Int64Array::from(whole.ok_or_else(unfit)?)))
    }

    /// Writes what is left, drops the rollups that do not pay, and describes the chunk.
    /// Nothing is seen of it before the caller's transaction commits and the chunk is listed.
    pub(crate) fn finish(mut self) -> Result<Chunk, StoreError> {
        self.end_series();
        self.write_buffers()?;
        for mut rollup in std::mem::take(&mut self.rollups) {
            let dense = rollup.rows() * MIN_REDUCTION > self.chunk.points;
            if dense && self.wanted == Rollups::ThatPay {
                let sql = format!("DROP TABLE {}", table_name(self.chunk.id, rollup.tier));
                self.connection.execute_batch(&sql).during("cannot drop a rollup")?;
                continue;
            }
            rollup.write(self.connection, self.chunk.id)?;
            let unit = rollup.tier.width_micros();
            self.chunk.tables.push(ChunkTable {
                tier: rollup.tier,
                rows: rollup.written,
                base: 0,
                unit,
                scale: None,
                digest: rollup.with_digest,
            });
        }
        append_series_stats(self.connection, self.chunk.id, &self.stats)?;
        Ok(self.chunk)
    }
}

/// Points an average bucket must have for its sketch to pay: a sketch takes up to some hundred bytes, and of fewer
/// points the exact quantile is soon had.
const DIGEST_POINTS: u64 = 512;

/// The tiers that get sketches, from the points of a chunk and the rows that each tier will have.
pub(crate) fn digest_tiers(points: u64, rows: impl Fn(Tier) -> u64) -> Vec<Tier> {
    let pays = |tier: &Tier| tier.may_have_digest() && points >= DIGEST_POINTS * rows(*tier).max(1);
    Tier::ROLLUPS.into_iter().filter(pays).collect()
}

fn create_raw_table(connection: &Connection, chunk: ChunkId, encoding: Encoding) -> Result<(), StoreError> {
    let name = table_name(chunk, Tier::Raw);
    let value = if encoding.scale.is_some() { "BIGINT" } else { "DOUBLE" };
    let sql = format!("CREATE TABLE {name}(series UBIGINT NOT NULL, t BIGINT NOT NULL, value {value} NOT NULL)");
    connection.execute_batch(&sql).during("cannot create a chunk")
}

/// Creates the table of a rollup.
pub(super) fn create_table(
    connection: &Connection,
    chunk: ChunkId,
    tier: Tier,
    digest: bool,
) -> Result<(), StoreError> {
    let name = table_name(chunk, tier);
    let digest = if digest { ", digest BLOB NOT NULL" } else { "" };
    let sql = format!(
        "CREATE TABLE {name}(series UBIGINT NOT NULL, t BIGINT NOT NULL, count UBIGINT NOT NULL, \
         sum DOUBLE NOT NULL, m2 DOUBLE NOT NULL, min DOUBLE NOT NULL, max DOUBLE NOT NULL, \
         first_at BIGINT NOT NULL, first DOUBLE NOT NULL, last_at BIGINT NOT NULL, last DOUBLE NOT NULL{digest})"
    );
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
