//! Every series, in memory: ids, names, labels, and what is asked most often of them.

use crate::model::{LabelFilter, Labels, MetricName, SeededMap, SeriesInfo, SeriesKey, Timestamp};
use crate::rollup::earlier;

/// A series' number: the metric's number in the upper half, the series' place within its metric in the lower.
/// Tables sorted by it hold the series of one metric side by side, which is how they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeriesId(pub(crate) u64);

impl SeriesId {
    pub(crate) fn new(metric: u32, ordinal: u32) -> Self {
        Self(u64::from(metric) << 32 | u64::from(ordinal))
    }

    pub(crate) fn metric(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn ordinal(self) -> u32 {
        self.0 as u32
    }
}

/// What is known of a series' points without reading them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeriesStats {
    pub(crate) count: u64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) last: f64,
}

impl SeriesStats {
    /// Takes in what is known of more points of the series.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.first_at = self.first_at.min(other.first_at);
        if earlier(self.last_at, self.last, other.last_at, other.last) {
            (self.last_at, self.last) = (other.last_at, other.last);
        }
    }
}

#[derive(Debug)]
struct SeriesEntry {
    labels: Labels,
    /// None while it has no point.
    stats: Option<SeriesStats>,
}

#[derive(Debug)]
struct MetricEntry {
    name: MetricName,
    series: Vec<SeriesEntry>,
}

/// The series of one metric that a query takes.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Number of the metric.
    pub(crate) metric: u32,
    /// Places of the series, ascending, with their labels.
    pub(crate) series: Vec<(u32, Labels)>,
    /// Earliest and latest time of their points; none without a point.
    pub(crate) extent: Option<(i64, i64)>,
    /// How many points they have.
    pub(crate) points: u64,
}

/// All series, found by key and by number.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    metrics: Vec<MetricEntry>,
    metric_ids: SeededMap<MetricName, u32>,
    series_ids: SeededMap<SeriesKey, SeriesId>,
    points: u64,
}

impl Registry {
    pub(crate) fn len(&self) -> usize {
        self.series_ids.len()
    }

    pub(crate) fn metric_count(&self) -> usize {
        self.metrics.iter().filter(|metric| metric.series.iter().any(|series| series.stats.is_some())).count()
    }

    pub(crate) fn id(&self, key: &SeriesKey) -> Option<SeriesId> {
        self.series_ids.get(key).copied()
    }

    pub(crate) fn metric_id(&self, name: &MetricName) -> Option<u32> {
        self.metric_ids.get(name).copied()
    }

    pub(crate) fn next_metric_id(&self) -> u32 {
        u32::try_from(self.metrics.len()).expect("the series limit is below 2^32")
    }

    pub(crate) fn next_ordinal(&self, metric: u32) -> u32 {
        let series = self.metrics.get(metric as usize).map_or(0, |metric| metric.series.len());
        u32::try_from(series).expect("the series limit is below 2^32")
    }

    /// Enters a series under the next number of its metric. Numbers are given in order: `id` must be the next.
    pub(crate) fn insert(&mut self, id: SeriesId, key: SeriesKey) {
        if id.metric() == self.next_metric_id() {
            self.metric_ids.insert(key.name.clone(), id.metric());
            self.metrics.push(MetricEntry { name: key.name.clone(), series: Vec::new() });
        }
        let series = &mut self.metrics[id.metric() as usize].series;
        assert_eq!(series.len(), id.ordinal() as usize, "series numbers are given in order");
        series.push(SeriesEntry { labels: key.labels.clone(), stats: None });
        self.series_ids.insert(key, id);
    }

    pub(crate) fn record(&mut self, id: SeriesId, stats: &SeriesStats) {
        self.points += stats.count;
        let entry = &mut self.metrics[id.metric() as usize].series[id.ordinal() as usize];
        match &mut entry.stats {
            Some(known) => known.merge(stats),
            none => *none = Some(*stats),
        }
    }

    /// Forgets what is known of all points, before it is counted anew.
    pub(crate) fn clear_stats(&mut self) {
        self.points = 0;
        self.metrics.iter_mut().flat_map(|metric| &mut metric.series).for_each(|series| series.stats = None);
    }

    /// The name of a metric by its number.
    pub(crate) fn metric_name(&self, metric: u32) -> Option<&MetricName> {
        self.metrics.get(metric as usize).map(|metric| &metric.name)
    }

    /// Names of the metrics that hold points, ascending.
    pub(crate) fn metric_names(&self) -> Vec<MetricName> {
        let with_points = |metric: &&MetricEntry| metric.series.iter().any(|series| series.stats.is_some());
        let mut names: Vec<_> = self.metrics.iter().filter(with_points).map(|metric| metric.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// The series of a metric that pass all filters and hold points; none of an unknown metric.
    pub(crate) fn select(&self, name: &MetricName, filters: &[LabelFilter]) -> Option<Selection> {
        let metric = self.metric_id(name)?;
        let all = &self.metrics[metric as usize].series;
        let mut selection = Selection { metric, series: Vec::new(), extent: None, points: 0 };
        for (ordinal, entry) in (0..).zip(all) {
            let Some(stats) = &entry.stats else { continue };
            if !filters.iter().all(|filter| filter.accepts(&entry.labels)) {
                continue;
            }
            let (first, last) = selection.extent.unwrap_or((stats.first_at, stats.last_at));
            selection.extent = Some((first.min(stats.first_at), last.max(stats.last_at)));
            selection.points += stats.count;
            selection.series.push((ordinal, entry.labels.clone()));
        }
        Some(selection)
    }

    /// Every series that holds points and passes, ordered by name and labels.
    pub(crate) fn infos(&self, name: Option<&str>, filters: &[LabelFilter]) -> Vec<SeriesInfo> {
        let metrics = self.metrics.iter().filter(|metric| name.is_none_or(|name| metric.name.as_str() == name));
        let mut infos: Vec<SeriesInfo> = metrics
            .flat_map(|metric| metric.series.iter().map(move |series| (metric, series)))
            .filter(|(_, series)| filters.iter().all(|filter| filter.accepts(&series.labels)))
            .filter_map(|(metric, series)| {
                let stats = series.stats?;
                Some(SeriesInfo {
                    key: SeriesKey::new(metric.name.clone(), series.labels.clone()),
                    first: Timestamp::clamped(stats.first_at),
                    last: Timestamp::clamped(stats.last_at),
                    last_value: stats.last,
                    count: stats.count,
                })
            })
            .collect();
        infos.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        infos
    }

    /// Every series of some metrics (of all where none is named) that holds points and passes, ascending by number.
    pub(crate) fn selected(
        &self,
        names: &[MetricName],
        filters: &[LabelFilter],
    ) -> Vec<(SeriesId, SeriesKey, SeriesStats)> {
        let metrics = (0..).zip(&self.metrics).filter(|(_, metric)| names.is_empty() || names.contains(&metric.name));
        metrics
            .flat_map(|(number, metric)| {
                (0..).zip(&metric.series).map(move |(ordinal, series)| (SeriesId::new(number, ordinal), metric, series))
            })
            .filter(|(.., series)| filters.iter().all(|filter| filter.accepts(&series.labels)))
            .filter_map(|(id, metric, series)| {
                Some((id, SeriesKey::new(metric.name.clone(), series.labels.clone()), series.stats?))
            })
            .collect()
    }

    fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let series = self.metrics.iter().flat_map(|metric| &metric.series);
        series.filter(|series| series.stats.is_some()).flat_map(|series| series.labels.iter())
    }

    /// Names of all labels, ascending.
    pub(crate) fn label_names(&self) -> Vec<String> {
        sorted(self.labels().map(|(name, _)| name))
    }

    /// Values of a label, ascending.
    pub(crate) fn label_values(&self, label: &str) -> Vec<String> {
        sorted(self.labels().filter(|(name, _)| *name == label).map(|(_, value)| value))
    }

    /// Points of all series.
    pub(crate) fn points(&self) -> u64 {
        self.points
    }
}

fn sorted<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let unique: std::collections::BTreeSet<&str> = words.collect();
    unique.into_iter().map(str::to_owned).collect()
}
