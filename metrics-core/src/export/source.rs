//! The points of some series in order: by series, then by time.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{ExportError, ExportRequest};
use crate::model::SeriesKey;
use crate::rollup::Tier;
use crate::store::{BucketColumns, RawBatch, Row, Scan, ScanRange, SeriesId, SeriesStats, Store, StoreError};

/// Points that are read together, in memory at 24 bytes each.
const READ_POINTS: u64 = 1_000_000;
/// More than were expected: points arrive while it runs, and are not spread evenly over time.
const MAX_POINTS: usize = 2 * READ_POINTS as usize;
/// Attempts at a read whose tables are replaced by a compaction meanwhile.
const ATTEMPTS: usize = 16;

/// Where an engine keeps its store until it is closed. It is held for one read at a time, so that closing does not
/// wait for an export.
pub(crate) type Stores = RwLock<Option<Arc<Store>>>;

/// A series to export.
pub(super) struct Exported {
    pub(super) id: SeriesId,
    pub(super) key: SeriesKey,
    stats: SeriesStats,
}

/// Series of neighbouring numbers and a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    low: SeriesId,
    high: SeriesId,
    from: i64,
    to: i64,
}

/// What is to be read.
pub(super) struct Source<'a> {
    stores: &'a Stores,
    series: Vec<Exported>,
    from: i64,
    to: i64,
}

impl<'a> Source<'a> {
    pub(super) fn new(stores: &'a Stores, request: &ExportRequest) -> Result<Self, ExportError> {
        let selected = {
            let store = stores.read();
            let store = store.as_ref().ok_or(ExportError::Closed)?;
            store.registry.read().selected(&request.names, &request.filters)
        };
        let series = selected.into_iter().map(|(id, key, stats)| Exported { id, key, stats }).collect();
        Ok(Self { stores, series, from: request.from.micros(), to: request.to.micros() })
    }

    /// The series, ascending by number.
    pub(super) fn series(&self) -> &[Exported] {
        &self.series
    }

    /// Hands over all points, in order.
    pub(super) fn read(&self, mut each: impl FnMut(&[Row]) -> Result<(), ExportError>) -> Result<(), ExportError> {
        let mut spans = self.spans();
        spans.reverse();
        while let Some(span) = spans.pop() {
            match self.rows(span)? {
                Some(rows) => each(&rows)?,
                None => spans.extend(halves(span).into_iter().rev()),
            }
        }
        Ok(())
    }

    /// The series put together, or cut in time, so that each span is expected to hold [`READ_POINTS`] at most.
    fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut open: Option<(Span, u64)> = None;
        for series in &self.series {
            let (from, to) =
                (self.from.max(series.stats.first_at), self.to.min(series.stats.last_at.saturating_add(1)));
            if from >= to {
                continue;
            }
            let count = series.stats.count;
            if let Some((span, points)) = &mut open
                && span.high.0 + 1 == series.id.0
                && *points + count <= READ_POINTS
            {
                (span.high, span.from, span.to) = (series.id, span.from.min(from), span.to.max(to));
                *points += count;
                continue;
            }
            spans.extend(open.take().map(|(span, _)| span));
            let span = Span { low: series.id, high: series.id, from, to };
            if count <= READ_POINTS {
                open = Some((span, count));
            } else {
                spans.extend(slices(span, count.div_ceil(READ_POINTS)));
            }
        }
        spans.extend(open.map(|(span, _)| span));
        spans
    }

    /// The points of a span, in order; none when they are more than may be read together and can be cut.
    fn rows(&self, span: Span) -> Result<Option<Vec<Row>>, ExportError> {
        let most = if halves(span).len() > 1 { MAX_POINTS } else { usize::MAX };
        let mut attempt = 1;
        loop {
            let store = self.stores.read();
            let store = store.as_ref().ok_or(ExportError::Closed)?;
            match gather(store, span, most) {
                Err(error) if error.is_missing_table() && attempt < ATTEMPTS => {
                    attempt += 1;
                    store.wait_for_publication();
                }
                result => return Ok(result?),
            }
        }
    }
}

/// A span in so many parts of equal time.
fn slices(span: Span, parts: u64) -> Vec<Span> {
    let width = ((span.to.abs_diff(span.from)) / parts).max(1);
    let mut slices = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let to = from.saturating_add_unsigned(width).min(span.to);
        slices.push(Span { from, to, ..span });
        from = to;
    }
    slices
}

/// A span in two, in order; itself where it holds one instant of one series.
fn halves(span: Span) -> Vec<Span> {
    if span.low < span.high {
        let middle = span.low.0 + (span.high.0 - span.low.0) / 2;
        return vec![Span { high: SeriesId(middle), ..span }, Span { low: SeriesId(middle + 1), ..span }];
    }
    slices(span, 2.min(span.to.abs_diff(span.from)))
}

/// Reads a span from one snapshot.
fn gather(store: &Store, span: Span, most: usize) -> Result<Option<Vec<Row>>, StoreError> {
    let snapshot = store.snapshot();
    let mut rows: Vec<Row> = Vec::new();
    for segment in snapshot.memtables().flat_map(|memtable| memtable.segments()) {
        for run in segment.runs_between(span.low, span.high) {
            rows.extend(run.between(span.from, span.to).rows());
            if rows.len() > most {
                return Ok(None);
            }
        }
    }
    let range = ScanRange { low: span.low, high: span.high, from: span.from, to: span.to };
    let chunks = snapshot.chunks.iter().filter(|chunk| chunk.overlaps(span.from, span.to));
    // As many rows as can be, so that none of them are kept in memory: they are read once.
    let scans = chunks.filter_map(|chunk| {
        let (chunk, table) = (chunk.id, *chunk.table(Tier::Raw)?);
        let columns = BucketColumns::default();
        Some(Scan { chunk, table, columns, range, expected_rows: u64::MAX, expected_rows_of_all_time: u64::MAX })
    });
    let mut too_many = false;
    let read = store.scan(&scans.collect::<Vec<_>>(), |scan, columns| {
        let batch = RawBatch::of(columns, &scan.table)?;
        rows.extend((0..batch.series.len()).map(|row| Row {
            series: SeriesId(batch.series[row]),
            at: scan.table.time(batch.t[row]),
            value: batch.values[row],
        }));
        too_many = rows.len() > most;
        if too_many { Err(StoreError::new("reading", "stopped")) } else { Ok(()) }
    });
    if too_many {
        return Ok(None);
    }
    read?;
    rows.sort_unstable_by(Row::order);
    Ok(Some(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(low: u64, high: u64, from: i64, to: i64) -> Span {
        Span { low: SeriesId(low), high: SeriesId(high), from, to }
    }

    #[test]
    fn a_span_is_halved_by_series_and_then_by_time() {
        assert_eq!(halves(span(3, 6, 0, 9)), [span(3, 4, 0, 9), span(5, 6, 0, 9)]);
        assert_eq!(halves(span(3, 4, 0, 9)), [span(3, 3, 0, 9), span(4, 4, 0, 9)]);
        let parts = halves(span(3, 3, -5, 5));
        assert_eq!((parts[0].from, parts.last().map(|part| part.to)), (-5, Some(5)));
        assert!(parts.len() > 1 && parts.windows(2).all(|pair| pair[0].to == pair[1].from), "{parts:?}");
        assert_eq!(halves(span(3, 3, 7, 8)), [span(3, 3, 7, 8)]);
    }

    #[test]
    fn slices_cover_the_whole_time_once() {
        for (from, to, parts) in [(0, 10, 3), (i64::MIN / 2, i64::MAX / 2, 7), (-3, 0, 100)] {
            let slices = slices(span(1, 1, from, to), parts);
            assert_eq!((slices[0].from, slices.last().map(|slice| slice.to)), (from, Some(to)));
            assert!(slices.windows(2).all(|pair| pair[0].to == pair[1].from));
        }
    }
}
