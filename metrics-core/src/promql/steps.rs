//! Which times a selector or a subquery looks at, seen from a step.

use super::error::PromqlError;
use super::value::Steps;

/// `offset` and `@` of a selector or a subquery, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Times {
    pub(crate) offset: i64,
    pub(crate) at: Option<i64>,
}

impl Times {
    /// The instant that is looked at from a step.
    pub(crate) fn seen_from(&self, step: i64) -> i64 {
        self.at.unwrap_or(step).saturating_sub(self.offset)
    }

    /// The first and the last instant that are looked at.
    pub(crate) fn extent(&self, steps: &Steps) -> (i64, i64) {
        (self.seen_from(steps.start), self.seen_from(steps.end()))
    }
}

/// The instants at which the inside of a subquery is evaluated: multiples of its step, so that they are the same
/// for every query, from behind the left end of the first range up to the last instant looked at.
pub(crate) fn inside(outer: &Steps, times: Times, range: i64, step: i64, limit: usize) -> Result<Steps, PromqlError> {
    let (first, last) = times.extent(outer);
    let open = first.saturating_sub(range);
    let start = (open.div_euclid(step) + 1).saturating_mul(step);
    let count = if start > last { 0 } else { (last - start).unsigned_abs() / step.unsigned_abs() + 1 };
    match usize::try_from(count) {
        Ok(count) if count <= limit => Ok(Steps { start, step, count }),
        _ => Err(PromqlError::SubquerySteps { steps: count, limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subquery_is_evaluated_at_multiples_of_its_step_inside_its_ranges() {
        let outer = Steps { start: 100, step: 50, count: 3 };
        let at = |times, range, step| inside(&outer, times, range, step, 1_000).expect("few");
        let plain = at(Times::default(), 60, 10);
        assert_eq!((plain.start, plain.end(), plain.count), (50, 200, 16), "40 lies on the open end");
        let moved = at(Times { offset: 5, at: None }, 60, 10);
        assert_eq!((moved.start, moved.end()), (40, 190));
        let fixed = at(Times { offset: 0, at: Some(7) }, 30, 10);
        assert_eq!((fixed.start, fixed.end()), (-20, 0));
        assert_eq!(at(Times { offset: 0, at: Some(7) }, 1, 10).count, 0);
        let many = inside(&outer, Times::default(), 1_000_000, 1, 1_000);
        assert!(matches!(many, Err(PromqlError::SubquerySteps { .. })));
    }
}
