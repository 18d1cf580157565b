//! From cells to the rows of a frame: aggregates, empty windows, order, limit.

use super::axis::Axis;
use super::cells::{Cells, Quantiles};
use super::error::QueryError;
use super::groups::Groups;
use super::points::Points;
use crate::model::{
    Aggregate, Column, ColumnKind, Exactness, Fill, FrameSeries, Order, QueryRequest, Timestamp, Window,
};

/// The series of the answer, group by group.
pub(crate) fn frame_series(
    request: &QueryRequest,
    groups: &Groups,
    axis: &Axis,
    mut cells: Cells,
    points: Option<Points>,
) -> Result<Vec<FrameSeries>, QueryError> {
    let increases = increases(groups, axis, &mut cells, points)?;
    let exactness = match cells.quantiles {
        Quantiles::Sketch(_) => Exactness::Sketch,
        _ => Exactness::Exact,
    };
    if let Quantiles::Exact(values) = &mut cells.quantiles {
        values.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
    }
    let occupied = cells.occupied();
    let mut series = Vec::new();
    for of_group in occupied.chunk_by(|a, b| a.0 == b.0) {
        let (name, labels) = groups.keys[of_group[0].0 as usize].clone();
        let rows = rows(of_group, request, axis.len());
        let time = rows.iter().map(|row| Timestamp::clamped(axis.window(row.window).start)).collect();
        let columns = request.aggregates.iter().map(|&aggregate| {
            let value = |row: &Filled| {
                let cell = row.cell?;
                cell_value(&mut cells, cell, aggregate, &increases, axis.window(row.window))
            };
            let mut values: Vec<Option<f64>> = rows.iter().map(value).collect();
            fill(request.fill, request.order, &rows, &mut values, axis);
            let exactness = if aggregate.quantile().is_some() { exactness } else { Exactness::Exact };
            Column { kind: ColumnKind::Aggregate(aggregate), values, exactness }
        });
        let columns: Vec<Column> = columns.collect();
        series.push(cut(FrameSeries { name, labels, time, columns }, request.limit));
    }
    Ok(series)
}

/// A window of the answer, with its cell where it has points.
#[derive(Debug, Clone, Copy)]
struct Filled {
    window: usize,
    cell: Option<usize>,
}

/// The windows that are shown of one group, in the order asked for.
fn rows(occupied: &[(u32, u32, usize)], request: &QueryRequest, windows: usize) -> Vec<Filled> {
    let with_points = occupied.iter().map(|&(_, window, cell)| Filled { window: window as usize, cell: Some(cell) });
    let mut rows: Vec<Filled> = match request.fill {
        Fill::None => with_points.collect(),
        _ => {
            let mut rows: Vec<Filled> = (0..windows).map(|window| Filled { window, cell: None }).collect();
            with_points.for_each(|row| rows[row.window] = row);
            rows
        }
    };
    if request.order == Order::Descending {
        rows.reverse();
    }
    rows
}

/// What each cell's counters rose by, as a column beside the others; empty when it is not asked for.
fn increases(groups: &Groups, axis: &Axis, cells: &mut Cells, points: Option<Points>) -> Result<Vec<f64>, QueryError> {
    let Some(mut points) = points else { return Ok(Vec::new()) };
    let mut increases = vec![0.0; cells.counts.len()];
    points.steps(axis, groups, |group, window, step| {
        increases[cells.cell(group, window)?] += step;
        Ok(())
    })?;
    Ok(increases)
}

fn cell_value(cells: &mut Cells, cell: usize, aggregate: Aggregate, increases: &[f64], window: Window) -> Option<f64> {
    let count = cells.counts[cell] as f64;
    Some(match aggregate {
        Aggregate::Avg => cells.sums[cell] / count,
        Aggregate::Min => cells.min[cell],
        Aggregate::Max => cells.max[cell],
        Aggregate::Sum => cells.sums[cell],
        Aggregate::Count => count,
        Aggregate::First => cells.first[cell].1,
        Aggregate::Last => cells.last[cell].1,
        Aggregate::Stddev => (cells.m2[cell] / count).sqrt(),
        Aggregate::Increase => increases[cell],
        Aggregate::Rate => increases[cell] / ((window.end - window.start) as f64 / 1e6),
        Aggregate::Median | Aggregate::Quantile(_) => {
            let share = aggregate.quantile().expect("it is one").fraction();
            match &mut cells.quantiles {
                Quantiles::None => return None,
                Quantiles::Exact(values) => exact_quantile(values, cell as u32, share)?,
                Quantiles::Sketch(digests) => digests.get_mut(&(cell as u32))?.quantile(share)?,
            }
        }
    })
}

/// The quantile of one cell's values, which stand side by side and ascending.
fn exact_quantile(values: &[(u32, f64)], cell: u32, share: f64) -> Option<f64> {
    let from = values.partition_point(|(of, _)| *of < cell);
    let len = values[from..].partition_point(|(of, _)| *of == cell);
    let sorted = &values[from..from + len];
    let rank = share * len.checked_sub(1)? as f64;
    let (below, above) = (sorted[rank.floor() as usize].1, sorted[rank.ceil() as usize].1);
    let part = rank - rank.floor();
    Some(if part == 0.0 { below } else { below + (above - below) * part })
}

/// Gives windows without points what the fill says.
fn fill(fill: Fill, order: Order, rows: &[Filled], values: &mut [Option<f64>], axis: &Axis) {
    if order == Order::Descending {
        values.reverse();
    }
    match fill {
        Fill::None | Fill::Null => {}
        Fill::Zero => values.iter_mut().for_each(|value| *value = value.or(Some(0.0))),
        Fill::Previous => {
            let mut previous = None;
            for value in values.iter_mut() {
                previous = value.or(previous);
                *value = previous;
            }
        }
        Fill::Linear => {
            let start = |at: usize| {
                let row = if order == Order::Descending { rows.len() - 1 - at } else { at };
                axis.window(rows[row].window).start as f64
            };
            let known: Vec<(usize, f64)> = (0..).zip(values.iter()).filter_map(|(at, v)| Some((at, (*v)?))).collect();
            for pair in known.windows(2) {
                let ((left, a), (right, b)) = (pair[0], pair[1]);
                let span = start(right) - start(left);
                for (at, value) in (left + 1..right).zip(&mut values[left + 1..right]) {
                    let share = (start(at) - start(left)) / span;
                    *value = Some(a * (1.0 - share) + b * share);
                }
            }
        }
    }
    if order == Order::Descending {
        values.reverse();
    }
}

fn cut(mut series: FrameSeries, limit: usize) -> FrameSeries {
    series.time.truncate(limit);
    series.columns.iter_mut().for_each(|column| column.values.truncate(limit));
    series
}

/// The points themselves, series by series.
pub(crate) fn raw_series(request: &QueryRequest, groups: &Groups, mut points: Points) -> Vec<FrameSeries> {
    points.sort();
    let mut series: Vec<FrameSeries> = points
        .rows
        .chunk_by(|a, b| a.series == b.series)
        .map(|rows| {
            let group = groups.of(rows[0].series).expect("only points of selected series are read");
            let (name, labels) = groups.keys[group as usize].clone();
            let mut time: Vec<Timestamp> = rows.iter().map(|row| Timestamp::clamped(row.at)).collect();
            let mut values: Vec<Option<f64>> = rows.iter().map(|row| Some(row.value)).collect();
            if request.order == Order::Descending {
                time.reverse();
                values.reverse();
            }
            let columns = vec![Column { kind: ColumnKind::Value, values, exactness: Exactness::Exact }];
            cut(FrameSeries { name, labels, time, columns }, request.limit)
        })
        .collect();
    series.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
    series
}
