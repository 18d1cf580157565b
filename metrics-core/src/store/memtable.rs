//! The points that are not in a chunk yet, in memory: sorted segments that never change, merged as they grow.

use std::sync::Arc;

use super::registry::SeriesId;

/// One point of the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) series: SeriesId,
    pub(crate) at: i64,
    pub(crate) value: f64,
}

impl Row {
    /// The order in which points are kept: by series, time, value.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
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

    pub(crate) fn rows(self) -> impl Iterator<Item = Row> + 'a {
        self.times.iter().zip(self.values).map(move |(&at, &value)| Row { series: self.series, at, value })
    }
}

impl Segment {
    /// Sorts points into a segment.
    pub(crate) fn from_rows(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable_by(Row::order);
        let mut segment = Self::with_capacity(rows.len());
        rows.into_iter().for_each(|row| segment.push(row));
        segment
    }

    fn with_capacity(rows: usize) -> Self {
        Self { runs: Vec::new(), times: Vec::with_capacity(rows), values: Vec::with_capacity(rows) }
    }

    /// Adds a point that is not before the last.
    fn push(&mut self, row: Row) {
        if self.runs.last().is_none_or(|(series, _)| *series != row.series) {
            let start = u32::try_from(self.times.len()).expect("a memtable holds fewer than 2^32 points");
            self.runs.push((row.series, start));
        }
        self.times.push(row.at);
        self.values.push(row.value);
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    fn run(&self, index: usize) -> Run<'_> {
        let (series, start) = self.runs[index];
        let end = self.runs.get(index + 1).map_or(self.times.len(), |(_, start)| *start as usize);
        let range = start as usize..end;
        Run { series, times: &self.times[range.clone()], values: &self.values[range] }
    }

    /// The points of the series with numbers in `low..=high`, series by series.
    pub(crate) fn runs_between(&self, low: SeriesId, high: SeriesId) -> impl Iterator<Item = Run<'_>> {
        let first = self.runs.partition_point(|(series, _)| *series < low);
        (first..self.runs.len()).map(|index| self.run(index)).take_while(move |run| run.series <= high)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.runs.len()).flat_map(|index| self.run(index).rows())
    }

    /// Two segments as one.
    fn merged(a: &Self, b: &Self) -> Self {
        let mut merged = Self::with_capacity(a.len() + b.len());
        let (mut left, mut right) = (a.rows().peekable(), b.rows().peekable());
        while let (Some(x), Some(y)) = (left.peek(), right.peek()) {
            let next = if x.order(y).is_le() { left.next() } else { right.next() };
            merged.push(next.expect("both were peeked"));
        }
        left.chain(right).for_each(|row| merged.push(row));
        merged
    }
}

/// A segment is merged with the one before it unless that one is this many times larger, which keeps the
/// number of segments below `log(points)` and the merging of a point below as many times.
const GROWTH: usize = 4;

/// Segments, the largest first. A clone shares them.
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
    pub(crate) fn with_rows(&self, rows: Vec<Row>) -> Self {
        let len = self.len + rows.len();
        let mut segments = self.segments.clone();
        let mut last = Segment::from_rows(rows);
        while let Some(previous) = segments.pop_if(|previous| previous.len() < GROWTH * last.len()) {
            last = Segment::merged(&previous, &last);
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
    pub(crate) fn into_segment(self) -> Arc<Segment> {
        let mut segments = self.segments.into_iter().rev();
        let smallest = segments.next().unwrap_or_else(|| Arc::new(Segment::with_capacity(0)));
        segments.fold(smallest, |merged, segment| Arc::new(Segment::merged(&segment, &merged)))
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
            memtable = memtable.with_rows(rows);
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
        assert_eq!(memtable.into_segment().rows().collect::<Vec<_>>(), expected);
    }
}
