//! A bounded set of spans of time that holds every instant put into it, and perhaps some between.

/// Most spans of a set; beyond it the two that lie closest become one.
const MAX_SPANS: usize = 16;
/// Spans so close to each other are one, in microseconds: live points of one metric then are.
const NEAR_MICROS: i64 = 1_000_000;

/// Half-open spans in ascending order, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// Puts one instant in.
    pub(crate) fn add_instant(&mut self, at: i64) {
        // Points come in order more often than not.
        if let Some(last) = self.0.last_mut()
            && (last.0..=last.1.saturating_add(NEAR_MICROS)).contains(&at)
        {
            last.1 = last.1.max(at.saturating_add(1));
            return;
        }
        self.add(at, at.saturating_add(1));
    }

    /// Puts `[from, to)` in.
    pub(crate) fn add(&mut self, mut from: i64, mut to: i64) {
        let start = self.0.partition_point(|span| span.1.saturating_add(NEAR_MICROS) < from);
        let end = start + self.0[start..].partition_point(|span| span.0 <= to.saturating_add(NEAR_MICROS));
        for span in &self.0[start..end] {
            (from, to) = (from.min(span.0), to.max(span.1));
        }
        self.0.splice(start..end, [(from, to)]);
        if self.0.len() > MAX_SPANS {
            let gap = |at: &usize| self.0[at + 1].0 - self.0[*at].1;
            let closest = (0..self.0.len() - 1).min_by_key(gap).expect("there is more than one span");
            let next = self.0.remove(closest + 1);
            self.0[closest].1 = next.1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn near_instants_are_one_span_and_far_ones_are_not() {
        let mut spans = Spans::default();
        for at in [0, 400_000, 900_000, 50_000_000, 49_500_000, -10_000_000] {
            spans.add_instant(at);
        }
        let expected = [(-10_000_000, -9_999_999), (0, 900_001), (49_500_000, 50_000_001)];
        assert_eq!(spans.iter().collect::<Vec<_>>(), expected);
        spans.add(-1, 60_000_000);
        assert_eq!(spans.iter().collect::<Vec<_>>(), [(-10_000_000, -9_999_999), (-1, 60_000_000)]);
    }

    #[test]
    fn the_ends_of_time_are_instants_too() {
        let mut spans = Spans::default();
        spans.add_instant(i64::MAX - 1);
        spans.add_instant(i64::MIN);
        assert_eq!(spans.iter().collect::<Vec<_>>(), [(i64::MIN, i64::MIN + 1), (i64::MAX - 1, i64::MAX)]);
    }

    proptest! {
        #[test]
        fn prop_every_instant_is_held_in_few_spans(instants in prop::collection::vec(-1_000_000_000_i64..1_000_000_000, 1..200)) {
            let mut spans = Spans::default();
            instants.iter().for_each(|&at| spans.add_instant(at));
            let held: Vec<_> = spans.iter().collect();
            prop_assert!(held.len() <= MAX_SPANS);
            prop_assert!(held.windows(2).all(|pair| pair[0].1 < pair[1].0), "{held:?}");
            for at in instants {
                prop_assert!(held.iter().any(|span| (span.0..span.1).contains(&at)), "{at} in {held:?}");
            }
        }
    }
}
