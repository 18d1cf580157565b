//! The windows of one query, numbered.

use super::error::QueryError;
use crate::model::{Window, WindowGrid};
use crate::rollup::Tier;

/// Consecutive windows. Number 0 holds the first instant asked for.
#[derive(Debug)]
pub(crate) enum Axis {
    /// All of one width; the first starts at `first * width`.
    Fixed { width: i64, first: i64, len: usize },
    /// Starts of the windows, and the end of the last.
    Bounds(Vec<i64>),
}

impl Axis {
    /// The windows that hold any instant of `[from, to)`, which must not be empty.
    pub(crate) fn new(grid: WindowGrid, from: i64, to: i64, limit: usize) -> Result<Self, QueryError> {
        if let Some(width) = grid.fixed_width_micros() {
            let first = from.div_euclid(width);
            let len = (to - 1).div_euclid(width) - first + 1;
            let len = usize::try_from(len).expect("the time asked for is not empty");
            return Ok(Self::Fixed { width, first, len });
        }
        let mut bounds = Vec::new();
        for window in grid.windows(from, to) {
            if bounds.is_empty() {
                bounds.push(window.start);
            }
            bounds.push(window.end);
            if bounds.len() > limit {
                return Err(QueryError::TooManyWindows { windows: bounds.len() as u64, limit: limit as u64 });
            }
        }
        Ok(Self::Bounds(bounds))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Fixed { len, .. } => *len,
            Self::Bounds(bounds) => bounds.len() - 1,
        }
    }

    /// A window by its number.
    pub(crate) fn window(&self, number: usize) -> Window {
        match self {
            Self::Fixed { width, first, .. } => {
                let start = (first + number as i64) * width;
                Window { start, end: start + width }
            }
            Self::Bounds(bounds) => Window { start: bounds[number], end: bounds[number + 1] },
        }
    }

    fn number_at(&self, at: i64) -> usize {
        match self {
            Self::Fixed { width, first, .. } => (at.div_euclid(*width) - first) as usize,
            Self::Bounds(bounds) => bounds.partition_point(|&start| start <= at) - 1,
        }
    }

    /// The coarsest tier whose buckets lie each in one window.
    pub(crate) fn coarsest_tier(&self) -> Tier {
        match self {
            Self::Fixed { width, .. } => Tier::dividing(*width),
            Self::Bounds(bounds) => bounds.iter().map(|&at| Tier::dividing(at)).min().unwrap_or(Tier::Raw),
        }
    }

    /// A finder of windows for times that mostly stay in one.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor { axis: self, window: Window { start: 0, end: 0 }, number: 0 }
    }
}

/// Remembers the last window.
pub(crate) struct Cursor<'a> {
    axis: &'a Axis,
    window: Window,
    number: usize,
}

impl Cursor<'_> {
    /// The number of the window that holds an instant of the time asked for.
    pub(crate) fn find(&mut self, at: i64) -> usize {
        if !(self.window.start..self.window.end).contains(&at) {
            self.number = self.axis.number_at(at);
            self.window = self.axis.window(self.number);
        }
        self.number
    }

    /// Where the window found last ends.
    pub(crate) fn end(&self) -> i64 {
        self.window.end
    }
}
