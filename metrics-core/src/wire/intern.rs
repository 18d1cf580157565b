//! Series by the bytes that spelled them: a row of a known series costs no allocation and no validation.

use super::error::RowFault;
use crate::model::{Batch, BatchSeries, SeededMap, SeriesKey};

/// Most series in one batch that a decoder makes: it bounds what a body of many short names may take in memory.
pub const MAX_BATCH_SERIES: usize = 1_000_000;

/// Most bytes that the series of one batch take: their texts, 128 for what holds a series and 64 for what holds a label.
/// A few labels that many series share, or that cost a few bytes each, are small in a body and large in memory.
pub const MAX_BATCH_SERIES_BYTES: usize = 256 << 20;

/// Most points that a decoder takes from one body of protobuf or OTLP, where a point may have no more than two bytes.
pub const MAX_BATCH_POINTS: usize = 4_000_000;

/// What a series takes besides its texts, about.
const SERIES_BYTES: usize = 128;

/// What a label takes besides its texts, about.
const LABEL_BYTES: usize = 64;

/// Most spellings that are remembered; series beyond them are looked up in the batch.
const MAX_SPELLINGS: usize = 65_536;

/// The series of the batch that is being built, and of those before it.
#[derive(Debug, Default)]
pub(super) struct SeriesCache {
    last: Vec<u8>,
    last_series: Option<BatchSeries>,
    spellings: SeededMap<Box<[u8]>, Known>,
    /// How many batches came before.
    batch: u64,
    room: SeriesRoom,
}

/// How much room the series of a batch take.
#[derive(Debug, Default)]
pub(super) struct SeriesRoom {
    bytes: usize,
}

impl SeriesRoom {
    /// Registers a series in the batch.
    ///
    /// # Errors
    /// [`RowFault`] when the batch would hold more than [`MAX_BATCH_SERIES`] or [`MAX_BATCH_SERIES_BYTES`].
    pub(super) fn intern(&mut self, batch: &mut Batch, key: SeriesKey) -> Result<BatchSeries, RowFault> {
        let before = batch.series().len();
        let bytes = key_bytes(&key);
        if before >= MAX_BATCH_SERIES {
            return Err(too_many_series());
        }
        self.check(bytes)?;
        let series = batch.intern(key);
        self.bytes += if batch.series().len() > before { bytes } else { 0 };
        Ok(series)
    }

    /// Tells before they are made whether series of so many bytes find room.
    ///
    /// # Errors
    /// [`RowFault`] when they do not.
    pub(super) fn check(&self, bytes: usize) -> Result<(), RowFault> {
        if self.bytes.saturating_add(bytes) <= MAX_BATCH_SERIES_BYTES {
            return Ok(());
        }
        let most = MAX_BATCH_SERIES_BYTES >> 20;
        Err(RowFault::row(format!("names and labels of more than {most} MiB in one body: send it in parts")))
    }
}

/// What a series takes in memory, about.
pub(super) fn key_bytes(key: &SeriesKey) -> usize {
    pairs_bytes(key.name.as_str(), key.labels.iter())
}

/// As [`key_bytes`], before the key is made.
pub(super) fn pairs_bytes<'a>(name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    let labels: usize = labels.map(|(name, value)| LABEL_BYTES + name.len() + value.len()).sum();
    SERIES_BYTES + name.len() + labels
}

/// A series and where it stands in the batch in which it was seen last.
#[derive(Debug)]
struct Known {
    key: SeriesKey,
    batch: u64,
    series: BatchSeries,
}

impl SeriesCache {
    /// The series of this spelling, which must tell all of name and labels; `key` reads it where it is new.
    ///
    /// # Errors
    /// Those of `key`, and one when the batch would hold more than [`MAX_BATCH_SERIES`] or [`MAX_BATCH_SERIES_BYTES`].
    pub(super) fn series(
        &mut self,
        batch: &mut Batch,
        spelling: &[u8],
        key: impl FnOnce() -> Result<SeriesKey, RowFault>,
    ) -> Result<BatchSeries, RowFault> {
        if let Some(series) = self.last_series
            && self.last == spelling
        {
            return Ok(series);
        }
        let series = match self.spellings.get_mut(spelling) {
            Some(known) if known.batch == self.batch => known.series,
            Some(known) => {
                known.series = self.room.intern(batch, known.key.clone())?;
                known.batch = self.batch;
                known.series
            }
            None => {
                let key = key()?;
                let series = self.room.intern(batch, key.clone())?;
                if self.spellings.len() < MAX_SPELLINGS {
                    self.spellings.insert(spelling.into(), Known { key, batch: self.batch, series });
                }
                series
            }
        };
        self.last.clear();
        self.last.extend_from_slice(spelling);
        self.last_series = Some(series);
        Ok(series)
    }

    /// Tells that the next series go to a new batch.
    pub(super) fn next_batch(&mut self) {
        self.last_series = None;
        self.batch += 1;
        self.room = SeriesRoom::default();
    }
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

    /// The series of a spelling that is known; its key is not asked for.
    fn again(cache: &mut SeriesCache, batch: &mut Batch, spelling: &str) -> usize {
        cache.series(batch, spelling.as_bytes(), || panic!("{spelling} is known")).expect("room").index()
    }

    #[test]
    fn a_spelling_is_found_again_wherever_it_stood() {
        let (mut cache, mut batch) = (SeriesCache::default(), Batch::new());
        for (spelling, name, expected) in [("a", "a", 0), ("b", "b", 1), ("\\u0061", "a", 0), ("", "c", 2)] {
            let series = cache.series(&mut batch, spelling.as_bytes(), || Ok(key(name)));
            assert_eq!(series.map(BatchSeries::index), Ok(expected), "{spelling}");
        }
        let found = ["a", "b", "b", "", "\\u0061"].map(|spelling| again(&mut cache, &mut batch, spelling));
        assert_eq!((found, batch.series().len()), ([0, 1, 1, 2, 0], 3));
    }

    #[test]
    fn series_of_an_earlier_batch_are_known_but_stand_elsewhere() {
        let (mut cache, mut first, mut second) = (SeriesCache::default(), Batch::new(), Batch::new());
        for name in ["a", "b"] {
            cache.series(&mut first, name.as_bytes(), || Ok(key(name))).expect("room");
        }
        cache.next_batch();
        let found = ["b", "b", "a"].map(|spelling| again(&mut cache, &mut second, spelling));
        assert_eq!(found, [0, 0, 1]);
        assert_eq!(second.series(), [key("b"), key("a")]);
    }

    #[test]
    fn a_key_that_is_refused_is_asked_for_again_and_leaves_nothing() {
        let (mut cache, mut batch) = (SeriesCache::default(), Batch::new());
        for _ in 0..2 {
            let refused = cache.series(&mut batch, b"a", || Err(RowFault::row("no")));
            assert_eq!(refused, Err(RowFault::row("no")));
        }
        assert!(batch.series().is_empty());
    }

    #[test]
    fn more_spellings_than_are_remembered_still_give_one_series_each() {
        let (mut cache, mut batch) = (SeriesCache::default(), Batch::new());
        for round in 0..2 {
            for number in 0..MAX_SPELLINGS + 10 {
                let name = number.to_string();
                let series = cache.series(&mut batch, name.as_bytes(), || Ok(key(&name)));
                assert_eq!(series.map(BatchSeries::index), Ok(number), "round {round}");
            }
        }
        assert_eq!((cache.spellings.len(), batch.series().len()), (MAX_SPELLINGS, MAX_SPELLINGS + 10));
    }

    #[test]
    fn a_batch_takes_no_more_bytes_of_labels_than_its_bound() {
        let (mut cache, mut batch) = (SeriesCache::default(), Batch::new());
        let text = "x".repeat(1_000);
        let labels = Labels::new((0..32).map(|number| (number.to_string(), &text))).expect("valid");
        let mut add = |number: usize| {
            let name = number.to_string();
            let key = || Ok(SeriesKey::new(MetricName::new(&name).expect("valid"), labels.clone()));
            cache.series(&mut batch, name.as_bytes(), key).map(BatchSeries::index)
        };
        let most = MAX_BATCH_SERIES_BYTES / (32 * 1_066);
        assert!((0..most - 100).all(|number| add(number) == Ok(number)), "fits");
        let fault = (most - 100..most + 100).find_map(|number| add(number).err());
        let expected = "names and labels of more than 256 MiB in one body: send it in parts";
        assert_eq!(fault, Some(RowFault::row(expected)));
        assert_eq!(add(5), Ok(5), "what is there needs no room");
    }

    #[test]
    fn a_batch_takes_no_more_series_than_its_bound() {
        let mut batch = Batch::new();
        for number in 0..MAX_BATCH_SERIES {
            batch.intern(key(&number.to_string()));
        }
        let fault = SeriesRoom::default().intern(&mut batch, key("one more")).expect_err("full");
        assert_eq!(fault, RowFault::row("more than 1000000 series in one body: send it in parts"));
    }
}
