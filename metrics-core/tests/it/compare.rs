//! An engine's answer beside the model's: the first difference, in words.

use metrics_core::{Column, ColumnKind, Exactness, Frame, QueryRequest, Timestamp};

use crate::naive::{Cell, Group};

/// The first way in which a frame is not what was expected; nothing when it is.
pub(crate) fn difference(request: &QueryRequest, frame: &Frame, expected: &[Group]) -> Option<String> {
    header(request, frame).or_else(|| keys(frame, expected)).or_else(|| {
        frame.series.iter().zip(expected).find_map(|(series, group)| {
            let place = format!("{}{}", group.name, group.labels);
            let times: Vec<i64> = series.time.iter().map(|time| time.micros()).collect();
            if times != group.time {
                return Some(format!("{place}: times {} but expected {}", listed(&times), listed(&group.time)));
            }
            let kinds: Vec<String> = series.columns.iter().map(|column| column.kind.to_string()).collect();
            let expected_kinds: Vec<String> = group.columns.iter().map(|(kind, _)| kind.to_string()).collect();
            if kinds != expected_kinds {
                return Some(format!("{place}: columns {kinds:?} but expected {expected_kinds:?}"));
            }
            series.columns.iter().zip(&group.columns).find_map(|(column, (kind, cells))| {
                cell_difference(column, cells, &times).map(|difference| format!("{place} {kind} {difference}"))
            })
        })
    })
}

fn header(request: &QueryRequest, frame: &Frame) -> Option<String> {
    let per = request.resolution().map_or_else(|| "raw".to_owned(), |resolution| resolution.to_string());
    let found = (frame.from, frame.to, frame.per.as_str(), frame.zone, frame.explain.is_some());
    let expected = (request.from, request.to, per.as_str(), request.zone, request.explain);
    (found != expected).then(|| format!("frame {found:?} but expected {expected:?}"))
}

fn keys(frame: &Frame, expected: &[Group]) -> Option<String> {
    let found: Vec<String> = frame.series.iter().map(|series| format!("{}{}", series.name, series.labels)).collect();
    let expected: Vec<String> = expected.iter().map(|group| format!("{}{}", group.name, group.labels)).collect();
    (found != expected).then(|| format!("series {found:?} but expected {expected:?}"))
}

fn cell_difference(column: &Column, cells: &[Cell], times: &[i64]) -> Option<String> {
    if column.values.len() != cells.len() {
        return Some(format!("has {} values but expected {}", column.values.len(), cells.len()));
    }
    let sketched = column.exactness == Exactness::Sketch;
    let quantile = matches!(column.kind, ColumnKind::Aggregate(aggregate) if aggregate.quantile().is_some());
    if sketched && !quantile {
        return Some("is a sketch but expected exact".into());
    }
    column.values.iter().zip(cells).zip(times).find_map(|((&found, cell), &time)| {
        let same = match (found, cell.value) {
            (Some(found), Some(expected)) => {
                let within = |low: f64, high: f64| low - cell.tolerance <= found && found <= high + cell.tolerance;
                within(expected, expected) || sketched && cell.sketch.is_some_and(|(low, high)| within(low, high))
            }
            (found, expected) => found == expected,
        };
        let at = Timestamp::clamped(time);
        (!same).then(|| format!("at {at}: {found:?} ({}) but expected {cell:?}", column.exactness))
    })
}

fn listed(times: &[i64]) -> String {
    let shown: Vec<String> = times.iter().take(12).map(|&time| Timestamp::clamped(time).to_string()).collect();
    format!("{} of [{}]", times.len(), shown.join(", "))
}
