//! Rewriting chunks without some of their points: deletion, retention, repair.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::chunk::{Chunk, ChunkId};
use super::chunk_writer::Rollups;
use super::compaction;
use super::connection::Connection;
use super::error::StoreError;
use super::registry::SeriesId;
use super::rollup_merge::{drop_tier, merge_rollups};
use super::{Selection, Store};
use crate::rollup::Tier;

/// Points of some series in a half-open span of time.
#[derive(Debug, Clone)]
pub(crate) struct Doomed {
    metric: u32,
    /// By place in the metric.
    series: Vec<bool>,
    from: i64,
    to: i64,
}

impl Doomed {
    pub(crate) fn new(selection: &Selection, from: i64, to: i64) -> Self {
        let len = selection.series.last().map_or(0, |(ordinal, _)| *ordinal as usize + 1);
        let mut series = vec![false; len];
        selection.series.iter().for_each(|(ordinal, _)| series[*ordinal as usize] = true);
        Self { metric: selection.metric, series, from, to }
    }

    fn holds(&self, series: SeriesId, at: i64) -> bool {
        series.metric() == self.metric
            && (self.from..self.to).contains(&at)
            && self.series.get(series.ordinal() as usize).copied().unwrap_or(false)
    }
}

impl Store {
    pub(super) fn next_chunk_id(&self) -> ChunkId {
        self.next_chunk.fetch_add(1, Ordering::Relaxed)
    }

    /// Deletes points that are in chunks; those still in memory the caller has moved there. Of a chunk whose points
    /// retention dropped go the buckets of its coarsest tier that start in the span, with all in them. Gives back how
    /// many points went.
    pub(crate) fn delete(&self, connection: &Connection, doomed: &Doomed) -> Result<u64, StoreError> {
        let (mut deleted, mut smaller) = (0, false);
        let chunks = Arc::clone(&self.snapshot().chunks);
        for chunk in chunks.iter().filter(|chunk| chunk.overlaps(doomed.from, doomed.to)) {
            let mut touched = false;
            super::catalog::each_series(connection, chunk, |series, stats| {
                touched |= doomed.holds(series, stats.first_at.max(doomed.from)) && stats.last_at >= doomed.from;
            })?;
            if touched {
                let kept = self.without(connection, chunk, |series, at| !doomed.holds(series, at))?;
                deleted += chunk.points - kept.as_ref().map_or(0, |kept| kept.points);
                self.publish(connection, std::slice::from_ref(chunk), kept.into_iter().collect(), false, true)?;
                smaller = true;
            }
        }
        if smaller {
            self.shrink(connection)?;
        }
        Ok(deleted)
    }

    /// The part of a chunk that is kept, as a chunk that is not listed yet.
    pub(super) fn without(
        &self,
        connection: &Connection,
        chunk: &Arc<Chunk>,
        keep: impl Fn(SeriesId, i64) -> bool,
    ) -> Result<Option<Chunk>, StoreError> {
        self.part(connection, chunk, Rollups::ThatPay, keep)
    }

    /// As [`Self::without`], with a say in which rollups the part gets.
    pub(super) fn part(
        &self,
        connection: &Connection,
        chunk: &Arc<Chunk>,
        rollups: Rollups,
        keep: impl Fn(SeriesId, i64) -> bool,
    ) -> Result<Option<Chunk>, StoreError> {
        let id = self.next_chunk_id();
        let old = std::slice::from_ref(chunk);
        if chunk.table(Tier::Raw).is_some() {
            compaction::merge(&self.database, connection, old, id, rollups, |row| keep(row.series, row.at))
        } else {
            // All tiers keep or lose the same spans: those of the coarsest, by their starts.
            let width = chunk.tables.last().map_or(1, |table| table.tier.width_micros());
            let start = |at: i64| at.div_euclid(width) * width;
            merge_rollups(&self.database, connection, old, id, |bucket| keep(bucket.series, start(bucket.start)))
        }
    }

    /// Writes a chunk anew from its points.
    pub(crate) fn rebuild(&self, connection: &Connection, chunk: &Arc<Chunk>) -> Result<(), StoreError> {
        let rebuilt = self.without(connection, chunk, |_, _| true)?;
        self.publish(connection, std::slice::from_ref(chunk), rebuilt.into_iter().collect(), false, true)?;
        self.shrink(connection)
    }

    /// A chunk of the same content without some of its tiers, not listed yet.
    pub(super) fn without_tiers(
        &self,
        connection: &Connection,
        mut chunk: Chunk,
        dropped: &[Tier],
    ) -> Result<Chunk, StoreError> {
        for tier in dropped {
            if chunk.table(*tier).is_some() && chunk.tables.len() > 1 {
                drop_tier(connection, &mut chunk, *tier)?;
            }
        }
        Ok(chunk)
    }
}
