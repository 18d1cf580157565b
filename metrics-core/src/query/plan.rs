//! Which table of a chunk answers which part of the time asked for.

use crate::model::MICROS_PER_DAY;
use crate::rollup::Tier;
use crate::store::{Chunk, ChunkTable};

/// Points that are rather read than looked for in one more table.
const CHEAP_POINTS: f64 = 4_096.0;

/// One read: buckets that start (or points that lie) in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) table: ChunkTable,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// The reads that together hold each point of a chunk in `[from, to)` once: the coarsest table up to `coarsest` for
/// all whole buckets, finer ones for what is left at both ends. `share` is the part of the chunk's points that
/// belongs to the query's series, 0 to 1.
///
/// A chunk whose points were dropped by retention answers from its finest table: a bucket then counts as a whole,
/// where it starts.
pub(crate) fn reads(chunk: &Chunk, coarsest: Tier, from: i64, to: i64, share: f64) -> Vec<Read> {
    let mut reads = Vec::new();
    // Where the chunk lies wholly inside, its ends need no finer table.
    let day = |at: i64| at.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY;
    let from = if from <= chunk.first_at { day(chunk.first_at) } else { from };
    let to = if to > chunk.last_at { day(chunk.last_at) + MICROS_PER_DAY } else { to };
    let span = (chunk.last_at - chunk.first_at).max(1) as f64;
    let density = chunk.points as f64 * share / span;
    cover(chunk, coarsest, (from, to), density, &mut reads);
    reads
}

fn cover(chunk: &Chunk, coarsest: Tier, (from, to): (i64, i64), density: f64, reads: &mut Vec<Read>) {
    let mut table = *chunk.at_most(coarsest);
    let raw = chunk.table(Tier::Raw);
    if let Some(raw) = raw
        && (to - from) as f64 * density <= CHEAP_POINTS
    {
        table = *raw;
    }
    let width = table.tier.width_micros();
    let inner = (-(-from).div_euclid(width) * width, to.div_euclid(width) * width);
    let finer = chunk.tables.iter().rev().map(|table| table.tier).find(|tier| *tier < table.tier);
    let Some(finer) = finer else {
        reads.push(Read { table, from, to });
        return;
    };
    if inner.0 >= inner.1 {
        cover(chunk, finer, (from, to), density, reads);
        return;
    }
    if from < inner.0 {
        cover(chunk, finer, (from, inner.0), density, reads);
    }
    reads.push(Read { table, from: inner.0, to: inner.1 });
    if inner.1 < to {
        cover(chunk, finer, (inner.1, to), density, reads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MICROS_PER_HOUR, MICROS_PER_MINUTE};

    fn chunk(tiers: &[Tier], points: u64) -> Chunk {
        let table =
            |&tier: &Tier| ChunkTable { tier, rows: 1, base: 0, unit: tier.width_micros(), scale: None, digest: false };
        let tables = tiers.iter().map(table).collect();
        Chunk { id: 1, first_at: 5, last_at: 10 * MICROS_PER_DAY - 5, points, tables }
    }

    fn shape(reads: &[Read]) -> Vec<(Tier, i64)> {
        reads.iter().map(|read| (read.table.tier, (read.to - read.from) / MICROS_PER_MINUTE)).collect()
    }

    #[test]
    fn a_chunk_inside_is_read_from_the_coarsest_tier_alone() {
        let chunk = chunk(&Tier::ALL, 1 << 30);
        assert_eq!(shape(&reads(&chunk, Tier::Day, 0, 20 * MICROS_PER_DAY, 1.0)), [(Tier::Day, 14_400)]);
        assert_eq!(shape(&reads(&chunk, Tier::Hour, i64::MIN, i64::MAX, 1.0)), [(Tier::Hour, 14_400)]);
    }

    #[test]
    fn ends_are_read_from_ever_finer_tiers() {
        let chunk = chunk(&Tier::ALL, 1 << 40);
        let from = MICROS_PER_DAY - MICROS_PER_HOUR - 16 * MICROS_PER_MINUTE - 1;
        let to = 3 * MICROS_PER_DAY + 1;
        let reads = reads(&chunk, Tier::Day, from, to, 1.0);
        let expected = [
            (Tier::Raw, 0),
            (Tier::Minute, 1),
            (Tier::Quarter, 15),
            (Tier::Hour, 60),
            (Tier::Day, 2880),
            (Tier::Raw, 0),
        ];
        assert_eq!(shape(&reads), expected);
        assert_eq!((reads[0].from, reads[5].to), (from, to));
        assert!(reads.windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn few_points_are_read_as_they_are() {
        let chunk = chunk(&Tier::ALL, 1_000);
        let reads = reads(&chunk, Tier::Hour, MICROS_PER_HOUR / 2, MICROS_PER_DAY * 30, 1.0);
        assert_eq!(shape(&reads), [(Tier::Raw, 14_370)]);
    }

    #[test]
    fn without_points_the_finest_tier_answers_its_ends() {
        let chunk = chunk(&[Tier::Hour, Tier::Day], 1 << 30);
        let reads = reads(&chunk, Tier::Day, MICROS_PER_HOUR / 2, 2 * MICROS_PER_DAY, 1.0);
        assert_eq!(shape(&reads), [(Tier::Hour, 1_410), (Tier::Day, 1_440)]);
    }
}
