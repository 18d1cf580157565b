//! Moving points: from a sealed memtable into chunks, and from small chunks into larger ones.
//!
//! Both write new tables first, in a transaction of their own, and then list them and unlist what they replace in
//! a second, short one. Whatever a crash leaves unlisted is dropped at the next start.

use std::collections::BTreeMap;
use std::sync::Arc;

use duckdb::Connection;

use super::chunk::{Chunk, ChunkId, table_name};
use super::chunk_writer::{ChunkWriter, Layout, MIN_REDUCTION, Rollups};
use super::connection::{Database, transaction, transaction_if_any};
use super::encoding::Encoding;
use super::error::{During, StoreError};
use super::memtable::{Row, Run, Segment};
use super::run_merge::{PointSource, merge_runs};
use crate::model::MICROS_PER_DAY;
use crate::rollup::Tier;

/// Most chunks that one memtable is cut into.
const MAX_PIECES: usize = 8;
/// Chunks of about one size that are merged into one.
const FANOUT: usize = 4;

/// Writes the points of a segment as chunks cut at aligned times: by days, or by the least power of eight days that
/// gives at most [`MAX_PIECES`], so that neither a year of rare points nor a few late ones make many tables.
pub(crate) fn write_segment(
    connection: &Connection,
    segment: &Segment,
    mut next_id: impl FnMut() -> ChunkId,
) -> Result<Vec<Chunk>, StoreError> {
    let pieces = pieces(segment);
    transaction(connection, || {
        pieces
            .iter()
            .map(|&(from, to)| {
                let runs = || segment.runs().map(|run| run.between(from, to)).filter(|run| !run.times.is_empty());
                let encoding = Encoding::of(|| runs().map(|run| run.times), || runs().map(|run| run.values));
                let points = runs().map(|run| run.times.len() as u64).sum();
                let layout = Layout::new(encoding, Rollups::ThatPay, points, |tier| {
                    Some(runs().map(|run| buckets_in(run, tier)).sum())
                });
                let mut writer = ChunkWriter::create(connection, next_id(), &layout)?;
                runs().try_for_each(|run| writer.push(run))?;
                writer.finish()
            })
            .collect()
    })
}

/// Buckets of a tier that the points of a series fall into.
fn buckets_in(run: Run<'_>, tier: Tier) -> u64 {
    spans_of(run, tier.width_micros()).count() as u64
}

/// The aligned spans of a width that the points of a series fall into, by their numbers.
fn spans_of(mut run: Run<'_>, width: i64) -> impl Iterator<Item = i64> {
    std::iter::from_fn(move || {
        let number = run.times.first()?.div_euclid(width);
        run = run.split_before((number + 1) * width).1;
        Some(number)
    })
}

fn pieces(segment: &Segment) -> Vec<(i64, i64)> {
    let mut span = MICROS_PER_DAY;
    loop {
        let mut starts = std::collections::BTreeSet::new();
        for number in segment.runs().flat_map(|run| spans_of(run, span)) {
            starts.insert(number);
            if starts.len() > MAX_PIECES {
                break;
            }
        }
        if starts.len() <= MAX_PIECES {
            return starts.into_iter().map(|start| (start * span, (start + 1) * span)).collect();
        }
        span *= 8;
    }
}

/// Chunks that should become one: [`FANOUT`] of one size class with the same tiers (two, where more would pass the
/// limit), the closest together in time. None when there are no such chunks.
pub(crate) fn pick_merge(chunks: &[Arc<Chunk>], limit_rows: u64) -> Option<Vec<Arc<Chunk>>> {
    let mut classes: BTreeMap<(u32, Vec<Tier>), Vec<&Arc<Chunk>>> = BTreeMap::new();
    for chunk in chunks {
        // Where there are points, the rollups follow from them, and differ in what pays.
        let tiers = match chunk.table(Tier::Raw) {
            Some(_) => vec![Tier::Raw],
            None => chunk.tables.iter().map(|table| table.tier).collect(),
        };
        classes.entry((size(chunk).max(1).ilog(FANOUT as u64), tiers)).or_default().push(chunk);
    }
    classes.into_iter().find_map(|((class, _), mut members)| {
        let largest = (FANOUT as u64).saturating_pow(class + 1);
        let fanout = if largest.saturating_mul(FANOUT as u64) <= limit_rows { FANOUT } else { 2 };
        members.sort_by_key(|chunk| chunk.first_at);
        let fits = |group: &&[&Arc<Chunk>]| group.iter().map(|chunk| size(chunk)).sum::<u64>() <= limit_rows;
        let span = |group: &&[&Arc<Chunk>]| {
            let last = group.iter().map(|chunk| chunk.last_at).max().unwrap_or(0);
            last.abs_diff(group[0].first_at)
        };
        let closest = members.windows(fanout).filter(fits).min_by_key(span)?;
        Some(closest.iter().map(|chunk| Arc::clone(chunk)).collect())
    })
}

/// Rows of a chunk's finest table.
fn size(chunk: &Chunk) -> u64 {
    chunk.tables.first().map_or(0, |table| table.rows)
}

/// Writes those points of several chunks that `keep` takes as one chunk, reading each in its order and merging on
/// the way; none where no point is kept.
pub(crate) fn merge(
    database: &Database,
    connection: &Connection,
    chunks: &[Arc<Chunk>],
    id: ChunkId,
    rollups: Rollups,
    keep: impl Fn(&Row) -> bool,
) -> Result<Option<Chunk>, StoreError> {
    let tables: Vec<_> = chunks.iter().filter_map(|chunk| Some((chunk.id, *chunk.table(Tier::Raw)?))).collect();
    let encodings: Vec<Encoding> = tables.iter().map(|(_, table)| table.encoding()).collect();
    let points = chunks.iter().map(|chunk| chunk.points).sum();
    let layout = Layout::new(Encoding::common(&encodings), rollups, points, |tier| rows_of(chunks, tier));
    let action = "cannot read a chunk to merge";
    let connections = tables.iter().map(|_| database.connect()).collect::<Result<Vec<_>, _>>()?;
    let mut statements = Vec::with_capacity(tables.len());
    for ((chunk, _), reader) in tables.iter().zip(&connections) {
        let sql = format!("SELECT series, t, value FROM {}", table_name(*chunk, Tier::Raw));
        statements.push(reader.prepare(&sql).during(action)?);
    }
    let mut sources = Vec::with_capacity(tables.len());
    for ((_, table), statement) in tables.iter().zip(&mut statements) {
        let batches = statement.stream_arrow([]).during(action)?;
        sources.push(PointSource::new(*table, batches.map(move |batch| batch.during(action))));
    }
    transaction_if_any(connection, || {
        let mut writer = ChunkWriter::create(connection, id, &layout)?;
        let mut kept = false;
        merge_runs(&mut sources, |run| {
            let mut rest = run;
            while let Some(first) = rest.first() {
                let wanted = keep(&first);
                let count = rest.rows().position(|row| keep(&row) != wanted).unwrap_or(rest.times.len());
                let (part, later) = rest.split_at(count);
                if wanted {
                    kept = true;
                    writer.push(part)?;
                }
                rest = later;
            }
            Ok(())
        })?;
        if kept { writer.finish().map(Some) } else { Ok(None) }
    })
}

/// Buckets that a chunk spans at least where merging it with its neighbours will not join many.
const WIDE_BUCKETS: u64 = 4;

/// Rows that a tier has in chunks together: at most these has their merged one. A chunk without the tier had more than
/// would pay. Where none has it, the merged one would have too many again, if each spans enough buckets that few are
/// joined: none then.
fn rows_of(chunks: &[Arc<Chunk>], tier: Tier) -> Option<u64> {
    let width = tier.width_micros().unsigned_abs();
    let is_wide = |chunk: &Arc<Chunk>| chunk.last_at.abs_diff(chunk.first_at) >= WIDE_BUCKETS * width;
    if chunks.iter().all(|chunk| chunk.table(tier).is_none() && is_wide(chunk)) {
        return None;
    }
    Some(chunks.iter().map(|chunk| chunk.table(tier).map_or(chunk.points / MIN_REDUCTION, |table| table.rows)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SeriesId;
    use crate::store::chunk::ChunkTable;

    fn chunk(id: ChunkId, day: i64, points: u64) -> Arc<Chunk> {
        let tables = vec![ChunkTable { tier: Tier::Raw, rows: points, base: 0, unit: 1, scale: None, digest: false }];
        Arc::new(Chunk { id, first_at: day * MICROS_PER_DAY, last_at: (day + 1) * MICROS_PER_DAY - 1, points, tables })
    }

    fn ids(picked: Option<Vec<Arc<Chunk>>>) -> Vec<ChunkId> {
        picked.map(|chunks| chunks.iter().map(|chunk| chunk.id).collect()).unwrap_or_default()
    }

    #[test]
    fn four_neighbours_of_one_size_are_merged() {
        let chunks: Vec<_> = [(1, 900), (2, 10), (3, 11), (4, 13), (5, 12), (6, 14)]
            .into_iter()
            .map(|(id, day)| chunk(id, day, 1_000))
            .collect();
        assert_eq!(ids(pick_merge(&chunks, 1 << 20)), [2, 3, 5, 4]);
        assert_eq!(ids(pick_merge(&chunks[..3], 1 << 20)), [0; 0]);
    }

    #[test]
    fn a_merge_never_passes_the_limit() {
        let chunks: Vec<_> = (0..8).map(|id| chunk(id, id as i64, 1_000)).collect();
        assert_eq!(ids(pick_merge(&chunks, 1_999)), [0; 0]);
        assert_eq!(ids(pick_merge(&chunks, 2_000)), [0, 1]);
        let mixed = [chunk(1, 1, 1_000), chunk(2, 2, 1_000_000)];
        assert_eq!(ids(pick_merge(&mixed, 1 << 30)), [0; 0]);
    }

    #[test]
    fn rare_points_over_years_make_few_pieces() {
        let rows: Vec<Row> =
            (0..5_000).map(|i| Row { series: SeriesId(1), at: i * MICROS_PER_DAY, value: 0.0 }).collect();
        let pieces = pieces(&Segment::from_rows(&rows));
        assert!(pieces.len() <= MAX_PIECES, "{pieces:?}");
        let rows: Vec<Row> =
            (0..48).map(|i| Row { series: SeriesId(1), at: i * MICROS_PER_DAY / 24, value: 0.0 }).collect();
        assert_eq!(
            super::pieces(&Segment::from_rows(&rows)),
            [(0, MICROS_PER_DAY), (MICROS_PER_DAY, 2 * MICROS_PER_DAY)]
        );
    }
}
