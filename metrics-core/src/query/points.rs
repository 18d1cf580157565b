//! What is computed from the points themselves: raw answers, and the steps of counters.

use super::axis::Axis;
use super::error::QueryError;
use super::groups::Groups;
use crate::store::Row;

/// Points of the selected series, bounded.
#[derive(Debug)]
pub(crate) struct Points {
    pub(crate) rows: Vec<Row>,
    limit: usize,
}

impl Points {
    pub(crate) fn new(limit: usize) -> Self {
        Self { rows: Vec::new(), limit }
    }

    pub(crate) fn push(&mut self, row: Row) -> Result<(), QueryError> {
        if self.rows.len() >= self.limit {
            return Err(QueryError::TooManyRows { limit: self.limit });
        }
        self.rows.push(row);
        Ok(())
    }

    pub(crate) fn sort(&mut self) {
        self.rows.sort_unstable_by(Row::order);
    }

    /// Calls back with group, window and step for every step from a point to the next of its series.
    /// A counter that falls has restarted from zero: the step is then what it has counted since.
    pub(crate) fn steps(
        &mut self,
        axis: &Axis,
        groups: &Groups,
        mut each: impl FnMut(u32, usize, f64) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.sort();
        let mut cursor = axis.cursor();
        for pair in self.rows.windows(2).filter(|pair| pair[0].series == pair[1].series) {
            let (before, after) = (pair[0].value, pair[1].value);
            let step = if after < before { after } else { after - before };
            if let Some(group) = groups.of(pair[1].series) {
                each(group, cursor.find(pair[1].at), step)?;
            }
        }
        Ok(())
    }
}
