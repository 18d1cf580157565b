//! Points of many selections from one view of the store, each series by itself and in its order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::QueryError;
use super::execute::{retrying, scans_of};
use super::groups::Groups;
use super::plan::Read;
use super::ranges::{RangeParts, Ranges};
use crate::model::{GroupBy, Labels, MetricName};
use crate::rollup::Tier;
use crate::store::{BucketColumns, Chunk, RawBatch, Registry, Scan, Selection, SeriesId, Snapshot, Store};

/// Chooses series, metric by metric.
pub(crate) type Select<'a> = Box<dyn Fn(&Registry) -> Vec<(MetricName, Selection)> + 'a>;

/// Series to be read, and the points of them: those in `[from, to)`.
pub(crate) struct SampleRequest<'a> {
    pub(crate) select: Select<'a>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The ranges of which summaries are enough.
    pub(crate) ranges: Option<Ranges>,
}

/// What was read for a request.
#[derive(Debug)]
pub(crate) enum Samples {
    Points(Vec<SeriesSamples>),
    Parts(RangeParts),
}

/// The points of a series, by time and then by value.
#[derive(Debug)]
pub(crate) struct SeriesSamples {
    pub(crate) name: MetricName,
    pub(crate) labels: Labels,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// The time that reading may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    pub(crate) deadline: Option<Instant>,
    pub(crate) limit: Duration,
}

impl TimeLimit {
    /// So much time from an instant on.
    pub(crate) fn after(begun: Instant, limit: Duration) -> Self {
        Self { deadline: begun.checked_add(limit), limit }
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        match self.deadline {
            Some(deadline) if Instant::now() > deadline => Err(QueryError::TimedOut { limit: self.limit }),
            _ => Ok(()),
        }
    }
}

/// Reads all that is asked for, in one view of the store; all together at most `Options::max_raw_rows` points.
pub(crate) fn read_samples(
    store: &Store,
    time: TimeLimit,
    requests: &[SampleRequest<'_>],
) -> Result<Vec<Samples>, QueryError> {
    retrying(store, || Reader::new(store, time).all(requests))
}

pub(super) struct Reader<'a> {
    pub(super) store: &'a Store,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) time: TimeLimit,
    rows_left: usize,
}

/// The series of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) groups: &'a Groups,
    /// Part of all points that they have.
    pub(super) share: f64,
}

impl Asked<'_> {
    /// A read of a chunk as the store makes it.
    pub(super) fn scans(&self, chunk: &Chunk, read: Read, columns: BucketColumns) -> impl Iterator<Item = Scan> {
        scans_of(chunk, read, self.groups, self.share, columns)
    }
}

/// Times and values of each group.
type Columns = Vec<(Vec<i64>, Vec<f64>)>;

impl<'a> Reader<'a> {
    /// The snapshot is taken before the registry is read: the extents of the series then cover its every point.
    fn new(store: &'a Store, time: TimeLimit) -> Self {
        Self { store, snapshot: store.snapshot(), time, rows_left: store.options.max_raw_rows }
    }

    fn all(&mut self, requests: &[SampleRequest<'_>]) -> Result<Vec<Samples>, QueryError> {
        let selected: Vec<_> = {
            let registry = self.store.registry.read();
            requests.iter().map(|request| (request.select)(&registry)).collect()
        };
        let both = requests.iter().zip(selected);
        both.map(|(request, selected)| self.one(request, selected)).collect()
    }

    fn one(
        &mut self,
        request: &SampleRequest<'_>,
        selected: Vec<(MetricName, Selection)>,
    ) -> Result<Samples, QueryError> {
        let extents = || selected.iter().filter_map(|(_, selection)| selection.extent);
        let (Some(first), Some(last)) =
            (extents().map(|(first, _)| first).min(), extents().map(|(_, last)| last).max())
        else {
            return Ok(Samples::Points(Vec::new()));
        };
        let (from, to) = (request.from.max(first), request.to.min(last + 1));
        if from >= to {
            return Ok(Samples::Points(Vec::new()));
        }
        let points: u64 = selected.iter().map(|(_, selection)| selection.points).sum();
        let share = points as f64 / self.store.registry.read().points().max(1) as f64;
        let (names, selections): (Vec<_>, Vec<_>) = selected.into_iter().unzip();
        let selections: Vec<(&MetricName, Selection)> = names.iter().zip(selections).collect();
        let groups = Groups::new(&selections, &GroupBy::Series);
        let asked = Asked { groups: &groups, share };
        if let Some(ranges) = &request.ranges
            && let Some(parts) = self.range_parts(asked, ranges)?
        {
            return Ok(Samples::Parts(parts));
        }
        let mut columns: Columns = vec![Default::default(); groups.keys.len()];
        self.chunks(asked, (from, to), &mut columns)?;
        self.each_run(&groups, (from, to), |group, run_times, run_values| {
            let (times, values) = &mut columns[group as usize];
            times.extend_from_slice(run_times);
            values.extend_from_slice(run_values);
        })?;
        let series = groups.keys.into_iter().zip(columns).filter(|(_, (times, _))| !times.is_empty());
        let series = series.map(|((name, labels), (mut times, mut values))| {
            put_in_order(&mut times, &mut values);
            SeriesSamples { name, labels, times, values }
        });
        Ok(Samples::Points(series.collect()))
    }

    /// Counts points against the limit of the query.
    pub(super) fn take(&mut self, rows: usize) -> Result<(), QueryError> {
        let limit = self.store.options.max_raw_rows;
        self.rows_left = self.rows_left.checked_sub(rows).ok_or(QueryError::TooManyRows { limit })?;
        Ok(())
    }

    fn chunks(&mut self, asked: Asked<'_>, (from, to): (i64, i64), columns: &mut Columns) -> Result<(), QueryError> {
        let snapshot = Arc::clone(&self.snapshot);
        let mut scans = Vec::new();
        for chunk in snapshot.chunks.iter().filter(|chunk| chunk.overlaps(from, to)) {
            let Some(&table) = chunk.table(Tier::Raw) else { continue };
            scans.extend(asked.scans(chunk, Read { table, from, to }, BucketColumns::default()));
        }
        let store = self.store;
        store.scan(&scans, |scan, found| {
            self.time.check()?;
            let batch = RawBatch::of(found, &scan.table)?;
            let mut start = 0;
            // The table is ordered by series: each batch is a few runs.
            while start < batch.series.len() {
                let series = batch.series[start];
                let len = batch.series[start..].iter().take_while(|next| **next == series).count();
                if let Some(group) = asked.groups.of(SeriesId(series)) {
                    self.take(len)?;
                    let (times, values) = &mut columns[group as usize];
                    times.extend(batch.t[start..start + len].iter().map(|t| scan.table.time(*t)));
                    values.extend_from_slice(&batch.values[start..start + len]);
                }
                start += len;
            }
            Ok(())
        })
    }

    /// The points in memory, as runs of times and values.
    pub(super) fn each_run(
        &mut self,
        groups: &Groups,
        (from, to): (i64, i64),
        mut each: impl FnMut(u32, &[i64], &[f64]),
    ) -> Result<(), QueryError> {
        let snapshot = Arc::clone(&self.snapshot);
        for segment in snapshot.memtables().flat_map(|memtable| memtable.segments()) {
            self.time.check()?;
            for &(low, high) in &groups.spans {
                for run in segment.runs_between(low, high) {
                    let Some(group) = groups.of(run.series) else { continue };
                    let run = run.between(from, to);
                    self.take(run.times.len())?;
                    each(group, run.times, run.values);
                }
            }
        }
        Ok(())
    }
}

/// Sorts points by time and value where they are not: chunks and segments that overlap in time.
fn put_in_order(times: &mut Vec<i64>, values: &mut Vec<f64>) {
    let order = |a: &(i64, f64), b: &(i64, f64)| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1));
    let in_order = (1..times.len()).all(|at| order(&(times[at - 1], values[at - 1]), &(times[at], values[at])).is_le());
    if in_order {
        return;
    }
    let mut points: Vec<(i64, f64)> = times.drain(..).zip(values.drain(..)).collect();
    // Sorted runs one after another, which this sort merges.
    points.sort_by(order);
    (*times, *values) = points.into_iter().unzip();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_put_in_the_order_of_time_and_value() {
        let (mut times, mut values) = (vec![3, 4, 1, 3], vec![2.0, 1.0, 5.0, 1.0]);
        put_in_order(&mut times, &mut values);
        assert_eq!((times, values), (vec![1, 3, 3, 4], vec![5.0, 1.0, 2.0, 1.0]));
    }
}
