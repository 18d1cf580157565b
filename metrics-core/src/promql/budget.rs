//! What one evaluation may take: values and time.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::error::PromqlError;

/// Counted down while an expression is evaluated.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    left: Cell<usize>,
    time_limit: Duration,
    deadline: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(values: usize, time_limit: Duration, begun: Instant) -> Self {
        Self { limit: values, left: Cell::new(values), time_limit, deadline: begun.checked_add(time_limit) }
    }

    /// The instant at which the time is over, if there is one, and how long it was.
    pub(crate) fn deadline(&self) -> (Option<Instant>, Duration) {
        (self.deadline, self.time_limit)
    }

    /// Takes room for so many values more.
    pub(crate) fn take(&self, values: usize) -> Result<(), PromqlError> {
        match self.left.get().checked_sub(values) {
            Some(left) => self.left.set(left),
            None => return Err(PromqlError::TooManyValues { limit: self.limit }),
        }
        self.check_time()
    }

    pub(crate) fn check_time(&self) -> Result<(), PromqlError> {
        match self.deadline {
            Some(deadline) if Instant::now() > deadline => Err(PromqlError::TimedOut { limit: self.time_limit }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_and_time_is_over_at_its_end() {
        let budget = Budget::new(10, Duration::from_secs(60), Instant::now());
        assert!(budget.take(7).is_ok());
        assert!(matches!(budget.take(4), Err(PromqlError::TooManyValues { limit: 10 })));
        assert!(budget.take(3).is_ok(), "what was refused was not taken");
        let over = Budget::new(10, Duration::ZERO, Instant::now() - Duration::from_millis(1));
        assert!(matches!(over.take(1), Err(PromqlError::TimedOut { .. })));
    }
}
