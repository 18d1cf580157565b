//! Points of several chunks as one sequence in order, run by run.
//!
//! Chunks that follow each other in time give long runs, which are passed on whole: looking for the least of the next
//! points took longer than all that is done with them.

use arrow::array::RecordBatch;

use super::chunk::ChunkTable;
use super::error::StoreError;
use super::head::Columns;
use super::memtable::{Row, Run};
use super::registry::SeriesId;

/// The points of one chunk in their order, a batch at a time.
pub(super) struct PointSource<I> {
    batches: I,
    table: ChunkTable,
    series: Vec<u64>,
    times: Vec<i64>,
    values: Vec<f64>,
    /// How many of the batch at hand were passed on.
    passed: usize,
}

impl<I: Iterator<Item = Result<RecordBatch, StoreError>>> PointSource<I> {
    /// Of batches with the columns series, t and value.
    pub(super) fn new(table: ChunkTable, batches: I) -> Self {
        Self { batches, table, series: Vec::new(), times: Vec::new(), values: Vec::new(), passed: 0 }
    }

    /// Reads on where all at hand were passed on.
    fn fill(&mut self) -> Result<(), StoreError> {
        while self.passed == self.series.len() {
            let Some(batch) = self.batches.next() else { return Ok(()) };
            let batch = batch?;
            let columns = Columns::of(&batch);
            self.passed = 0;
            self.series.clear();
            self.series.extend_from_slice(columns.u64s(0)?);
            self.times.clear();
            self.times.extend(columns.i64s(1)?.iter().map(|&t| self.table.time(t)));
            self.values.clear();
            self.values.extend_from_slice(&columns.values(2, &self.table)?);
        }
        Ok(())
    }

    fn first(&self) -> Option<Row> {
        let at = self.passed;
        let series = SeriesId(*self.series.get(at)?);
        Some(Row { series, at: self.times[at], value: self.values[at] })
    }

    /// The points at hand of the next series.
    fn run(&self) -> Option<Run<'_>> {
        let rest = &self.series[self.passed..];
        let series = *rest.first()?;
        let range = self.passed..self.passed + rest.partition_point(|other| *other == series);
        Some(Run { series: SeriesId(series), times: &self.times[range.clone()], values: &self.values[range] })
    }
}

/// Calls back with all points in order. There are few sources: looking at each beats a heap.
pub(super) fn merge_runs<I: Iterator<Item = Result<RecordBatch, StoreError>>>(
    sources: &mut [PointSource<I>],
    mut each: impl FnMut(Run<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    loop {
        sources.iter_mut().try_for_each(PointSource::fill)?;
        let mut heads: Vec<(usize, Row)> =
            sources.iter().enumerate().filter_map(|(index, source)| Some((index, source.first()?))).collect();
        heads.sort_by(|(_, a), (_, b)| a.order(b));
        let Some(&(least, _)) = heads.first() else { return Ok(()) };
        let Some(run) = sources[least].run() else { return Ok(()) };
        // As much of it as comes before the next of any other.
        let before = match heads.get(1) {
            Some((_, next)) if next.series == run.series => run.split_after(next).0,
            _ => run,
        };
        each(before)?;
        let count = before.times.len();
        sources[least].passed += count;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, UInt64Array};

    use super::*;
    use crate::rollup::Tier;
    use crate::store::head::record_batch;

    /// Series, time and value.
    type Row = (u64, i64, f64);

    fn batch(rows: &[Row]) -> Result<RecordBatch, StoreError> {
        Ok(record_batch(vec![
            ("series", Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0)))),
            ("t", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))),
            ("value", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)))),
        ]))
    }

    /// The runs of several tables, each a list of batches; and all rows.
    fn merged(tables: &[&[&[Row]]]) -> (usize, Vec<Row>) {
        let table = ChunkTable { tier: Tier::Raw, rows: 0, base: 0, unit: 1, scale: None, digest: false };
        let mut sources: Vec<_> =
            tables.iter().map(|batches| PointSource::new(table, batches.iter().map(|rows| batch(rows)))).collect();
        let (mut runs, mut rows) = (0, Vec::new());
        merge_runs(&mut sources, |run| {
            runs += 1;
            rows.extend(run.rows().map(|row| (row.series.0, row.at, row.value)));
            Ok(())
        })
        .expect("merges");
        (runs, rows)
    }

    #[test]
    fn chunks_that_follow_each_other_give_whole_runs() {
        let (runs, rows) = merged(&[
            &[&[(1, 5, 0.0), (1, 6, 0.0), (2, 5, 0.0)], &[(2, 6, 0.0)]],
            &[&[(1, 1, 0.0), (1, 2, 0.0), (2, 1, 0.0), (3, 9, 0.0)]],
        ]);
        assert_eq!(runs, 6);
        assert!(rows.is_sorted_by(|a, b| (a.0, a.1) <= (b.0, b.1)), "{rows:?}");
        assert_eq!(rows.len(), 8);
    }

    #[test]
    fn points_that_interleave_and_points_at_one_time_come_in_order() {
        let (_, rows) = merged(&[
            &[&[(1, 1, 2.0), (1, 3, 0.0)], &[], &[(1, 3, 5.0), (1, 8, 0.0)]],
            &[&[(1, 1, 1.0), (1, 2, 0.0), (1, 3, 4.0), (1, 9, 0.0)]],
            &[],
        ]);
        let expected = [(1, 1.0), (1, 2.0), (2, 0.0), (3, 0.0), (3, 4.0), (3, 5.0), (8, 0.0), (9, 0.0)];
        assert_eq!(rows, expected.map(|(at, value)| (1, at, value)));
    }
}
