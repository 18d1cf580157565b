//! The points that are not in a chunk yet, in memory: sorted segments that never change, merged as they grow.

use std::cmp::Ordering;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::registry::{SeriesId, SeriesStats};

/// One point of the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) series: SeriesId,
    pub(crate) at: i64,
    pub(crate) value: f64,
}

impl Row {
    /// The order in which points are kept: by series, time, value.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        (self.series, self.at).cmp(&(other.series, other.at)).then_with(|| self.value.total_cmp(&other.value))
    }
}

/// Points in order; never changed once made, so that readers share it with the writer.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Each series with the place of its first point.
    runs: Vec<(SeriesId, u32)>,
    times: Vec<i64>,
    values: Vec<f64>,
}

/// The points of one series in a segment, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) series: SeriesId,
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
}

impl<'a> Run<'a> {
    /// Only the points in `[from, to)`.
    pub(crate) fn between(self, from: i64, to: i64) -> Self {
        let low = self.times.partition_point(|&at| at < from);
        let high = low + self.times[low..].partition_point(|&at| at < to);
        Self { series: self.series, times: &self.times[low..high], values: &self.values[low..high] }
    }

    /// The first point, if there is one.
    pub(crate) fn first(&self) -> Option<Row> {
        Some(Row { series: self.series, at: *self.times.first()?, value: *self.values.first()? })
    }

    /// The last point, if there is one.
    pub(crate) fn last(&self) -> Option<Row> {
        Some(Row { series: self.series, at: *self.times.last()?, value: *self.values.last()? })
    }

    /// What is known of the series from these points alone; none of none.
    pub(crate) fn stats(&self) -> Option<SeriesStats> {
        let (first, last) = (self.first()?, self.last()?);
        Some(SeriesStats { count: self.times.len() as u64, first_at: first.at, last_at: last.at, last: last.value })
    }

    /// The points that are not after one of the same series, and those that are.
    pub(crate) fn split_after(&self, pivot: &Row) -> (Self, Self) {
        let row = |i: usize| Row { series: self.series, at: self.times[i], value: self.values[i] };
        self.split_where(|i| row(i).order(pivot).is_le())
    }

    /// The points before an instant, and those from it on.
    pub(crate) fn split_before(&self, end: i64) -> (Self, Self) {
        self.split_where(|i| self.times[i] < end)
    }

    /// The first points, which are `before` something by their place, and those behind. The search goes in growing steps:
    /// they are often few, or all.
    fn split_where(&self, before: impl Fn(usize) -> bool) -> (Self, Self) {
        let len = self.times.len();
        if len > 0 && before(len - 1) {
            return self.split_at(len);
        }
        let mut step = 1;
        while step < len && before(step) {
            step *= 2;
        }
        // Up to half of the last step all are; at the step, or behind the end, none.
        let (mut low, mut high) = (step / 2, step.min(len));
        while low < high {
            let middle = low.midpoint(high);
            if before(middle) { low = middle + 1 } else { high = middle }
        }
        self.split_at(low)
    }

    /// The first so many points, and the rest.
    pub(crate) fn split_at(&self, count: usize) -> (Self, Self) {
        let (times, later) = self.times.split_at(count);
        let (values, of_later) = self.values.split_at(count);
        (Self { series: self.series, times, values }, Self { series: self.series, times: later, values: of_later })
    }

    pub(crate) fn rows(self) -> impl Iterator<Item = Row> + 'a {
        self.times.iter().zip(self.values).map(move |(&at, &value)| Row { series: self.series, at, value })
    }
}

impl Segment {
    /// Sorts points into a segment: counts them by series first, so that each goes to its place at once. A commit has
    /// many points of few series, and those of one series are in order already as a rule: comparing is the exception.
    pub(crate) fn from_rows(rows: &[Row]) -> Self {
        let mut slots: FxHashMap<SeriesId, u32> = FxHashMap::default();
        let mut found: Vec<(SeriesId, u32)> = Vec::new();
        let mut slot_of = Vec::with_capacity(rows.len());
        for row in rows {
            let next = u32::try_from(found.len()).expect("a memtable holds fewer than 2^32 points");
            let slot = *slots.entry(row.series).or_insert(next);
            if slot == next {
                found.push((row.series, 0));
            }
            found[slot as usize].1 += 1;
            slot_of.push(slot);
        }
        let mut order: Vec<u32> = (0..).take(found.len()).collect();
        order.sort_unstable_by_key(|&slot| found[slot as usize].0);
        let mut segment =
            Self { runs: Vec::with_capacity(found.len()), times: vec![0; rows.len()], values: vec![0.0; rows.len()] };
        let mut start = 0;
        for slot in order {
            let (series, count) = found[slot as usize];
            segment.runs.push((series, start));
            // From here on where the next point of the series goes.
            found[slot as usize].1 = start;
            start += count;
        }
        for (row, slot) in rows.iter().zip(slot_of) {
            let place = &mut found[slot as usize].1;
            (segment.times[*place as usize], segment.values[*place as usize]) = (row.at, row.value);
            *place += 1;
        }
        segment.sort_runs();
        segment
    }

    /// Brings the points of each series into order.
    fn sort_runs(&mut self) {
        for index in 0..self.runs.len() {
            let range = self.range(index);
            let (times, values) = (&mut self.times[range.clone()], &mut self.values[range]);
            if is_in_order(times, values) {
                continue;
            }
            let mut points: Vec<(i64, f64)> = times.iter().copied().zip(values.iter().copied()).collect();
            points.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
            for ((at, value), point) in times.iter_mut().zip(values).zip(points) {
                (*at, *value) = point;
            }
        }
    }

    fn with_capacity(rows: usize) -> Self {
        Self { runs: Vec::new(), times: Vec::with_capacity(rows), values: Vec::with_capacity(rows) }
    }

    /// Adds points of one series that are not before the last.
    fn push_run(&mut self, run: Run<'_>) {
        if run.times.is_empty() {
            return;
        }
        if self.runs.last().is_none_or(|(series, _)| *series != run.series) {
            let start = u32::try_from(self.times.len()).expect("a memtable holds fewer than 2^32 points");
            self.runs.push((run.series, start));
        }
        self.times.extend_from_slice(run.times);
        self.values.extend_from_slice(run.values);
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let end = self.runs.get(index + 1).map_or(self.times.len(), |(_, start)| *start as usize);
        self.runs[index].1 as usize..end
    }

    fn run(&self, index: usize) -> Run<'_> {
        let range = self.range(index);
        Run { series: self.runs[index].0, times: &self.times[range.clone()], values: &self.values[range] }
    }

    /// What is known of each series from the points here.
    pub(crate) fn stats(&self) -> impl Iterator<Item = (SeriesId, SeriesStats)> {
        self.runs().filter_map(|run| Some((run.series, run.stats()?)))
    }

    /// All points, series by series.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        (0..self.runs.len()).map(|index| self.run(index))
    }

    /// The points of the series with numbers in `low..=high`, series by series.
    pub(crate) fn runs_between(&self, low: SeriesId, high: SeriesId) -> impl Iterator<Item = Run<'_>> {
        let first = self.runs.partition_point(|(series, _)| *series < low);
        (first..self.runs.len()).map(|index| self.run(index)).take_while(move |run| run.series <= high)
    }

    /// Several segments as one. They are few: looking at the next series of each beats a heap.
    fn merged(parts: &[&Self]) -> Self {
        let mut merged = Self::with_capacity(parts.iter().map(|part| part.len()).sum());
        merged.runs.reserve(parts.iter().map(|part| part.runs.len()).max().unwrap_or(0));
        let mut passed = vec![0; parts.len()];
        let mut runs = Vec::with_capacity(parts.len());
        loop {
            let next = parts.iter().zip(&passed).filter_map(|(part, &passed)| part.runs.get(passed));
            let Some(series) = next.map(|(series, _)| *series).min() else { break };
            for (part, passed) in parts.iter().zip(&mut passed) {
                if part.runs.get(*passed).is_some_and(|(next, _)| *next == series) {
                    runs.push(part.run(*passed));
                    *passed += 1;
                }
            }
            merged.push_all(&mut runs);
        }
        // With many series they take as much as the points.
        merged.runs.shrink_to_fit();
        merged
    }

    /// Adds the points of one series from several runs, none of them empty: as much of the one that is first as is not after the next of the
    /// others, in turns. Of points that came in order that is a copy of each run as a whole.
    fn push_all(&mut self, runs: &mut Vec<Run<'_>>) {
        while runs.len() > 1 {
            // The run whose first point is the first of all goes to the end.
            let order =
                |a: &Run<'_>, b: &Run<'_>| a.first().zip(b.first()).map_or(Ordering::Equal, |(a, b)| a.order(&b));
            runs.sort_unstable_by(|a, b| order(b, a));
            let [.., second, first] = runs.as_mut_slice() else { break };
            let Some(next) = second.first() else { break };
            let (before, rest) = first.split_after(&next);
            self.push_run(before);
            *first = rest;
            runs.pop_if(|first| first.times.is_empty());
        }
        runs.drain(..).for_each(|run| self.push_run(run));
    }
}

/// Whether points of one series stand in the order of [`Row::order`].
pub(super) fn is_in_order(times: &[i64], values: &[f64]) -> bool {
    let is_after = |i: usize| match times[i].cmp(&times[i + 1]) {
        Ordering::Less => true,
        Ordering::Equal => values[i].total_cmp(&values[i + 1]).is_le(),
        Ordering::Greater => false,
    };
    (0..times.len().saturating_sub(1)).all(is_after)
}

/// A segment is merged with the one before it unless that one is this many times larger, which keeps the number of
/// segments, up to [`MAX_MERGED`] points, below `log(points)` and the merging of a point below as many times.
const GROWTH: usize = 4;
/// Nor are segments merged into one of more points: for a while there would be twice their memory. Of two neighbours the
/// points are then more than this.
const MAX_MERGED: usize = 1 << 19;

/// Segments, in the order in which they came. A clone shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memtable {
    segments: Vec<Arc<Segment>>,
    len: usize,
}

impl Memtable {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// This memtable with more points.
    pub(crate) fn with_segment(&self, mut last: Segment) -> Self {
        let len = self.len + last.len();
        let mut segments = self.segments.clone();
        while let Some(previous) = segments
            .pop_if(|previous| previous.len() < GROWTH * last.len() && previous.len() + last.len() <= MAX_MERGED)
        {
            last = Segment::merged(&[&previous, &last]);
        }
        if last.len() > 0 {
            segments.push(Arc::new(last));
        }
        Self { segments, len }
    }

    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// All points in one segment.
    pub(crate) fn to_segment(&self) -> Arc<Segment> {
        match &self.segments[..] {
            [only] => Arc::clone(only),
            segments => Arc::new(Segment::merged(&segments.iter().map(|segment| &**segment).collect::<Vec<_>>())),
        }
    }
}

impl From<Arc<Segment>> for Memtable {
    fn from(segment: Arc<Segment>) -> Self {
        Self { len: segment.len(), segments: vec![segment] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(series: u64, at: i64, value: f64) -> Row {
        Row { series: SeriesId(series), at, value }
    }

    #[test]
    fn points_stay_in_order_however_they_arrive() {
        let mut memtable = Memtable::default();
        let mut expected = Vec::new();
        for i in 0..500_i64 {
            let rows: Vec<Row> = (0..=i % 5).map(|k| row((i * 7 + k) as u64 % 11, (i * 31) % 97, k as f64)).collect();
            expected.extend(rows.clone());
            memtable = memtable.with_segment(Segment::from_rows(&rows));
        }
        expected.sort_unstable_by(Row::order);
        assert!(memtable.segments().len() <= 6, "{}", memtable.segments().len());
        assert_eq!(memtable.len(), expected.len());
        let between = |low, high| -> Vec<Row> {
            let mut rows: Vec<Row> = memtable
                .segments()
                .iter()
                .flat_map(|s| s.runs_between(SeriesId(low), SeriesId(high)).flat_map(|run| run.between(10, 50).rows()))
                .collect();
            rows.sort_unstable_by(Row::order);
            rows
        };
        let wanted: Vec<Row> =
            expected.iter().copied().filter(|r| (3..=5).contains(&r.series.0) && (10..50).contains(&r.at)).collect();
        assert!(!wanted.is_empty());
        assert_eq!(between(3, 5), wanted);
        assert_eq!(memtable.to_segment().runs().flat_map(Run::rows).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn large_segments_are_left_apart() {
        let rows: Vec<Row> = (0..300_000).map(|at| row(1, at, 0.5)).collect();
        let memtable = (0..3).fold(Memtable::default(), |memtable, _| memtable.with_segment(Segment::from_rows(&rows)));
        let lens: Vec<usize> = memtable.segments().iter().map(|segment| segment.len()).collect();
        assert_eq!(lens, [300_000; 3]);
        let merged = Memtable::from(memtable.to_segment());
        assert_eq!((merged.segments().len(), merged.len()), (1, 900_000));
        assert!(merged.segments()[0].runs().all(|run| run.times.is_sorted()));
    }
}
