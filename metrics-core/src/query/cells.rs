//! Accumulators: one cell for each group and window, a column for each thing that the aggregates need.

use rustc_hash::FxHashMap;

use super::error::QueryError;
use crate::model::Aggregate;
use crate::rollup::{Digest, Partial, earlier, spread_between};
use crate::store::{BucketBatch, BucketColumns, ChunkTable, Run, StoreError};

/// What of the points the aggregates need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) spread: bool,
    pub(crate) extremes: bool,
    pub(crate) ends: bool,
    pub(crate) quantiles: bool,
    pub(crate) steps: bool,
}

impl Needs {
    pub(crate) fn of(aggregates: &[Aggregate]) -> Self {
        let any = |wanted: &[Aggregate]| aggregates.iter().any(|aggregate| wanted.contains(aggregate));
        Self {
            spread: any(&[Aggregate::Stddev]),
            extremes: any(&[Aggregate::Min, Aggregate::Max]),
            // Where the points are gone, the ends of buckets stand for a counter's steps.
            ends: any(&[Aggregate::First, Aggregate::Last, Aggregate::Rate, Aggregate::Increase]),
            quantiles: aggregates.iter().any(|aggregate| aggregate.quantile().is_some()),
            steps: any(&[Aggregate::Rate, Aggregate::Increase]),
        }
    }
}

/// How quantiles are computed.
#[derive(Debug)]
pub(crate) enum Quantiles {
    /// None are asked for.
    None,
    /// From every value: cell and value.
    Exact(Vec<(u32, f64)>),
    /// From merged sketches.
    Sketch(FxHashMap<u32, Digest>),
}

/// Columns of a rollup table that some needs take.
pub(crate) fn bucket_columns(needs: Needs, table: &ChunkTable) -> BucketColumns {
    let Needs { spread, extremes, ends, quantiles, .. } = needs;
    BucketColumns { spread, extremes, ends, digest: quantiles && table.digest }
}

/// Cells up to which every group and window has one, used or not.
const DENSE_CELLS: usize = 1 << 22;

#[derive(Debug)]
enum Index {
    /// Cell = group * windows + window.
    Dense,
    Sparse(FxHashMap<(u32, u32), u32>),
}

/// A time and a value.
type End = (i64, f64);

/// The accumulators.
#[derive(Debug)]
pub(crate) struct Cells {
    pub(crate) needs: Needs,
    windows: usize,
    limit: usize,
    index: Index,
    pub(crate) counts: Vec<u64>,
    pub(crate) sums: Vec<f64>,
    pub(crate) m2: Vec<f64>,
    pub(crate) min: Vec<f64>,
    pub(crate) max: Vec<f64>,
    pub(crate) first: Vec<End>,
    pub(crate) last: Vec<End>,
    pub(crate) quantiles: Quantiles,
}

impl Cells {
    pub(crate) fn new(needs: Needs, groups: usize, windows: usize, limit: usize, quantiles: Quantiles) -> Self {
        let mut cells = Self {
            needs,
            windows,
            limit,
            index: Index::Sparse(FxHashMap::default()),
            counts: Vec::new(),
            sums: Vec::new(),
            m2: Vec::new(),
            min: Vec::new(),
            max: Vec::new(),
            first: Vec::new(),
            last: Vec::new(),
            quantiles,
        };
        if let Some(all) = groups.checked_mul(windows).filter(|all| *all <= DENSE_CELLS.min(limit)) {
            cells.index = Index::Dense;
            cells.grow(all);
        }
        cells
    }

    fn grow(&mut self, len: usize) {
        self.counts.resize(len, 0);
        self.sums.resize(len, 0.0);
        if self.needs.spread {
            self.m2.resize(len, 0.0);
        }
        if self.needs.extremes {
            self.min.resize(len, f64::NAN);
            self.max.resize(len, f64::NAN);
        }
        if self.needs.ends {
            self.first.resize(len, (i64::MAX, f64::INFINITY));
            self.last.resize(len, (i64::MIN, f64::NEG_INFINITY));
        }
    }

    /// The cell of a group and window.
    pub(crate) fn cell(&mut self, group: u32, window: usize) -> Result<usize, QueryError> {
        match &mut self.index {
            Index::Dense => Ok(group as usize * self.windows + window),
            Index::Sparse(index) => {
                let next = index.len();
                let window = u32::try_from(window)
                    .map_err(|_| QueryError::TooManyWindows { windows: window as u64, limit: u64::from(u32::MAX) })?;
                let cell = *index.entry((group, window)).or_insert(next as u32) as usize;
                if cell == next {
                    if next >= self.limit {
                        return Err(QueryError::TooManyCells { limit: self.limit });
                    }
                    self.grow(next + 1);
                }
                Ok(cell)
            }
        }
    }

    /// Cells with points, by group and window in order.
    pub(crate) fn occupied(&self) -> Vec<(u32, u32, usize)> {
        match &self.index {
            Index::Dense => {
                let windows = self.windows;
                let used = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
                used.map(|(cell, _)| ((cell / windows) as u32, (cell % windows) as u32, cell)).collect()
            }
            Index::Sparse(index) => {
                let mut used: Vec<_> =
                    index.iter().map(|(&(group, window), &cell)| (group, window, cell as usize)).collect();
                used.sort_unstable();
                used
            }
        }
    }

    /// Takes points of one series and window in, in order; there is at least one.
    pub(crate) fn add_points(&mut self, cell: usize, run: Run<'_>) {
        let points = Partial::of_points(run.times, run.values);
        if self.needs.spread {
            self.m2[cell] += points.m2 + spread_between(self.counts[cell], self.sums[cell], points.count, points.sum);
        }
        self.counts[cell] += points.count;
        self.sums[cell] += points.sum;
        if self.needs.extremes {
            self.add_extremes(cell, points.min, points.max);
        }
        if self.needs.ends {
            self.add_ends(cell, (points.first_at, points.first), (points.last_at, points.last));
        }
        match &mut self.quantiles {
            Quantiles::None => {}
            Quantiles::Exact(values) => values.extend(run.values.iter().map(|&value| (cell as u32, value))),
            Quantiles::Sketch(digests) => digests.entry(cell as u32).or_default().push_all(run.values),
        }
    }

    fn add_extremes(&mut self, cell: usize, min: f64, max: f64) {
        // Of NaN and a number the number is taken: an untouched cell holds NaN.
        self.min[cell] = self.min[cell].min(min);
        self.max[cell] = self.max[cell].max(max);
    }

    fn add_ends(&mut self, cell: usize, first: End, last: End) {
        if earlier(first.0, first.1, self.first[cell].0, self.first[cell].1) {
            self.first[cell] = first;
        }
        if earlier(self.last[cell].0, self.last[cell].1, last.0, last.1) {
            self.last[cell] = last;
        }
    }

    /// Takes buckets in; `cell_of` tells the cell of a series and a bucket's start, or that it is not asked for.
    pub(crate) fn add_buckets(
        &mut self,
        batch: &BucketBatch<'_>,
        mut cell_of: impl FnMut(&mut Self, u64, i64) -> Result<Option<usize>, QueryError>,
        mut each_ends: impl FnMut(u64, End, End) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        for row in 0..batch.series.len() {
            let start = batch.table.time(batch.t[row]);
            let Some(cell) = cell_of(self, batch.series[row], start)? else { continue };
            if let Some(m2) = batch.m2 {
                self.m2[cell] +=
                    m2[row] + spread_between(self.counts[cell], self.sums[cell], batch.counts[row], batch.sums[row]);
            }
            self.counts[cell] += batch.counts[row];
            self.sums[cell] += batch.sums[row];
            if let Some((min, max)) = batch.extremes {
                self.add_extremes(cell, min[row], max[row]);
            }
            if let Some(ends) = batch.ends {
                let [first, last] = ends.map(|(offsets, values)| (start + offsets[row], values[row]));
                self.add_ends(cell, first, last);
                each_ends(batch.series[row], first, last)?;
            }
            if let Quantiles::Sketch(sketches) = &mut self.quantiles {
                let sketch = sketches.entry(cell as u32).or_default();
                match batch.digests {
                    Some(column) => sketch.merge(
                        &Digest::decode(column.value(row))
                            .ok_or_else(|| StoreError::new("cannot read a quantile sketch", "it is damaged"))?,
                    ),
                    // Of points that are gone and had no sketch, the mean is what is known.
                    None => sketch.push_many(batch.sums[row] / batch.counts[row] as f64, batch.counts[row]),
                }
            }
        }
        Ok(())
    }
}
