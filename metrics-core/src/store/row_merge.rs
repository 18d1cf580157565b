//! Rows of several tables as one sequence in order, one by one: for rollups, which are few beside the points.

use super::error::StoreError;

/// Rows of one table in its order, a batch at a time.
pub(super) struct Source<I, R> {
    batches: I,
    rows: std::iter::Peekable<std::vec::IntoIter<R>>,
}

impl<R, I: Iterator<Item = Result<Vec<R>, StoreError>>> Source<I, R> {
    pub(super) fn new(batches: I) -> Self {
        Self { batches, rows: Vec::new().into_iter().peekable() }
    }

    fn peek(&mut self) -> Result<Option<&R>, StoreError> {
        while self.rows.peek().is_none() {
            match self.batches.next() {
                Some(batch) => self.rows = batch?.into_iter().peekable(),
                None => return Ok(None),
            }
        }
        Ok(self.rows.peek())
    }
}

/// The least of the sources' next rows. There are few sources: looking at each beats a heap.
pub(super) fn next_row<R, I>(
    sources: &mut [Source<I, R>],
    order: impl Fn(&R, &R) -> std::cmp::Ordering,
) -> Result<Option<R>, StoreError>
where
    I: Iterator<Item = Result<Vec<R>, StoreError>>,
{
    let mut least: Option<usize> = None;
    for index in 0..sources.len() {
        let (before, rest) = sources.split_at_mut(index);
        let Some(row) = rest[0].peek()? else { continue };
        let smaller = match least {
            Some(best) => before[best].peek()?.is_none_or(|best| order(row, best).is_lt()),
            None => true,
        };
        if smaller {
            least = Some(index);
        }
    }
    Ok(least.and_then(|index| sources[index].rows.next()))
}
