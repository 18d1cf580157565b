//! Quantiles of classic histograms: series of cumulative counts, told apart by the label `le`.

use super::budget::Budget;
use super::error::PromqlError;
use super::value::{Merged, Metric, Series, is_absent};
use crate::model::SeededMap;

/// The label with a bucket's upper bound.
const BOUND_LABEL: &str = "le";
/// Differences between counts up to this part of them come from rounding.
const ROUNDING: f64 = 1e-12;

/// A bucket: all observations up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    upper: f64,
    count: f64,
}

/// The quantile `q` of every histogram at every step. Series without a readable bound belong to none.
pub(crate) fn quantiles(
    q: &[f64],
    series: &[Series],
    steps: usize,
    budget: &Budget,
) -> Result<Vec<Series>, PromqlError> {
    let mut histograms: Vec<(Metric, Vec<(f64, usize)>)> = Vec::new();
    let mut places: SeededMap<Metric, usize> = SeededMap::default();
    for (place, series) in series.iter().enumerate() {
        let Some(upper) = bound(series.metric.get(BOUND_LABEL)) else { continue };
        let key = Metric { labels: series.metric.labels.except(&[BOUND_LABEL.to_owned()]), ..series.metric.clone() };
        let histogram = *places.entry(key).or_insert_with_key(|key| {
            histograms.push((key.clone(), Vec::new()));
            histograms.len() - 1
        });
        histograms[histogram].1.push((upper, place));
    }
    let mut merged = Merged::new(steps, budget);
    let mut buckets = Vec::new();
    for (metric, members) in histograms {
        let place = merged.place(metric.nameless())?;
        for (step, q) in q.iter().enumerate().take(steps) {
            buckets.clear();
            let counts = members.iter().map(|&(upper, place)| Bucket { upper, count: series[place].values[step] });
            buckets.extend(counts.filter(|bucket| !is_absent(bucket.count)));
            if !buckets.is_empty() {
                merged.put(place, step, quantile(*q, &mut buckets))?;
            }
        }
    }
    Ok(merged.finish())
}

fn bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Interpolated inside of the bucket in which it falls; the highest finite bound where it falls above it.
fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return f64::NAN;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        kept.count += if same { next.count } else { 0.0 };
        same
    });
    make_cumulative(buckets);
    let (last, observations) = (buckets.len() - 1, buckets[buckets.len() - 1].count);
    if last == 0 || observations == 0.0 {
        return f64::NAN;
    }
    let rank = q * observations;
    let at = buckets[..last].partition_point(|bucket| !matches!(bucket.count.partial_cmp(&rank), Some(o) if o.is_ge()));
    if at == last {
        return buckets[last - 1].upper;
    }
    if at == 0 && buckets[0].upper <= 0.0 {
        return buckets[0].upper;
    }
    let below = if at == 0 { Bucket { upper: 0.0, count: 0.0 } } else { buckets[at - 1] };
    let inside = buckets[at].count - below.count;
    below.upper + (buckets[at].upper - below.upper) * ((rank - below.count) / inside)
}

/// Counts that fall, as they do where series were not read at the same instant, are raised to the one before.
fn make_cumulative(buckets: &mut [Bucket]) {
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let difference = (bucket.count - before).abs();
        if difference != 0.0 && difference / bucket.count <= ROUNDING {
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    let mut highest = buckets[0].count;
    for bucket in &mut buckets[1..] {
        highest = highest.max(bucket.count);
        bucket.count = highest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(q: f64, buckets: &[(f64, f64)]) -> f64 {
        quantile(q, &mut buckets.iter().map(|&(upper, count)| Bucket { upper, count }).collect())
    }

    const ALL: f64 = f64::INFINITY;

    #[test]
    fn a_quantile_lies_inside_of_its_bucket() {
        let buckets = [(1.0, 10.0), (2.0, 30.0), (ALL, 40.0)];
        assert_eq!(of(0.5, &buckets), 1.5);
        assert_eq!(of(0.125, &buckets), 0.5, "the lowest bucket begins at zero");
        assert_eq!(of(0.9, &buckets), 2.0, "above the highest finite bound nothing is known");
        assert_eq!(of(0.0, &[(-1.0, 10.0), (ALL, 40.0)]), -1.0);
        assert_eq!((of(-1.0, &buckets), of(2.0, &buckets)), (f64::NEG_INFINITY, ALL));
    }

    #[test]
    fn what_is_no_histogram_has_no_quantile() {
        assert!(of(0.5, &[(1.0, 10.0), (2.0, 20.0)]).is_nan(), "no bucket for all");
        assert!(of(0.5, &[(ALL, 10.0)]).is_nan(), "no other bucket");
        assert!(of(0.5, &[(1.0, 0.0), (ALL, 0.0)]).is_nan(), "no observation");
        assert!(of(f64::NAN, &[(1.0, 1.0), (ALL, 1.0)]).is_nan());
    }

    #[test]
    fn counts_that_fall_are_raised_and_bounds_that_are_equal_added() {
        assert_eq!(of(0.5, &[(1.0, 20.0), (2.0, 10.0), (ALL, 20.0)]), 0.5);
        assert_eq!(of(0.5, &[(1.0, 5.0), (1.0, 5.0), (ALL, 10.0)]), 0.5);
    }
}
