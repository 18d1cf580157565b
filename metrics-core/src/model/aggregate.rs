//! What a window is reduced to.

use std::fmt;
use std::str::FromStr;

/// A quantile in tenths of a percent, 0 to 1000: `p99.9` is 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(u16);

impl Quantile {
    /// The middle.
    pub const MEDIAN: Self = Self(500);

    /// From tenths of a percent, 0 to 1000.
    pub fn from_permille(permille: u16) -> Option<Self> {
        (permille <= 1000).then_some(Self(permille))
    }

    /// As a share, 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

/// A number that sums a window up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Aggregate {
    /// Mean of the values.
    Avg,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Sum of the values.
    Sum,
    /// Number of points.
    Count,
    /// Value of the earliest point; of several at that time the least.
    First,
    /// Value of the latest point; of several at that time the greatest.
    Last,
    /// Standard deviation of the population: the root of the mean squared distance from the mean.
    Stddev,
    /// The quantile 0.5, under its common name.
    Median,
    /// A quantile with linear interpolation between the two nearest points
    /// (type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996).
    Quantile(Quantile),
    /// [`Self::Increase`] per second of the window's length.
    Rate,
    /// How much a counter rose: the sum of the steps from point to point of each series, a step that falls
    /// counting as a restart from zero. A step belongs to the window of its later point.
    Increase,
}

/// A word that is no aggregate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an aggregate: use avg, min, max, sum, count, first, last, stddev, median, p0 to p100 (p99.9 too), rate or increase"
)]
pub struct AggregateError(String);

impl Aggregate {
    /// The quantile that is asked for, if it is one.
    pub fn quantile(self) -> Option<Quantile> {
        match self {
            Self::Median => Some(Quantile::MEDIAN),
            Self::Quantile(quantile) => Some(quantile),
            _ => None,
        }
    }

    /// Reads a list with commas, `avg,p95`.
    ///
    /// # Errors
    /// [`AggregateError`] names the first word that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AggregateError> {
        let mut list = Vec::new();
        for word in text.split(',') {
            let aggregate = word.trim().parse()?;
            if !list.contains(&aggregate) {
                list.push(aggregate);
            }
        }
        Ok(list)
    }
}

impl FromStr for Aggregate {
    type Err = AggregateError;

    fn from_str(word: &str) -> Result<Self, AggregateError> {
        Ok(match word {
            "avg" | "mean" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            "count" => Self::Count,
            "first" => Self::First,
            "last" => Self::Last,
            "stddev" => Self::Stddev,
            "median" => Self::Median,
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            _ => Self::Quantile(parse_percentile(word).ok_or_else(|| AggregateError(word.chars().take(32).collect()))?),
        })
    }
}

/// `p95` or `p99.9`: at most one digit after the point.
fn parse_percentile(word: &str) -> Option<Quantile> {
    let digits = word.strip_prefix('p')?;
    let (whole, tenth) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(tenth) || tenth.len() != 1 || whole.len() > 3 {
        return None;
    }
    Quantile::from_permille(whole.parse::<u16>().ok()? * 10 + tenth.parse::<u16>().ok()?)
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
            Self::Stddev => "stddev",
            Self::Median => "median",
            Self::Rate => "rate",
            Self::Increase => "increase",
            Self::Quantile(Quantile(permille)) => {
                return match permille % 10 {
                    0 => write!(f, "p{}", permille / 10),
                    tenth => write!(f, "p{}.{tenth}", permille / 10),
                };
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for word in [
            "avg", "min", "max", "sum", "count", "first", "last", "stddev", "median", "rate", "increase", "p50",
            "p99.9", "p0", "p100",
        ] {
            assert_eq!(word.parse::<Aggregate>().expect(word).to_string(), word);
        }
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "average", "p", "p101", "p100.1", "p9.99", "p.5", "p-1", "p+1", "95"] {
            assert!(word.parse::<Aggregate>().is_err(), "{word}");
        }
    }
}
