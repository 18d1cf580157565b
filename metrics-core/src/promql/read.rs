//! What was read for a selector, as the evaluation takes it.

use super::value::Metric;
use crate::query::{RangeParts, Samples};
use crate::rollup::Partial;

/// The samples of a series in the order of their times.
#[derive(Debug)]
pub(crate) struct SeriesSamples {
    pub(crate) metric: Metric,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// Samples, or summaries of the ranges that are looked at.
#[derive(Debug)]
pub(crate) enum Read {
    Samples(Vec<SeriesSamples>),
    Parts(RangeParts),
}

impl Read {
    pub(crate) fn of(read: Samples) -> Self {
        match read {
            Samples::Parts(parts) => Self::Parts(parts),
            Samples::Points(all) => {
                let samples = all.into_iter().map(|series| SeriesSamples {
                    metric: Metric { name: Some(series.name), labels: series.labels },
                    times: series.times,
                    values: series.values,
                });
                Self::Samples(samples.collect())
            }
        }
    }

    /// The samples; none where only summaries were read, for then nobody looks at samples.
    pub(crate) fn samples(&self) -> &[SeriesSamples] {
        match self {
            Self::Samples(samples) => samples,
            Self::Parts(_) => &[],
        }
    }
}

/// Several parts of a range as one.
pub(crate) fn merged(parts: &[Option<Partial>]) -> Option<Partial> {
    let mut present = parts.iter().flatten();
    let mut whole = *present.next()?;
    present.for_each(|part| whole.merge(part));
    Some(whole)
}
