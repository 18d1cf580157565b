//! Which group each series of a query belongs to.

use std::collections::BTreeMap;

use crate::model::{GroupBy, Labels};
use crate::store::{Selection, SeriesId};

/// Series outside the query.
const OUTSIDE: u32 = u32::MAX;
/// Runs of neighbouring series that are read one by one; more are read as one span.
const MAX_RUNS: usize = 8;

/// The groups of one metric's selected series.
#[derive(Debug)]
pub(crate) struct Groups {
    metric: u32,
    /// Labels of each group, ascending.
    pub(crate) labels: Vec<Labels>,
    /// Group of each series, by its place in the metric.
    of_series: Vec<u32>,
    /// Spans of series numbers that hold all selected ones.
    pub(crate) spans: Vec<(SeriesId, SeriesId)>,
}

impl Groups {
    pub(crate) fn new(selection: &Selection, group_by: &GroupBy) -> Self {
        let mut groups: BTreeMap<Labels, Vec<u32>> = BTreeMap::new();
        for (ordinal, labels) in &selection.series {
            let group = match group_by {
                GroupBy::Nothing => Labels::empty(),
                GroupBy::Labels(names) => labels.only(names),
                GroupBy::Series => labels.clone(),
            };
            groups.entry(group).or_default().push(*ordinal);
        }
        let last = selection.series.last().map_or(0, |(ordinal, _)| *ordinal as usize + 1);
        let mut of_series = vec![OUTSIDE; last];
        for (group, ordinals) in (0..).zip(groups.values()) {
            ordinals.iter().for_each(|ordinal| of_series[*ordinal as usize] = group);
        }
        let ordinals: Vec<u32> = selection.series.iter().map(|(ordinal, _)| *ordinal).collect();
        let spans = spans(selection.metric, &ordinals);
        Self { metric: selection.metric, labels: groups.into_keys().collect(), of_series, spans }
    }

    /// The group of a series, none for one that was not selected.
    pub(crate) fn of(&self, series: SeriesId) -> Option<u32> {
        debug_assert_eq!(series.metric(), self.metric);
        self.of_series.get(series.ordinal() as usize).copied().filter(|group| *group != OUTSIDE)
    }
}

fn spans(metric: u32, ordinals: &[u32]) -> Vec<(SeriesId, SeriesId)> {
    let id = |ordinal| SeriesId::new(metric, ordinal);
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &ordinal in ordinals {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == ordinal => *last = ordinal,
            _ => runs.push((ordinal, ordinal)),
        }
    }
    if runs.len() > MAX_RUNS {
        runs = vec![(runs[0].0, runs[runs.len() - 1].1)];
    }
    runs.into_iter().map(|(low, high)| (id(low), id(high))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_together_and_scattered_series_as_one_span() {
        let read = |ordinals: &[u32]| -> Vec<(u32, u32)> {
            spans(7, ordinals).into_iter().map(|(low, high)| (low.ordinal(), high.ordinal())).collect()
        };
        assert_eq!(read(&[3]), [(3, 3)]);
        assert_eq!(read(&[0, 1, 2, 9, 10]), [(0, 2), (9, 10)]);
        assert_eq!(read(&(0..20).map(|i| i * 2).collect::<Vec<_>>()), [(0, 38)]);
    }
}
