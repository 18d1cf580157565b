//! One rollup table on its way into a chunk: finished buckets, and the one that is being filled.

use std::sync::Arc;

use arrow::array::{BinaryBuilder, Float64Array, Int64Array, UInt64Array};
use duckdb::Connection;

use super::chunk::{ChunkId, ChunkTable, table_name};
use super::error::{During, StoreError};
use super::head::{append, record_batch};
use super::registry::SeriesId;
use crate::rollup::{Digest, Partial, Tier};

/// Buckets that are handed to DuckDB at once: fewer than points, because they are many times larger.
const BUFFER_BUCKETS: usize = 16_384;

/// The rows of one rollup table, and the bucket being filled.
pub(super) struct RollupBuffer {
    tier: Tier,
    open: Option<(i64, Partial)>,
    digest: Digest,
    series: Vec<u64>,
    buckets: Vec<i64>,
    partials: Vec<Partial>,
    digests: BinaryBuilder,
    with_digest: bool,
    written: u64,
}

impl RollupBuffer {
    pub(super) fn new(tier: Tier, with_digest: bool) -> Self {
        Self {
            tier,
            open: None,
            digest: Digest::default(),
            series: Vec::new(),
            buckets: Vec::new(),
            partials: Vec::new(),
            digests: BinaryBuilder::new(),
            with_digest,
            written: 0,
        }
    }

    pub(super) fn with_digest(&self) -> bool {
        self.with_digest
    }

    pub(super) fn rows(&self) -> u64 {
        self.written + self.partials.len() as u64
    }

    pub(super) fn tier(&self) -> Tier {
        self.tier
    }

    pub(super) fn bucket_of(&self, at: i64) -> i64 {
        at.div_euclid(self.tier.width_micros())
    }

    /// What is written, as it is listed.
    pub(super) fn table(&self) -> ChunkTable {
        let (tier, rows, digest) = (self.tier, self.rows(), self.with_digest);
        ChunkTable { tier, rows, base: 0, unit: tier.width_micros(), scale: None, digest }
    }

    /// The bucket being filled, if there is one.
    pub(super) fn open_bucket(&self) -> Option<i64> {
        self.open.map(|(bucket, _)| bucket)
    }

    /// The sketch of the bucket being filled.
    pub(super) fn digest(&mut self) -> &mut Digest {
        &mut self.digest
    }

    /// Ends the bucket being filled and gives it back for the next coarser tier.
    pub(super) fn close(&mut self, series: SeriesId) -> Option<Partial> {
        let (bucket, partial) = self.open.take()?;
        let mut digest = std::mem::take(&mut self.digest);
        self.put(series, bucket * self.tier.width_micros(), partial, Some(&mut digest));
        self.digest = digest;
        Some(partial)
    }

    /// Adds a finished bucket.
    pub(super) fn put(&mut self, series: SeriesId, start: i64, partial: Partial, digest: Option<&mut Digest>) {
        self.series.push(series.0);
        self.buckets.push(self.bucket_of(start));
        self.partials.push(partial);
        if self.with_digest {
            self.digests.append_value(digest.map(Digest::encode).unwrap_or_default());
        }
    }

    /// Writes the finished buckets once they are as many as are handed over at once.
    pub(super) fn write_when_full(&mut self, connection: &Connection, chunk: ChunkId) -> Result<(), StoreError> {
        if self.partials.len() >= BUFFER_BUCKETS { self.write(connection, chunk) } else { Ok(()) }
    }

    /// Takes a finer bucket (or points) in; the bucket it falls into must be the open one or none.
    pub(super) fn add(&mut self, at: i64, finer: &Partial) {
        match &mut self.open {
            Some((_, partial)) => partial.merge(finer),
            none => *none = Some((at.div_euclid(self.tier.width_micros()), *finer)),
        }
    }

    pub(super) fn write(&mut self, connection: &Connection, chunk: ChunkId) -> Result<(), StoreError> {
        if self.partials.is_empty() {
            return Ok(());
        }
        self.written += self.partials.len() as u64;
        let width = self.tier.width_micros();
        let column =
            |of: fn(&Partial) -> f64| Arc::new(Float64Array::from_iter_values(self.partials.iter().map(of))) as _;
        let offset = |of: fn(&Partial) -> i64| {
            let offsets = self.partials.iter().zip(&self.buckets).map(|(partial, bucket)| of(partial) - bucket * width);
            Arc::new(Int64Array::from_iter_values(offsets)) as _
        };
        let mut columns: Vec<(&str, arrow::array::ArrayRef)> = vec![
            ("series", Arc::new(UInt64Array::from(std::mem::take(&mut self.series)))),
            ("t", Arc::new(Int64Array::from(self.buckets.clone()))),
            ("count", Arc::new(UInt64Array::from_iter_values(self.partials.iter().map(|p| p.count)))),
            ("sum", column(|p| p.sum)),
            ("m2", column(|p| p.m2)),
            ("min", column(|p| p.min)),
            ("max", column(|p| p.max)),
            ("first_at", offset(|p| p.first_at)),
            ("first", column(|p| p.first)),
            ("last_at", offset(|p| p.last_at)),
            ("last", column(|p| p.last)),
        ];
        if self.with_digest {
            columns.push(("digest", Arc::new(self.digests.finish())));
        }
        append(connection, &table_name(chunk, self.tier), record_batch(columns))?;
        self.partials.clear();
        self.buckets.clear();
        Ok(())
    }
}

/// Creates the table of a rollup.
pub(super) fn create_table(
    connection: &Connection,
    chunk: ChunkId,
    tier: Tier,
    digest: bool,
) -> Result<(), StoreError> {
    let name = table_name(chunk, tier);
    let digest = if digest { ", digest BLOB NOT NULL" } else { "" };
    let sql = format!(
        "CREATE TABLE {name}(series UBIGINT NOT NULL, t BIGINT NOT NULL, count UBIGINT NOT NULL, \
         sum DOUBLE NOT NULL, m2 DOUBLE NOT NULL, min DOUBLE NOT NULL, max DOUBLE NOT NULL, \
         first_at BIGINT NOT NULL, first DOUBLE NOT NULL, last_at BIGINT NOT NULL, last DOUBLE NOT NULL{digest})"
    );
    connection.execute_batch(&sql).during("cannot create a chunk")
}
