//! From request to frame.

use std::sync::Arc;
use std::time::Instant;

use super::assemble::{frame_series, raw_series};
use super::axis::{Axis, Cursor};
use super::cells::{Cells, Needs, Quantiles, bucket_columns};
use super::error::QueryError;
use super::groups::Groups;
use super::plan::{self, Read};
use super::points::Points;
use super::samples::TimeLimit;
use crate::model::{Explain, Fill, Frame, FrameSeries, GroupBy, MetricName, QueryRequest, TierUse, WindowGrid};
use crate::rollup::Tier;
use crate::store::{
    BucketBatch, BucketColumns, Chunk, Columns, RawBatch, Row, Run, Scan, ScanRange, Selection, SeriesId, Snapshot,
    Store,
};

/// Attempts at a query whose tables are replaced by a compaction while it reads them.
const ATTEMPTS: usize = 16;

/// Series read from memory between looks at the clock.
const RUNS_PER_LOOK: usize = 1_024;

/// Runs a query, again where its tables were replaced by a compaction meanwhile.
pub(super) fn retrying<T>(store: &Store, mut run: impl FnMut() -> Result<T, QueryError>) -> Result<T, QueryError> {
    let mut attempt = 1;
    loop {
        match run() {
            Err(QueryError::Store(error)) if error.is_missing_table() && attempt < ATTEMPTS => {
                attempt += 1;
                store.wait_for_publication();
            }
            result => return result,
        }
    }
}

/// Answers a query.
pub(crate) fn execute(store: &Store, request: &QueryRequest) -> Result<Frame, QueryError> {
    let begun = Instant::now();
    let time = TimeLimit::after(begun, store.options.query_timeout);
    let (series, mut explain) = retrying(store, || Execution::run(store, request, time))?;
    explain.elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(Frame {
        from: request.from,
        to: request.to,
        per: request.resolution().map_or_else(|| "raw".to_owned(), |resolution| resolution.to_string()),
        zone: request.zone,
        series,
        explain: request.explain.then_some(explain),
    })
}

/// One attempt at a query, over one snapshot.
struct Execution<'a> {
    store: &'a Store,
    snapshot: Arc<Snapshot>,
    request: &'a QueryRequest,
    time: TimeLimit,
    explain: Explain,
}

/// Everything that one metric's reads fill.
struct Sink<'a> {
    groups: &'a Groups,
    axis: &'a Axis,
    cells: Cells,
    /// Points kept for counters' steps.
    points: Option<Points>,
    cursor: Cursor<'a>,
    /// Points that may still be read.
    rows_left: usize,
    rows_limit: usize,
}

impl<'a> Execution<'a> {
    fn run(
        store: &'a Store,
        request: &'a QueryRequest,
        time: TimeLimit,
    ) -> Result<(Vec<FrameSeries>, Explain), QueryError> {
        time.check()?;
        // Taken before the registry is read: the extents of the series then cover every point of the snapshot, so that
        // a batch committed in between is seen wholly or not at all.
        let snapshot = store.snapshot();
        let selections: Vec<(&MetricName, Selection)> = {
            let registry = store.registry.read();
            let mut names: Vec<&MetricName> = request.names.iter().collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().filter_map(|name| Some((name, registry.select(name, &request.filters)?))).collect()
        };
        let mut execution = Self { store, snapshot, request, time, explain: Explain::default() };
        execution.explain.series = selections.iter().map(|(_, selection)| selection.series.len() as u64).sum();
        let series = match request.resolution() {
            None => execution.raw(&selections)?,
            Some(resolution) => execution.windows(&selections, WindowGrid::new(resolution, request.zone))?,
        };
        execution.explain.tiers.sort_by_key(|used| Tier::from_name(used.tier).map_or(0, |tier| tier.width_micros()));
        Ok((series, execution.explain))
    }

    /// The part of the time asked for in which the selected series have points.
    fn extent(&self, selections: &[(&MetricName, Selection)]) -> Option<(i64, i64)> {
        let extents = || selections.iter().filter_map(|(_, selection)| selection.extent);
        let first = extents().map(|(first, _)| first).min()?;
        let last = extents().map(|(_, last)| last).max()?;
        let (from, to) = (self.request.from.micros().max(first), self.request.to.micros().min(last + 1));
        (from < to).then_some((from, to))
    }

    fn windows(
        &mut self,
        selections: &[(&MetricName, Selection)],
        grid: WindowGrid,
    ) -> Result<Vec<FrameSeries>, QueryError> {
        let Some((from, to)) = self.extent(selections) else { return Ok(Vec::new()) };
        let limit = self.store.options.max_cells;
        let groups = Groups::new(selections, &self.request.group_by);
        let shown = match self.request.fill {
            Fill::None => (from, to),
            _ => (self.request.from.micros(), self.request.to.micros()),
        };
        let axis = Axis::new(grid, shown.0, shown.1, limit)?;
        let filled = (axis.len() as u64).saturating_mul(groups.keys.len() as u64);
        if self.request.fill != Fill::None && filled > limit as u64 {
            return Err(QueryError::TooManyWindows { windows: filled, limit: limit as u64 });
        }
        let needs = Needs::of(&self.request.aggregates);
        let share = self.share(selections);
        let quantiles = self.quantiles(needs, from, to, share);
        let coarsest = self.coarsest(&axis, needs, &quantiles);
        let mut sink = Sink {
            cells: Cells::new(needs, groups.keys.len(), axis.len(), limit, quantiles),
            groups: &groups,
            axis: &axis,
            points: needs.steps.then(|| Points::new(self.store.options.max_raw_rows)),
            cursor: axis.cursor(),
            rows_left: self.store.options.max_raw_rows,
            rows_limit: self.store.options.max_raw_rows,
        };
        self.read_memory(&groups, from, to, |run| sink.points(run))?;
        self.read_chunks(&groups, coarsest, (from, to), share, &mut sink)?;
        frame_series(self.request, sink.groups, sink.axis, sink.cells, sink.points)
    }

    /// Part of all points that the selected series have.
    fn share(&self, selections: &[(&MetricName, Selection)]) -> f64 {
        let selected: u64 = selections.iter().map(|(_, selection)| selection.points).sum();
        selected as f64 / self.store.registry.read().points().max(1) as f64
    }

    /// Exact quantiles while their points are few enough and all there, else sketches.
    fn quantiles(&self, needs: Needs, from: i64, to: i64, share: f64) -> Quantiles {
        if !needs.quantiles {
            return Quantiles::None;
        }
        let overlapping = || self.snapshot.chunks.iter().filter(|chunk| chunk.overlaps(from, to));
        let expected = |chunk: &Chunk| {
            let inside = to.min(chunk.last_at + 1) - from.max(chunk.first_at);
            chunk.points as f64 * share * inside as f64 / (chunk.last_at - chunk.first_at + 1) as f64
        };
        let points: f64 = overlapping().map(|chunk| expected(chunk)).sum();
        let all_there = overlapping().all(|chunk| chunk.table(Tier::Raw).is_some());
        if all_there && points <= self.store.options.exact_quantile_points as f64 {
            Quantiles::Exact(Vec::new())
        } else {
            Quantiles::Sketch(rustc_hash::FxHashMap::default())
        }
    }

    /// The coarsest tier that can answer what is asked for.
    fn coarsest(&self, axis: &Axis, needs: Needs, quantiles: &Quantiles) -> Tier {
        let tier = axis.coarsest_tier();
        match quantiles {
            _ if needs.steps => Tier::Raw,
            Quantiles::Exact(_) => Tier::Raw,
            _ => tier,
        }
    }

    fn raw(&mut self, selections: &[(&MetricName, Selection)]) -> Result<Vec<FrameSeries>, QueryError> {
        let Some((from, to)) = self.extent(selections) else { return Ok(Vec::new()) };
        let groups = Groups::new(selections, &GroupBy::Series);
        let mut points = Points::new(self.store.options.max_raw_rows);
        self.read_memory(&groups, from, to, |run| run.rows().try_for_each(|row| points.push(row)))?;
        let share = self.share(selections);
        let mut scans = Vec::new();
        for chunk in &self.overlapping(from, to, |_| true) {
            let Some(&table) = chunk.table(Tier::Raw) else { continue };
            let read = Read { table, from, to };
            scans.extend(scans_of(chunk, read, &groups, share, BucketColumns::default()));
        }
        self.scan(&scans, |scan, columns| {
            each_run(scan, columns, &groups, |run| run.rows().try_for_each(|row| points.push(row)))
        })?;
        Ok(raw_series(self.request, &groups, points))
    }

    fn overlapping(&self, from: i64, to: i64, also: impl Fn(&Chunk) -> bool) -> Vec<Arc<Chunk>> {
        self.snapshot.chunks.iter().filter(|chunk| chunk.overlaps(from, to) && also(chunk)).cloned().collect()
    }

    fn used(&mut self, tier: &'static str, rows: u64, chunks: u64) {
        match self.explain.tiers.iter_mut().find(|used| used.tier == tier) {
            Some(used) => {
                used.rows += rows;
                used.chunks += chunks;
            }
            None => self.explain.tiers.push(TierUse { tier, rows, chunks }),
        }
    }

    fn read_memory(
        &mut self,
        groups: &Groups,
        from: i64,
        to: i64,
        mut each: impl FnMut(Run<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let (mut rows, mut runs) = (0, 0_usize);
        let snapshot = Arc::clone(&self.snapshot);
        for segment in snapshot.memtables().flat_map(|memtable| memtable.segments()) {
            for &(low, high) in &groups.spans {
                for run in segment.runs_between(low, high).filter(|run| groups.of(run.series).is_some()) {
                    if runs.is_multiple_of(RUNS_PER_LOOK) {
                        self.time.check()?;
                    }
                    runs += 1;
                    let run = run.between(from, to);
                    rows += run.times.len() as u64;
                    each(run)?;
                }
            }
        }
        if rows > 0 {
            self.used("memory", rows, 0);
        }
        Ok(())
    }

    fn read_chunks(
        &mut self,
        groups: &Groups,
        coarsest: Tier,
        (from, to): (i64, i64),
        share: f64,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut scans = Vec::new();
        for chunk in &self.overlapping(from, to, |_| true) {
            let sketched = matches!(sink.cells.quantiles, Quantiles::Sketch(_));
            let with_digests = sketched.then(|| chunk.with_digests());
            let usable: &Chunk = with_digests.as_ref().unwrap_or(chunk);
            for read in plan::reads(usable, coarsest, from, to, share) {
                let columns = bucket_columns(sink.cells.needs, &read.table);
                scans.extend(scans_of(chunk, read, groups, share, columns));
            }
        }
        self.scan(&scans, |scan, columns| match scan.table.tier {
            Tier::Raw => each_run(scan, columns, groups, |run| sink.points(run)),
            _ => sink.buckets(scan, columns),
        })
    }

    /// Makes reads and notes what they read.
    fn scan(
        &mut self,
        scans: &[Scan],
        mut each: impl FnMut(&Scan, &Columns<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        scans.iter().for_each(|scan| self.used(scan.table.tier.name(), 0, 1));
        let store = self.store;
        let time = self.time;
        store.scan(scans, |scan, columns| {
            time.check()?;
            self.used(scan.table.tier.name(), columns.batch().num_rows() as u64, 0);
            each(scan, columns)
        })
    }
}

/// One read as the store makes it: a span of neighbouring series after another.
pub(super) fn scans_of(
    chunk: &Chunk,
    Read { table, from, to }: Read,
    groups: &Groups,
    share: f64,
    columns: BucketColumns,
) -> impl Iterator<Item = Scan> {
    let of_series = chunk.points as f64 * share / groups.spans.len().max(1) as f64;
    let duration = (chunk.last_at - chunk.first_at + 1) as f64;
    let expected = move |low: SeriesId, high: SeriesId, from: i64, to: i64| {
        let inside = (to.min(chunk.last_at + 1) as f64 - from.max(chunk.first_at) as f64).max(0.0);
        let rows = match table.tier {
            Tier::Raw => of_series * inside / duration,
            tier => (inside / tier.width_micros() as f64 + 2.0) * (high.0 - low.0 + 1) as f64,
        };
        (rows.min(table.rows as f64)).ceil() as u64
    };
    let chunk_id = chunk.id;
    groups.spans.iter().map(move |&(low, high)| Scan {
        chunk: chunk_id,
        table,
        columns,
        range: ScanRange { low, high, from, to },
        expected_rows: expected(low, high, from, to),
        expected_rows_of_all_time: expected(low, high, i64::MIN, i64::MAX),
    })
}

/// Calls back with the points of a read that belong to the query's series, those of a series together.
fn each_run(
    scan: &Scan,
    columns: &Columns<'_>,
    groups: &Groups,
    mut each: impl FnMut(Run<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let batch = RawBatch::of(columns, &scan.table)?;
    let times: Vec<i64> = batch.t.iter().map(|&t| scan.table.time(t)).collect();
    let (mut times, mut values) = (&times[..], &batch.values[..]);
    for of_series in batch.series.chunk_by(|a, b| a == b) {
        let series = SeriesId(of_series[0]);
        let (of_times, of_values);
        (of_times, times) = times.split_at(of_series.len());
        (of_values, values) = values.split_at(of_series.len());
        if groups.of(series).is_some() {
            each(Run { series, times: of_times, values: of_values })?;
        }
    }
    Ok(())
}

impl Sink<'_> {
    fn buckets(&mut self, scan: &Scan, columns: &Columns<'_>) -> Result<(), QueryError> {
        let batch = BucketBatch::of(columns, &scan.table, scan.columns)?;
        let Self { groups, cells, points, cursor, .. } = self;
        let cell_of = |cells: &mut Cells, series: u64, start: i64| {
            let Some(group) = groups.of(SeriesId(series)) else { return Ok(None) };
            cells.cell(group, cursor.find(start)).map(Some)
        };
        let each_ends = |series: u64, first: (i64, f64), last: (i64, f64)| match points {
            Some(points) if groups.of(SeriesId(series)).is_some() => [first, last]
                .into_iter()
                .try_for_each(|(at, value)| points.push(Row { series: SeriesId(series), at, value })),
            _ => Ok(()),
        };
        cells.add_buckets(&batch, cell_of, each_ends)
    }

    /// Takes points of one series in, window by window: they are in order, so that those of a window stand together.
    fn points(&mut self, run: Run<'_>) -> Result<(), QueryError> {
        let Some(left) = self.rows_left.checked_sub(run.times.len()) else {
            return Err(QueryError::TooManyRows { limit: self.rows_limit });
        };
        self.rows_left = left;
        let Some(group) = self.groups.of(run.series) else { return Ok(()) };
        let mut rest = run;
        while let Some(first) = rest.first() {
            let cell = self.cells.cell(group, self.cursor.find(first.at))?;
            let (inside, later) = rest.split_before(self.cursor.end());
            self.cells.add_points(cell, inside);
            rest = later;
        }
        match &mut self.points {
            Some(points) => run.rows().try_for_each(|row| points.push(row)),
            None => Ok(()),
        }
    }
}
