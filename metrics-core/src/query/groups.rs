//! Which group each series of a query belongs to.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::{GroupBy, Labels, MetricName};
use crate::store::{Selection, SeriesId};

/// Series outside the query.
const OUTSIDE: u32 = u32::MAX;
/// Runs of neighbouring series that are read one by one; more are read as one span.
const MAX_RUNS: usize = 8;

/// The groups of the selected series. A group never spans metrics.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Metric and labels of each group, ascending.
    pub(crate) keys: Vec<(MetricName, Labels)>,
    /// Group of each series, by metric and place in the metric.
    of_series: FxHashMap<u32, Vec<u32>>,
    /// Spans of series numbers that hold all selected ones.
    pub(crate) spans: Vec<(SeriesId, SeriesId)>,
}

impl Groups {
    pub(crate) fn new(selections: &[(&MetricName, Selection)], group_by: &GroupBy) -> Self {
        let mut groups: BTreeMap<(MetricName, Labels), Vec<SeriesId>> = BTreeMap::new();
        let mut of_series = FxHashMap::default();
        let mut ids = Vec::new();
        for (name, selection) in selections {
            for (ordinal, labels) in &selection.series {
                let group = match group_by {
                    GroupBy::Nothing => Labels::empty(),
                    GroupBy::Labels(names) => labels.only(names),
                    GroupBy::Series => labels.clone(),
                };
                let id = SeriesId::new(selection.metric, *ordinal);
                groups.entry(((*name).clone(), group)).or_default().push(id);
                ids.push(id);
            }
            let last = selection.series.last().map_or(0, |(ordinal, _)| *ordinal as usize + 1);
            of_series.insert(selection.metric, vec![OUTSIDE; last]);
        }
        for (group, ids) in (0..).zip(groups.values()) {
            for id in ids {
                let of_metric = of_series.get_mut(&id.metric()).expect("every selected metric was entered");
                of_metric[id.ordinal() as usize] = group;
            }
        }
        ids.sort_unstable();
        Self { keys: groups.into_keys().collect(), of_series, spans: spans(&ids) }
    }

    /// The group of a series, none for one that was not selected.
    pub(crate) fn of(&self, series: SeriesId) -> Option<u32> {
        let of_metric = self.of_series.get(&series.metric())?;
        of_metric.get(series.ordinal() as usize).copied().filter(|group| *group != OUTSIDE)
    }
}

fn spans(ids: &[SeriesId]) -> Vec<(SeriesId, SeriesId)> {
    let mut runs: Vec<(SeriesId, SeriesId)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((_, last)) if last.0 + 1 == id.0 => *last = id,
            _ => runs.push((id, id)),
        }
    }
    match (runs.first(), runs.last()) {
        (Some(first), Some(last)) if runs.len() > MAX_RUNS => vec![(first.0, last.1)],
        _ => runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_together_and_scattered_series_as_one_span() {
        let read = |ordinals: &[u32]| -> Vec<(u32, u32)> {
            let ids: Vec<SeriesId> = ordinals.iter().map(|ordinal| SeriesId::new(7, *ordinal)).collect();
            spans(&ids).into_iter().map(|(low, high)| (low.ordinal(), high.ordinal())).collect()
        };
        assert_eq!(read(&[3]), [(3, 3)]);
        assert_eq!(read(&[0, 1, 2, 9, 10]), [(0, 2), (9, 10)]);
        assert_eq!(read(&(0..20).map(|i| i * 2).collect::<Vec<_>>()), [(0, 38)]);
    }
}
