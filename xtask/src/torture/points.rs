//! Points that a number determines wholly, so that each that is found can be told: sent or not, once, unchanged.

use std::fmt::Write;

/// Milliseconds from 1970 to the first point of what is kept.
pub(crate) const START_MS: i64 = 1_704_067_200_000;
const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const DAY_MS: i64 = 86_400_000;
/// How far before the others the late points are.
const LATE_MS: i64 = 400 * DAY_MS;
/// Days before today over which points lie that retention is to drop.
const AGES: u64 = 6;
/// Seconds of a day in which they lie.
const STEPS_A_DAY: i64 = 79_000;
/// Points of a post come in so many at least, one of each metric: the first is always kept.
pub(crate) const STRIDE: u64 = 4;

/// Rules that go with these points.
pub(crate) const RETENTION: [&str; 4] =
    ["--retention", "thinned: raw=2d", "--retention", "retired: raw=2d, minute=2d, quarter=2d, hour=2d, day=2d"];

/// Days for which the rules keep points.
const KEPT_DAYS: i64 = 2;

/// What befalls the points of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Nothing: they stay.
    Kept,
    /// Old ones are dropped, their rollups stay.
    Thinned,
    /// Old ones are dropped with all rollups.
    Retired,
}

impl Metric {
    pub(crate) const ALL: [Self; 3] = [Self::Kept, Self::Thinned, Self::Retired];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Thinned => "thinned",
            Self::Retired => "retired",
        }
    }

    fn of(number: u64) -> Self {
        match number % STRIDE {
            0 | 1 => Self::Kept,
            2 => Self::Thinned,
            _ => Self::Retired,
        }
    }

    fn parts(self) -> u64 {
        if self == Self::Kept { 7 } else { 3 }
    }
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) metric: Metric,
    /// Its only label, `part`.
    pub(crate) part: u64,
    pub(crate) at_ms: i64,
    pub(crate) value: f64,
}

/// All points that there could be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Points {
    /// The midnight (UTC) from which ages are counted.
    today_ms: i64,
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn midnight(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS) * DAY_MS
}

/// The midnight before which points are dropped.
fn cutoff_ms() -> i64 {
    midnight(now_ms() - KEPT_DAYS * DAY_MS)
}

impl Points {
    /// Ages are counted from the day that is now.
    pub(crate) fn of_today() -> Self {
        Self { today_ms: midnight(now_ms()) }
    }

    pub(crate) fn get(&self, number: u64) -> Point {
        let metric = Metric::of(number);
        let step = (number / STRIDE) as i64;
        let at_ms = match metric {
            Metric::Kept if step % 11 == 0 => START_MS + number as i64 / 2 * SECOND_MS - LATE_MS,
            Metric::Kept => START_MS + number as i64 / 2 * SECOND_MS,
            _ => self.today_ms - step % AGES as i64 * DAY_MS + step % STEPS_A_DAY * SECOND_MS,
        };
        Point { metric, part: (number / STRIDE) % metric.parts(), at_ms, value: number as f64 + 0.25 }
    }

    /// The number of a point by its value.
    pub(crate) fn number(value: f64) -> Option<u64> {
        let number = value - 0.25;
        (number >= 0.0 && number.fract() == 0.0 && number < 1e15).then_some(number as u64)
    }

    /// Whether retention may have dropped a point by now.
    pub(crate) fn may_be_gone(&self, point: &Point) -> bool {
        point.metric != Metric::Kept && point.at_ms < cutoff_ms()
    }

    /// Whether retention may drop a window between one question and the next.
    pub(crate) fn may_go(metric: Metric, window_ms: i64) -> bool {
        metric == Metric::Retired && window_ms < cutoff_ms()
    }

    /// Spans in which points of a metric lie, for queries whose windows are few.
    pub(crate) fn spans(&self, metric: Metric) -> Vec<(i64, i64)> {
        match metric {
            Metric::Kept => {
                vec![(START_MS - LATE_MS, START_MS - LATE_MS + 30 * DAY_MS), (START_MS, START_MS + 30 * DAY_MS)]
            }
            _ => vec![(self.today_ms - (AGES as i64 + 1) * DAY_MS, self.today_ms + 2 * DAY_MS)],
        }
    }

    /// As [`Points::spans`], from the minute of the point with this number on: later numbers lie in them too.
    pub(crate) fn spans_since(&self, metric: Metric, number: u64) -> Vec<(i64, i64)> {
        let step = (number / STRIDE) as i64;
        if step == 0 || metric != Metric::Kept && step >= STEPS_A_DAY {
            return self.spans(metric);
        }
        let minute = |at_ms: i64| at_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
        if metric == Metric::Kept {
            let since = minute(number as i64 / 2 * SECOND_MS);
            return self.spans(metric).into_iter().map(|(from, to)| (from + since, to)).collect();
        }
        let days = (0..AGES as i64).map(|age| self.today_ms - age * DAY_MS);
        days.map(|day| (day + minute(step * SECOND_MS), day + DAY_MS)).collect()
    }

    /// Points as the JSON that a server takes.
    pub(crate) fn json(&self, first: u64, count: u64) -> String {
        let mut text = String::from("[");
        for number in first..first + count {
            let Point { metric, part, at_ms, value } = self.get(number);
            let comma = if number > first { "," } else { "" };
            let name = metric.name();
            write!(
                text,
                r#"{comma}{{"timestamp":{at_ms},"name":"{name}","value":{value},"labels":{{"part":"{part}"}}}}"#
            )
            .expect("a text takes all");
        }
        text + "]"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stride_begins_with_a_point_that_is_kept_and_has_all_metrics() {
        let points = Points::of_today();
        let metrics: Vec<Metric> = (8..12).map(|number| points.get(number).metric).collect();
        assert_eq!(metrics, [Metric::Kept, Metric::Kept, Metric::Thinned, Metric::Retired]);
    }

    #[test]
    fn a_value_tells_its_number_and_others_tell_none() {
        let points = Points::of_today();
        assert!((0..1_000).all(|number| Points::number(points.get(number).value) == Some(number)));
        assert_eq!([-0.75, 0.5, f64::NAN, f64::INFINITY].map(Points::number), [None; 4]);
    }

    #[test]
    fn points_lie_in_the_spans_that_are_asked_for() {
        let points = Points::of_today();
        for number in 0..2_000_000 {
            let point = points.get(number);
            let inside = points.spans(point.metric).iter().any(|(from, to)| (*from..*to).contains(&point.at_ms));
            assert!(inside, "{number}: {point:?}");
        }
    }

    #[test]
    fn points_from_a_number_on_lie_in_the_spans_since_it_and_few_others_do() {
        let points = Points::of_today();
        let inside = |number: u64, since: u64| {
            let point = points.get(number);
            let spans = points.spans_since(point.metric, since);
            spans.iter().any(|(from, to)| (*from..*to).contains(&point.at_ms))
        };
        for since in [0, 4, 1_000, 77_776, 400_000] {
            assert!((since..since + 5_000).all(|number| inside(number, since)), "{since}");
        }
        assert!((0..77_000).all(|number| !inside(number, 77_776)));
    }
}
