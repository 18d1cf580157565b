//! Chunks: settled points with their rollups, in tables that never change once they are listed.

use super::encoding::Encoding;
use crate::rollup::Tier;

/// Number of a chunk.
pub(crate) type ChunkId = u64;

/// One table of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkTable {
    pub(crate) tier: Tier,
    pub(crate) rows: u64,
    /// Time of a row is `base + t * unit`, where `t` is its stored column. Points: the earliest time and the
    /// greatest common divisor of the distances from it, which leaves small numbers. Buckets: 0 and the width.
    pub(crate) base: i64,
    pub(crate) unit: i64,
    /// What stored values of points are divided by; none where they are stored as they are.
    pub(crate) scale: Option<i64>,
    /// Whether its rows carry quantile sketches.
    pub(crate) digest: bool,
}

impl ChunkTable {
    /// The least stored `t` whose time is not before an instant.
    pub(crate) fn ceil(&self, at: i64) -> i64 {
        let distance = i128::from(at) - i128::from(self.base);
        let t = -(-distance).div_euclid(i128::from(self.unit));
        t.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// How its points are stored.
    pub(crate) fn encoding(&self) -> Encoding {
        Encoding { base: self.base, unit: self.unit, scale: self.scale }
    }

    /// The time of a stored `t`.
    pub(crate) fn time(&self, t: i64) -> i64 {
        self.base + t * self.unit
    }
}

/// What the store knows of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) id: ChunkId,
    /// Times of its earliest and latest point.
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// Points that went into it.
    pub(crate) points: u64,
    /// Its tables, finest first.
    pub(crate) tables: Vec<ChunkTable>,
}

impl Chunk {
    pub(crate) fn table(&self, tier: Tier) -> Option<&ChunkTable> {
        self.tables.iter().find(|table| table.tier == tier)
    }

    /// The coarsest table that is at most as coarse as a tier; else the finest that there is.
    pub(crate) fn at_most(&self, tier: Tier) -> &ChunkTable {
        let found = self.tables.iter().rev().find(|table| table.tier <= tier);
        found.or(self.tables.first()).expect("a chunk has at least one table")
    }

    /// Only the tables that quantiles can be had from: the points and those with sketches. Where the points are
    /// gone, all.
    pub(crate) fn with_digests(&self) -> Self {
        let mut chunk = self.clone();
        if self.table(Tier::Raw).is_some() {
            chunk.tables.retain(|table| table.tier == Tier::Raw || table.digest);
        }
        chunk
    }

    pub(crate) fn overlaps(&self, from: i64, to: i64) -> bool {
        self.first_at < to && self.last_at >= from
    }
}

/// The name of a chunk's table.
pub(crate) fn table_name(chunk: ChunkId, tier: Tier) -> String {
    format!("chunk_{chunk}_{}", tier.name())
}

/// The name of the table with what a chunk holds of each series.
pub(crate) fn series_table_name(chunk: ChunkId) -> String {
    format!("chunk_{chunk}_series")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_times_round_up_on_both_sides_of_the_base() {
        let table = ChunkTable { tier: Tier::Raw, rows: 0, base: 100, unit: 10, scale: None, digest: false };
        assert_eq!([90, 91, 99, 100, 101, 110].map(|at| table.ceil(at)), [-1, 0, 0, 0, 1, 1]);
        assert_eq!(table.ceil(i64::MIN), -922_337_203_685_477_590);
        assert_eq!(table.time(3), 130);
    }
}
