//! Summaries of ranges that are open on the left and closed on the right, `(end - width, end]`, from rollups where
//! these hold exactly the points of a range.
//!
//! A bucket is closed on the left. It may stand for the part of a range in which it lies unless it begins where the
//! range does and holds a point at just that instant, which belongs to what is before: its first point's time tells.
//! Of such buckets the points are read, or finer buckets where they would be too many.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::error::QueryError;
use super::groups::Groups;
use super::plan::Read;
use super::samples::{Asked, Reader};
use crate::model::{Labels, MetricName};
use crate::rollup::{Partial, Tier};
use crate::store::{BucketBatch, BucketColumns, Chunk, ChunkTable, RawBatch, Scan, SeriesId, gcd};

/// Most (series, part of a range) pairs, of some 80 bytes, that are kept; over it the points are read.
const MAX_CELLS: usize = 1 << 20;
/// Most buckets of one width whose points are read in their place: each takes a read of its own.
const MAX_BORDERS: usize = 128;
/// All columns that a summary has.
const COLUMNS: BucketColumns = BucketColumns { spread: true, extremes: true, ends: true, digest: false };

/// Ranges of one width, in microseconds, whose ends are `step` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ranges {
    pub(crate) first_end: i64,
    pub(crate) step: i64,
    pub(crate) count: usize,
    pub(crate) width: i64,
}

impl Ranges {
    fn ends(&self) -> impl Iterator<Item = i64> + use<> {
        let Self { first_end, step, count, .. } = *self;
        (0..count).map(move |at| first_end.saturating_add(step.saturating_mul(at as i64)))
    }

    /// The coarsest tier with a bucket's start at both ends of every range.
    fn tier(&self) -> Tier {
        let step = if self.count > 1 { self.step } else { 0 };
        let unit = gcd(gcd(self.first_end.unsigned_abs(), self.width.unsigned_abs()), step.unsigned_abs());
        Tier::dividing(i64::try_from(unit).unwrap_or(i64::MAX))
    }

    /// Where any of them begins or ends, ascending.
    fn borders(&self) -> Vec<i64> {
        let mut borders: Vec<i64> = self.ends().flat_map(|end| [end.saturating_sub(self.width), end]).collect();
        borders.sort_unstable();
        borders.dedup();
        borders
    }
}

/// The summaries of a series, one for each part between two borders; none where no point lies in it.
#[derive(Debug)]
pub(crate) struct SeriesParts {
    pub(crate) name: MetricName,
    pub(crate) labels: Labels,
    pub(crate) parts: Vec<Option<Partial>>,
}

/// The parts of many ranges; each range is made of some that follow one another.
#[derive(Debug)]
pub(crate) struct RangeParts {
    /// Part `n` is `(borders[n], borders[n + 1]]`.
    borders: Vec<i64>,
    pub(crate) series: Vec<SeriesParts>,
}

impl RangeParts {
    /// The numbers of the parts of a range.
    pub(crate) fn of_range(&self, start: i64, end: i64) -> std::ops::Range<usize> {
        let place = |at: i64| self.borders.partition_point(|border| *border < at);
        place(start)..place(end)
    }
}

/// What the reads of a request fill.
struct Cells<'a> {
    groups: &'a Groups,
    borders: &'a [i64],
    parts: Vec<Option<Partial>>,
}

impl Cells<'_> {
    fn add(&mut self, group: u32, inside: i64, partial: &Partial) {
        let parts = self.borders.len() - 1;
        let part = self.borders.partition_point(|border| *border < inside);
        if part == 0 || part > parts {
            return;
        }
        match &mut self.parts[group as usize * parts + part - 1] {
            Some(known) => known.merge(partial),
            none => *none = Some(*partial),
        }
    }

    fn point(&mut self, group: u32, at: i64, value: f64) {
        self.add(group, at, &Partial::of(at, value));
    }
}

/// A bucket as it was read.
struct Bucket {
    group: u32,
    start: i64,
    partial: Partial,
}

impl Reader<'_> {
    /// The parts of ranges, where rollups help with them; else none, and the points are to be read.
    pub(super) fn range_parts(&mut self, asked: Asked<'_>, ranges: &Ranges) -> Result<Option<RangeParts>, QueryError> {
        let (tier, borders, groups) = (ranges.tier(), ranges.borders(), asked.groups);
        let span = (borders[0].saturating_add(1), borders[borders.len() - 1].saturating_add(1));
        let snapshot = Arc::clone(&self.snapshot);
        let chunks: Vec<&Chunk> =
            snapshot.chunks.iter().map(|chunk| &**chunk).filter(|chunk| chunk.overlaps(span.0, span.1)).collect();
        let helps = |chunk: &&Chunk| chunk.at_most(tier).tier != Tier::Raw;
        let cells = groups.keys.len().checked_mul(borders.len() - 1).filter(|cells| *cells <= MAX_CELLS);
        let (Some(cells), true) = (cells, chunks.iter().any(helps)) else { return Ok(None) };
        let mut cells = Cells { groups, borders: &borders, parts: vec![None; cells] };
        for chunk in chunks {
            self.parts_of_chunk(chunk, tier, span, asked, &mut cells)?;
        }
        self.each_run(groups, span, |group, times, values| {
            times.iter().zip(values).for_each(|(at, value)| cells.point(group, *at, *value));
        })?;
        let parts = cells.parts;
        let keys = groups.keys.iter().zip(parts.chunks(borders.len() - 1));
        let series = keys.filter(|(_, parts)| parts.iter().any(Option::is_some)).map(|((name, labels), parts)| {
            SeriesParts { name: name.clone(), labels: labels.clone(), parts: parts.to_vec() }
        });
        let series = series.collect();
        Ok(Some(RangeParts { borders, series }))
    }

    fn parts_of_chunk(
        &mut self,
        chunk: &Chunk,
        tier: Tier,
        span: (i64, i64),
        asked: Asked<'_>,
        cells: &mut Cells<'_>,
    ) -> Result<(), QueryError> {
        let Some(&raw) = chunk.table(Tier::Raw) else {
            // Where the points are gone, a bucket counts as a whole, where it starts.
            for bucket in self.buckets(chunk, chunk.at_most(tier), span, asked)? {
                cells.add(bucket.group, bucket.start + 1, &bucket.partial);
            }
            return Ok(());
        };
        let points = |from: i64, to: i64| asked.scans(chunk, Read { table: raw, from, to }, BucketColumns::default());
        let usable = chunk.tables.iter().rev().filter(|table| table.tier != Tier::Raw && table.tier <= tier);
        for table in usable {
            let buckets = self.buckets(chunk, table, span, asked)?;
            let split = split(&buckets, cells.borders);
            let width = table.tier.width_micros();
            let reread = (split.len() as i64).saturating_mul(width);
            if split.len() > MAX_BORDERS || reread > (span.1 - span.0) / 3 {
                continue;
            }
            let is_split = |start: i64, group: u32| split.get(&start).is_some_and(|of| of.contains(&group));
            for bucket in buckets.iter().filter(|bucket| !is_split(bucket.start, bucket.group)) {
                cells.add(bucket.group, bucket.start + 1, &bucket.partial);
            }
            // Of the span's first bucket only the points behind its start are asked for.
            let inside = split.keys().flat_map(|&start| points(start.max(span.0), (start + width).min(span.1)));
            let scans: Vec<Scan> = inside.collect();
            let start_of = |scan: &Scan| scan.range.from.div_euclid(width) * width;
            self.points(&scans, cells, |scan, group| is_split(start_of(scan), group))?;
            // What lies on the last border is no bucket's, for buckets are read up to it.
            let last: Vec<Scan> = points(span.1 - 1, span.1).collect();
            return self.points(&last, cells, |_, _| true);
        }
        let all: Vec<Scan> = points(span.0, span.1).collect();
        self.points(&all, cells, |_, _| true)
    }

    fn points(
        &mut self,
        scans: &[Scan],
        cells: &mut Cells<'_>,
        wanted: impl Fn(&Scan, u32) -> bool,
    ) -> Result<(), QueryError> {
        let store = self.store;
        store.scan(scans, |scan, columns| {
            self.time.check()?;
            let batch = RawBatch::of(columns, &scan.table)?;
            for (row, series) in batch.series.iter().enumerate() {
                if let Some(group) = cells.groups.of(SeriesId(*series)).filter(|group| wanted(scan, *group)) {
                    self.take(1)?;
                    cells.point(group, scan.table.time(batch.t[row]), batch.values[row]);
                }
            }
            Ok(())
        })
    }

    /// The buckets that start in the span, or at its open left end, and before its right one.
    fn buckets(
        &mut self,
        chunk: &Chunk,
        table: &ChunkTable,
        (from, to): (i64, i64),
        asked: Asked<'_>,
    ) -> Result<Vec<Bucket>, QueryError> {
        let read = Read { table: *table, from: from - 1, to: to - 1 };
        let scans: Vec<Scan> = asked.scans(chunk, read, COLUMNS).collect();
        let mut found = Vec::new();
        let store = self.store;
        store.scan(&scans, |scan, columns| {
            self.time.check()?;
            let batch = BucketBatch::of(columns, &scan.table, scan.columns)?;
            self.take(batch.series.len())?;
            push_buckets(&batch, asked.groups, &mut found);
            Ok::<(), QueryError>(())
        })?;
        Ok(found)
    }
}

/// The buckets that begin where a range does and hold a point at just that instant: their starts, and of which groups.
fn split(buckets: &[Bucket], borders: &[i64]) -> BTreeMap<i64, HashSet<u32>> {
    let mut split: BTreeMap<i64, HashSet<u32>> = BTreeMap::new();
    for bucket in buckets.iter().filter(|bucket| bucket.partial.first_at == bucket.start) {
        if borders.binary_search(&bucket.start).is_ok() {
            split.entry(bucket.start).or_default().insert(bucket.group);
        }
    }
    split
}

fn push_buckets(batch: &BucketBatch<'_>, groups: &Groups, found: &mut Vec<Bucket>) {
    let all = batch.m2.zip(batch.extremes).zip(batch.ends);
    let ((m2, (min, max)), [(first_at, first), (last_at, last)]) = all.expect("all columns were asked for");
    for row in 0..batch.series.len() {
        let Some(group) = groups.of(SeriesId(batch.series[row])) else { continue };
        let start = batch.table.time(batch.t[row]);
        let partial = Partial {
            count: batch.counts[row],
            sum: batch.sums[row],
            m2: m2[row],
            min: min[row],
            max: max[row],
            first_at: start + first_at[row],
            first: first[row],
            last_at: start + last_at[row],
            last: last[row],
        };
        found.push(Bucket { group, start, partial });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MICROS_PER_HOUR, MICROS_PER_MINUTE};

    #[test]
    fn ranges_are_cut_where_any_of_them_begins_or_ends() {
        let ranges = Ranges { first_end: 10, step: 4, count: 3, width: 6 };
        assert_eq!(ranges.borders(), [4, 8, 10, 12, 14, 18]);
        let parts = RangeParts { borders: ranges.borders(), series: Vec::new() };
        assert_eq!((parts.of_range(4, 10), parts.of_range(12, 18)), (0..2, 3..5));
    }

    #[test]
    fn the_tier_has_a_bucket_at_every_border() {
        let of = |first_end, step, count, width| Ranges { first_end, step, count, width }.tier();
        let (h, m) = (MICROS_PER_HOUR, MICROS_PER_MINUTE);
        assert_eq!(of(240 * h, h, 5, h), Tier::Hour);
        assert_eq!(of(240 * h, 24 * h, 5, 48 * h), Tier::Day);
        assert_eq!(of(240 * h, 30 * m, 5, 2 * h), Tier::Quarter);
        assert_eq!(of(240 * h, 1, 1, h), Tier::Hour, "one range has no step");
        assert_eq!(of(240 * h + 1, h, 5, h), Tier::Raw);
    }
}
