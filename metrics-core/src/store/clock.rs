//! What time it is, for what would be lost by a clock that is wrong: retention and the age of keys.
//!
//! A clock that leaps ahead by ten years (an empty battery, a mistyped date) would let retention drop everything. So a
//! clock that is more than [`LEAP`] ahead of what it should be, by the last time that was believed and the time that
//! has gone by since, is not believed until it has kept to that for [`TRIAL`], or somebody applies retention by hand.
//! Until then time goes on from where it was.

use std::time::{Duration, Instant};

use duckdb::Connection;
use parking_lot::Mutex;

use super::error::{During, StoreError};
use crate::model::{MICROS_PER_DAY, Timestamp};

/// How far ahead a clock may leap (or a store lie closed) and be believed at once.
const LEAP: i64 = 7 * MICROS_PER_DAY;
/// How long a clock must have kept to a leap until it is believed.
const TRIAL: Duration = Duration::from_secs(24 * 3_600);

/// A clock that is believed within bounds.
pub(crate) struct Clock {
    source: fn() -> Timestamp,
    state: Mutex<State>,
    begun: Instant,
}

/// Times in microseconds since 1970; what has gone by since the store was opened.
#[derive(Debug, Clone, Copy)]
struct State {
    /// A time that was believed, and when.
    believed: (i64, Duration),
    /// A leap that is not believed yet, and since when.
    doubted: Option<(i64, Duration)>,
    /// The last time that was written into the file.
    stored: Option<i64>,
}

fn gone_by(since: Duration, now: Duration) -> i64 {
    i64::try_from(now.saturating_sub(since).as_micros()).unwrap_or(i64::MAX)
}

impl State {
    /// What time it is when the clock shows a time; the second says whether a doubt has just begun.
    fn read(&mut self, shown: i64, now: Duration) -> (i64, bool) {
        let expected = |(time, since): (i64, Duration)| time.saturating_add(gone_by(since, now));
        if shown <= expected(self.believed).saturating_add(LEAP) {
            self.doubted = None;
            return (shown, false);
        }
        match self.doubted {
            Some(doubted) if shown.abs_diff(expected(doubted)) <= LEAP.unsigned_abs() => {
                if now.saturating_sub(doubted.1) >= TRIAL {
                    (self.believed, self.doubted) = ((shown, now), None);
                    return (shown, false);
                }
                (expected(self.believed), false)
            }
            earlier => {
                self.doubted = Some((shown, now));
                (expected(self.believed), earlier.is_none())
            }
        }
    }
}

impl Clock {
    /// Reads the last time that was believed from a file; a new one believes what its clock shows first.
    pub(super) fn load(connection: &Connection, source: fn() -> Timestamp) -> Result<Self, StoreError> {
        let action = "cannot read when retention was applied";
        let mut statement = connection.prepare("SELECT value FROM meta WHERE key = 'clock'").during(action)?;
        let values: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
        let stored = values.during(action)?.first().and_then(|text| text.parse().ok());
        let believed = (stored.unwrap_or_else(|| source().micros()), Duration::ZERO);
        let state = Mutex::new(State { believed, doubted: None, stored });
        Ok(Self { source, state, begun: Instant::now() })
    }

    /// What time it is, in microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        let shown = (self.source)().micros();
        let (time, doubt) = self.state.lock().read(shown, self.begun.elapsed());
        if doubt {
            tracing::warn!(
                "the clock leapt to {}, {} days ahead of what it should be: retention goes by the old time until the \
                 clock has kept to the new one for {} hours; to apply it at once, run `metrics-cli retain`",
                Timestamp::clamped(shown),
                (shown - time) / MICROS_PER_DAY,
                TRIAL.as_secs() / 3_600
            );
        }
        time
    }

    /// Believes what the clock shows: somebody said so.
    pub(crate) fn believe(&self) {
        let mut state = self.state.lock();
        (state.believed, state.doubted) = (((self.source)().micros(), self.begun.elapsed()), None);
    }

    /// Writes the time down for the next opening, once a day. The caller holds the store's gate.
    pub(super) fn store(&self, connection: &Connection, time: i64) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.stored.is_some_and(|stored| time.abs_diff(stored) < MICROS_PER_DAY.unsigned_abs()) {
            return Ok(());
        }
        super::connection::transaction(connection, || {
            let action = "cannot note when retention was applied";
            connection.execute("DELETE FROM meta WHERE key = 'clock'", []).during(action)?;
            connection.execute("INSERT INTO meta VALUES ('clock', ?)", [time.to_string()]).during(action)
        })?;
        state.stored = Some(time);
        Ok(())
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("state", &*self.state.lock()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = MICROS_PER_DAY;
    const START: i64 = 20_000 * DAY;

    fn state() -> State {
        State { believed: (START, Duration::ZERO), doubted: None, stored: None }
    }

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * 3_600)
    }

    #[test]
    fn a_clock_that_goes_as_it_should_or_back_is_believed() {
        let mut state = state();
        for (shown, now) in
            [(START + 5, 0), (START - 3_650 * DAY, 1), (START + 6 * DAY, 2), (START + 400 * DAY, 400 * 24)]
        {
            assert_eq!(state.read(shown, hours(now)), (shown, false));
        }
    }

    #[test]
    fn a_leap_is_believed_once_the_clock_has_kept_to_it_for_a_day() {
        let (mut state, leap) = (state(), 3_650 * DAY);
        assert_eq!(state.read(START + leap, hours(0)), (START, true));
        let after = |n: u64| START + DAY / 24 * n as i64;
        assert_eq!(state.read(after(23) + leap, hours(23)), (after(23), false));
        assert_eq!(state.read(after(24) + leap, hours(24)), (after(24) + leap, false));
        assert_eq!(state.read(after(25) + leap, hours(25)), (after(25) + leap, false));
    }

    #[test]
    fn a_leap_that_is_undone_or_goes_on_leaping_is_never_believed() {
        let mut state = state();
        for hour in 0..100 {
            let expected = START + DAY / 24 * hour as i64;
            let leap = if hour % 2 == 0 { 3_650 * DAY } else { 0 };
            assert_eq!(state.read(expected + leap, hours(hour)).0, expected, "to and fro");
        }
        for hour in 100..200 {
            let expected = START + DAY / 24 * hour as i64;
            assert_eq!(state.read(expected + hour as i64 * 100 * DAY, hours(hour)).0, expected, "ever further");
        }
    }

    #[test]
    fn many_small_leaps_are_no_way_around() {
        let mut state = state();
        let times: Vec<i64> = (0..20).map(|leaps| state.read(START + leaps * DAY, hours(0)).0).collect();
        assert!(times.iter().all(|time| *time <= START + LEAP), "{times:?}");
    }
}
