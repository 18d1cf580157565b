//! Functions of the samples in a range.

use super::over_time;
use super::slope;
use crate::rollup::Partial;

/// The samples of one series in a range that is open on the left: at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
    /// Not in the range.
    pub(crate) start: i64,
    /// In the range.
    pub(crate) end: i64,
    /// The step from which it is looked at.
    pub(crate) now: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeFunction {
    Avg,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
    Present,
    Stddev,
    Stdvar,
    Quantile,
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
    Changes,
    Resets,
}

impl RangeFunction {
    const NAMES: [(&'static str, Self); 20] = [
        ("avg_over_time", Self::Avg),
        ("min_over_time", Self::Min),
        ("max_over_time", Self::Max),
        ("sum_over_time", Self::Sum),
        ("count_over_time", Self::Count),
        ("first_over_time", Self::First),
        ("last_over_time", Self::Last),
        ("present_over_time", Self::Present),
        ("stddev_over_time", Self::Stddev),
        ("stdvar_over_time", Self::Stdvar),
        ("quantile_over_time", Self::Quantile),
        ("rate", Self::Rate),
        ("increase", Self::Increase),
        ("delta", Self::Delta),
        ("irate", Self::Irate),
        ("idelta", Self::Idelta),
        ("deriv", Self::Deriv),
        ("predict_linear", Self::PredictLinear),
        ("changes", Self::Changes),
        ("resets", Self::Resets),
    ];

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, function)| function)
    }

    /// Whether the answer's series are still those that were asked.
    pub(crate) fn keeps_name(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }

    /// Whether it looks from each sample at the next, so that there must be one for each time.
    pub(crate) fn looks_at_steps(self) -> bool {
        use RangeFunction::{Changes, Delta, Deriv, Idelta, Increase, Irate, PredictLinear, Rate, Resets};
        matches!(self, Rate | Increase | Delta | Irate | Idelta | Deriv | PredictLinear | Changes | Resets)
    }

    /// Whether the step from which it is asked changes the answer, the range being the same.
    pub(crate) fn depends_on_now(self) -> bool {
        self == Self::PredictLinear
    }

    /// The value of a range; none where there are too few samples in it.
    pub(crate) fn of_samples(self, window: &Window<'_>, parameter: f64) -> Option<f64> {
        let values = window.values;
        match self {
            Self::Avg => Some(over_time::avg(values)),
            Self::Min => Some(over_time::min(values)),
            Self::Max => Some(over_time::max(values)),
            Self::Sum => Some(over_time::sum(values)),
            Self::Count => Some(values.len() as f64),
            Self::First => values.first().copied(),
            Self::Last => values.last().copied(),
            Self::Present => Some(1.0),
            Self::Stddev => Some(over_time::variance(values).sqrt()),
            Self::Stdvar => Some(over_time::variance(values)),
            Self::Quantile => Some(over_time::quantile(parameter, values)),
            Self::Rate => slope::extrapolated(window, slope::Kind::Rate),
            Self::Increase => slope::extrapolated(window, slope::Kind::Increase),
            Self::Delta => slope::extrapolated(window, slope::Kind::Delta),
            Self::Irate => slope::last_step(window, true),
            Self::Idelta => slope::last_step(window, false),
            Self::Deriv => slope::line(window, window.times[0]).map(|line| line.slope),
            Self::PredictLinear => {
                slope::line(window, window.now).map(|line| line.slope.mul_add(parameter, line.intercept))
            }
            Self::Changes => Some(over_time::changes(values)),
            Self::Resets => Some(over_time::resets(values)),
        }
    }

    /// Whether [`Self::of_partial`] knows it.
    pub(crate) fn is_of_partial(self) -> bool {
        use RangeFunction::{Avg, Count, First, Last, Max, Min, Present, Stddev, Stdvar, Sum};
        matches!(self, Avg | Min | Max | Sum | Count | First | Last | Present | Stddev | Stdvar)
    }

    /// The value of a range of which only the summary is known.
    pub(crate) fn of_partial(self, partial: &Partial) -> Option<f64> {
        let count = partial.count as f64;
        match self {
            Self::Avg => Some(partial.sum / count),
            Self::Min => Some(partial.min),
            Self::Max => Some(partial.max),
            Self::Sum => Some(partial.sum),
            Self::Count => Some(count),
            Self::First => Some(partial.first),
            Self::Last => Some(partial.last),
            Self::Present => Some(1.0),
            Self::Stddev => Some((partial.m2 / count).sqrt()),
            Self::Stdvar => Some(partial.m2 / count),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_say_what_the_samples_say() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0];
        let times = [1, 2, 3, 4, 5];
        let window = Window { times: &times, values: &values, start: 0, end: 5, now: 5 };
        let partial = Partial::of_points(&times, &values);
        for (name, function) in RangeFunction::NAMES.into_iter().filter(|(_, function)| function.is_of_partial()) {
            let samples = function.of_samples(&window, 0.0).expect(name);
            let summary = function.of_partial(&partial).expect(name);
            assert!((samples - summary).abs() < 1e-12, "{name}: {samples} {summary}");
        }
        assert_eq!(RangeFunction::Rate.of_partial(&partial), None);
        assert_eq!(RangeFunction::of("rate"), Some(RangeFunction::Rate));
        assert_eq!(RangeFunction::of("abs"), None);
    }
}
