//! Series by the bytes that spelled them: a row of a known series costs no allocation and no validation.

use rustc_hash::FxHashMap;

use super::error::RowFault;
use crate::model::{Batch, BatchSeries, SeriesKey};

/// Most series in one batch that a decoder makes: it bounds what a body of many short names may take in memory.
pub const MAX_BATCH_SERIES: usize = 1_000_000;

/// Most spellings that are remembered; series beyond them are looked up in the batch.
const MAX_SPELLINGS: usize = 65_536;

/// The series of the batch that is being built.
#[derive(Debug, Default)]
pub(super) struct SeriesCache {
    last: Vec<u8>,
    last_series: Option<BatchSeries>,
    spellings: FxHashMap<Box<[u8]>, BatchSeries>,
}

impl SeriesCache {
    /// The series that was spelled like this before. A spelling must tell all of name and labels.
    pub(super) fn get(&mut self, spelling: &[u8]) -> Option<BatchSeries> {
        if self.last_series.is_some() && self.last == spelling {
            return self.last_series;
        }
        let series = *self.spellings.get(spelling)?;
        self.set_last(spelling, series);
        Some(series)
    }

    /// Takes a new series into the batch and remembers its spelling.
    ///
    /// # Errors
    /// [`RowFault`] when the batch holds [`MAX_BATCH_SERIES`].
    pub(super) fn add(&mut self, batch: &mut Batch, spelling: &[u8], key: SeriesKey) -> Result<BatchSeries, RowFault> {
        let series = intern(batch, key)?;
        self.set_last(spelling, series);
        if self.spellings.len() < MAX_SPELLINGS {
            self.spellings.insert(spelling.into(), series);
        }
        Ok(series)
    }

    /// Forgets all, for a new batch.
    pub(super) fn clear(&mut self) {
        self.last_series = None;
        self.spellings.clear();
    }

    fn set_last(&mut self, spelling: &[u8], series: BatchSeries) {
        self.last.clear();
        self.last.extend_from_slice(spelling);
        self.last_series = Some(series);
    }
}

/// Takes a series into the batch.
///
/// # Errors
/// [`RowFault`] when it would be one more than [`MAX_BATCH_SERIES`].
fn intern(batch: &mut Batch, key: SeriesKey) -> Result<BatchSeries, RowFault> {
    if batch.series().len() >= MAX_BATCH_SERIES {
        return Err(too_many_series());
    }
    Ok(batch.intern(key))
}

pub(super) fn too_many_series() -> RowFault {
    RowFault::row(format!("more than {MAX_BATCH_SERIES} series in one body: send it in parts"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, MetricName};

    fn key(name: &str) -> SeriesKey {
        SeriesKey::new(MetricName::new(name).expect("valid"), Labels::empty())
    }

    #[test]
    fn a_spelling_is_found_again_wherever_it_stood() {
        let (mut cache, mut batch) = (SeriesCache::default(), Batch::new());
        assert_eq!(cache.get(b""), None);
        let a = cache.add(&mut batch, b"a", key("a")).expect("room");
        let b = cache.add(&mut batch, b"b", key("b")).expect("room");
        assert_eq!(
            (cache.get(b"a"), cache.get(b"b"), cache.get(b"b"), cache.get(b"c")),
            (Some(a), Some(b), Some(b), None)
        );
        assert_eq!(cache.add(&mut batch, b"\\u0061", key("a")), Ok(a), "two spellings of one series");
        cache.clear();
        assert_eq!((cache.get(b"b"), cache.get(b"\\u0061")), (None, None));
    }

    #[test]
    fn more_spellings_than_are_remembered_still_give_one_series_each() {
        let (mut cache, mut batch) = (SeriesCache::default(), Batch::new());
        for round in 0..2 {
            for number in 0..MAX_SPELLINGS + 10 {
                let name = format!("m{number}");
                let series =
                    cache.get(name.as_bytes()).map_or_else(|| cache.add(&mut batch, name.as_bytes(), key(&name)), Ok);
                assert_eq!(series.map(|s| s.index()), Ok(number), "round {round}");
            }
        }
        assert_eq!((cache.spellings.len(), batch.series().len()), (MAX_SPELLINGS, MAX_SPELLINGS + 10));
    }

    #[test]
    fn a_batch_takes_no_more_series_than_its_bound() {
        let mut batch = Batch::new();
        for number in 0..MAX_BATCH_SERIES {
            batch.intern(key(&number.to_string()));
        }
        let fault = intern(&mut batch, key("one more")).expect_err("full");
        assert_eq!(fault.message, "more than 1000000 series in one body: send it in parts");
    }
}
