//! Chunks without points: their rollups are read in order, buckets of several merged, and written anew.

use std::sync::Arc;

use duckdb::Connection;

use super::chunk::{Chunk, ChunkId, ChunkTable, table_name};
use super::chunk_writer::{append_series_stats, create_series_table};
use super::connection::{Database, transaction, transaction_if_any};
use super::error::{During, StoreError};
use super::head::Columns;
use super::registry::{SeriesId, SeriesStats};
use super::rollup_buffer::{RollupBuffer, create_table};
use super::row_merge::{Source, next_row};
use crate::rollup::{Digest, Partial, Tier};

/// One row of a rollup table.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) series: SeriesId,
    /// Start of the bucket in microseconds.
    pub(crate) start: i64,
    pub(crate) partial: Partial,
    digest: Option<Digest>,
}

const COLUMNS: &str = "series, t, count, sum, m2, min, max, first_at, first, last_at, last";

fn buckets(columns: &Columns<'_>, table: &ChunkTable) -> Result<Vec<Bucket>, StoreError> {
    let (series, t, counts) = (columns.u64s(0)?, columns.i64s(1)?, columns.u64s(2)?);
    let (sums, m2, min, max) = (columns.f64s(3)?, columns.f64s(4)?, columns.f64s(5)?, columns.f64s(6)?);
    let (first_at, first) = (columns.i64s(7)?, columns.f64s(8)?);
    let (last_at, last) = (columns.i64s(9)?, columns.f64s(10)?);
    let digests = if table.digest { Some(columns.blobs(11)?) } else { None };
    (0..series.len())
        .map(|row| {
            let start = table.time(t[row]);
            let partial = Partial {
                count: counts[row],
                sum: sums[row],
                m2: m2[row],
                min: min[row],
                max: max[row],
                first_at: start + first_at[row],
                first: first[row],
                last_at: start + last_at[row],
                last: last[row],
            };
            let damaged = || StoreError::new("cannot read a quantile sketch", "it is damaged");
            let digest = digests.map(|column| Digest::decode(column.value(row)).ok_or_else(damaged)).transpose()?;
            Ok(Bucket { series: SeriesId(series[row]), start, partial, digest })
        })
        .collect()
}

/// Writes those buckets of several chunks that `keep` takes as one chunk. It has the tiers that all of them have,
/// and no points. None where nothing is kept.
pub(crate) fn merge_rollups(
    database: &Database,
    connection: &Connection,
    chunks: &[Arc<Chunk>],
    id: ChunkId,
    keep: impl Fn(&Bucket) -> bool,
) -> Result<Option<Chunk>, StoreError> {
    let in_all = |tier: &Tier| chunks.iter().all(|chunk| chunk.table(*tier).is_some());
    let tiers: Vec<Tier> = Tier::ROLLUPS.into_iter().filter(in_all).collect();
    let mut merged = Chunk { id, first_at: i64::MAX, last_at: i64::MIN, points: 0, tables: Vec::new() };
    transaction_if_any(connection, || {
        for &tier in &tiers {
            let digest = chunks.iter().all(|chunk| chunk.table(tier).is_some_and(|table| table.digest));
            create_table(connection, id, tier, digest)?;
            let mut stats = Vec::new();
            let mut buffer = RollupBuffer::new(tier, digest);
            merge_tier(database, connection, chunks, tier, &mut buffer, &mut stats, (id, &keep))?;
            let rows = buffer.rows();
            merged.tables.push(ChunkTable { tier, rows, base: 0, unit: tier.width_micros(), scale: None, digest });
            // The finest tier knows best what there is of each series.
            if merged.tables.len() == 1 {
                create_series_table(connection, id)?;
                append_series_stats(connection, id, &stats)?;
                for (_, stats) in &stats {
                    merged.first_at = merged.first_at.min(stats.first_at);
                    merged.last_at = merged.last_at.max(stats.last_at);
                }
                merged.points = stats.iter().map(|(_, stats)| stats.count).sum();
            }
        }
        Ok((merged.points > 0).then_some(merged))
    })
}

fn merge_tier(
    database: &Database,
    connection: &Connection,
    chunks: &[Arc<Chunk>],
    tier: Tier,
    buffer: &mut RollupBuffer,
    stats: &mut Vec<(SeriesId, SeriesStats)>,
    (id, keep): (ChunkId, &impl Fn(&Bucket) -> bool),
) -> Result<(), StoreError> {
    let action = "cannot read a rollup to merge";
    let connections = chunks.iter().map(|_| database.connect()).collect::<Result<Vec<_>, _>>()?;
    let digest = if buffer.with_digest() { ", digest" } else { "" };
    let mut statements = Vec::with_capacity(chunks.len());
    for (chunk, reader) in chunks.iter().zip(&connections) {
        let sql = format!("SELECT {COLUMNS}{digest} FROM {}", table_name(chunk.id, tier));
        statements.push(reader.prepare(&sql).during(action)?);
    }
    let mut sources = Vec::with_capacity(chunks.len());
    for (chunk, statement) in chunks.iter().zip(&mut statements) {
        let mut table = *chunk.table(tier).expect("only tiers of all chunks are merged");
        table.digest = buffer.with_digest();
        let batches = statement.stream_arrow([]).during(action)?;
        sources.push(Source::new(batches.map(move |batch| buckets(&Columns::of(&batch.during(action)?), &table))));
    }
    let mut open: Option<Bucket> = None;
    let order = |a: &Bucket, b: &Bucket| (a.series, a.start).cmp(&(b.series, b.start));
    while let Some(next) = next_row(&mut sources, order)? {
        if !keep(&next) {
            continue;
        }
        match &mut open {
            Some(bucket) if order(bucket, &next).is_eq() => {
                bucket.partial.merge(&next.partial);
                if let (Some(digest), Some(more)) = (&mut bucket.digest, &next.digest) {
                    digest.merge(more);
                }
            }
            _ => {
                if let Some(done) = open.replace(next) {
                    put(connection, id, buffer, stats, done)?;
                }
            }
        }
    }
    if let Some(done) = open {
        put(connection, id, buffer, stats, done)?;
    }
    buffer.write(connection, id)
}

fn put(
    connection: &Connection,
    id: ChunkId,
    buffer: &mut RollupBuffer,
    stats: &mut Vec<(SeriesId, SeriesStats)>,
    mut bucket: Bucket,
) -> Result<(), StoreError> {
    let partial = bucket.partial;
    let of_bucket =
        SeriesStats { count: partial.count, first_at: partial.first_at, last_at: partial.last_at, last: partial.last };
    match stats.last_mut() {
        Some((series, known)) if *series == bucket.series => known.merge(&of_bucket),
        _ => stats.push((bucket.series, of_bucket)),
    }
    buffer.put(bucket.series, bucket.start, partial, bucket.digest.as_mut());
    buffer.write_when_full(connection, id)
}

/// Runs in a transaction of its own: drops one table of a chunk that is not listed.
pub(crate) fn drop_tier(connection: &Connection, chunk: &mut Chunk, tier: Tier) -> Result<(), StoreError> {
    transaction(connection, || {
        let sql = format!("DROP TABLE {}", table_name(chunk.id, tier));
        connection.execute_batch(&sql).during("cannot drop a tier")
    })?;
    chunk.tables.retain(|table| table.tier != tier);
    Ok(())
}
