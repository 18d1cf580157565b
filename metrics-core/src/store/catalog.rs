//! What is listed in the file: series, chunks, head tables, idempotency keys.

use std::sync::Arc;

use arrow::array::{Int64Array, StringArray, UInt64Array};
use duckdb::{Connection, params};

use super::StoredKey;
use super::chunk::{Chunk, ChunkTable, series_table_name, table_name};
use super::error::{During, StoreError};
use super::head::{self, Columns, HeadId, append, record_batch};
use super::memtable::{Memtable, Segment};
use super::registry::{Registry, SeriesId, SeriesStats};
use crate::model::{MetricName, SeriesKey};
use crate::rollup::Tier;

/// The store as it stands in the file.
pub(crate) struct Loaded {
    pub(crate) registry: Registry,
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) memtable: Memtable,
    pub(crate) active_head: HeadId,
    /// Points in the active head table.
    pub(crate) active_points: u64,
    pub(crate) sealed_heads: Vec<HeadId>,
}

/// Reads what is listed and the head tables' points, and drops tables that a crash left unlisted.
pub(crate) fn load(connection: &Connection) -> Result<Loaded, StoreError> {
    let chunks = load_chunks(connection)?;
    drop_unlisted(connection, &chunks)?;
    let mut registry = load_series(connection)?;
    for chunk in &chunks {
        each_series(connection, chunk, |id, stats| registry.record(id, &stats))?;
    }
    let mut heads = head::list(connection)?;
    let mut rows = Vec::new();
    let mut active_points = 0;
    for head in &heads {
        let of_head = head::load(connection, *head)?;
        active_points = of_head.len() as u64;
        rows.extend(of_head);
    }
    let segment = Segment::from_rows(&rows);
    segment.stats().for_each(|(id, stats)| registry.record(id, &stats));
    let active_head = heads.pop().ok_or_else(|| StoreError::new("cannot read the store", "it has no head table"))?;
    let chunks: Vec<Arc<Chunk>> = chunks.into_iter().map(Arc::new).collect();
    let memtable = Memtable::default().with_segment(segment);
    Ok(Loaded { registry, chunks, memtable, active_head, active_points, sealed_heads: heads })
}

fn load_series(connection: &Connection) -> Result<Registry, StoreError> {
    let action = "cannot read the series";
    let mut statement = connection.prepare("SELECT id, name, labels FROM series ORDER BY id").during(action)?;
    let mut rows = statement.query([]).during(action)?;
    let mut registry = Registry::default();
    while let Some(row) = rows.next().during(action)? {
        let id = SeriesId(row.get(0).during(action)?);
        let (name, labels): (String, String) = (row.get(1).during(action)?, row.get(2).during(action)?);
        let damaged = || StoreError::new(action, format!("series {} is damaged: {name} {labels}", id.0));
        let key = SeriesKey::new(
            MetricName::new(&name).map_err(|_| damaged())?,
            head::parse_labels(&labels).ok_or_else(damaged)?,
        );
        let metric = registry.metric_id(&key.name).unwrap_or(registry.next_metric_id());
        if id != SeriesId::new(metric, registry.next_ordinal(metric)) {
            return Err(damaged());
        }
        registry.insert(id, key);
    }
    Ok(registry)
}

fn load_chunks(connection: &Connection) -> Result<Vec<Chunk>, StoreError> {
    let action = "cannot read the list of chunks";
    let mut statement =
        connection.prepare("SELECT id, first_at, last_at, points FROM chunks ORDER BY first_at, id").during(action)?;
    let chunk = |row: &duckdb::Row<'_>| {
        Ok(Chunk { id: row.get(0)?, first_at: row.get(1)?, last_at: row.get(2)?, points: row.get(3)?, tables: vec![] })
    };
    let chunks: Result<Vec<Chunk>, _> = statement.query_map([], chunk).and_then(Iterator::collect);
    let mut chunks = chunks.during(action)?;
    let mut statement = connection
        .prepare("SELECT tier, rows, base, unit, scale, digest FROM chunk_tables WHERE chunk = ?")
        .during(action)?;
    for chunk in &mut chunks {
        let mut rows = statement.query([chunk.id]).during(action)?;
        while let Some(row) = rows.next().during(action)? {
            let name: String = row.get(0).during(action)?;
            let tier = Tier::from_name(&name).ok_or_else(|| StoreError::new(action, format!("unknown tier {name}")))?;
            let (rows, base, unit) =
                (row.get(1).during(action)?, row.get(2).during(action)?, row.get(3).during(action)?);
            let (scale, digest) = (row.get(4).during(action)?, row.get(5).during(action)?);
            chunk.tables.push(ChunkTable { tier, rows, base, unit, scale, digest });
        }
        chunk.tables.sort_by_key(|table| table.tier);
    }
    Ok(chunks)
}

/// Calls back with what a chunk holds of each series.
pub(crate) fn each_series(
    connection: &Connection,
    chunk: &Chunk,
    mut each: impl FnMut(SeriesId, SeriesStats),
) -> Result<(), StoreError> {
    let action = "cannot read what a chunk holds of each series";
    let sql = format!("SELECT series, count, first_at, last_at, last FROM {}", series_table_name(chunk.id));
    let mut statement = connection.prepare(&sql).during(action)?;
    for batch in statement.stream_arrow([]).during(action)? {
        let batch = batch.during(action)?;
        let columns = Columns::of(&batch);
        let (series, counts) = (columns.u64s(0)?, columns.u64s(1)?);
        let (firsts, lasts, values) = (columns.i64s(2)?, columns.i64s(3)?, columns.f64s(4)?);
        for i in 0..batch.num_rows() {
            let stats = SeriesStats { count: counts[i], first_at: firsts[i], last_at: lasts[i], last: values[i] };
            each(SeriesId(series[i]), stats);
        }
    }
    Ok(())
}

fn drop_unlisted(connection: &Connection, chunks: &[Chunk]) -> Result<(), StoreError> {
    let action = "cannot list the tables of chunks";
    let listed: std::collections::HashSet<String> = chunks.iter().flat_map(table_names).collect();
    let mut statement = connection
        .prepare("SELECT table_name FROM duckdb_tables() WHERE NOT internal AND starts_with(table_name, 'chunk_')")
        .during(action)?;
    let names: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
    for name in names.during(action)? {
        if name != "chunk_tables" && !listed.contains(&name) {
            connection.execute_batch(&format!("DROP TABLE \"{name}\"")).during("cannot drop an unlisted chunk")?;
        }
    }
    Ok(())
}

fn table_names(chunk: &Chunk) -> impl Iterator<Item = String> {
    let tiers = chunk.tables.iter().map(|table| table_name(chunk.id, table.tier));
    tiers.chain([series_table_name(chunk.id)])
}

/// Takes old chunks off the list, with their tables, and enters new ones.
pub(crate) fn relist(connection: &Connection, old: &[Arc<Chunk>], new: &[Arc<Chunk>]) -> Result<(), StoreError> {
    let action = "cannot list a chunk";
    for chunk in old {
        connection.execute("DELETE FROM chunks WHERE id = ?", [chunk.id]).during(action)?;
        connection.execute("DELETE FROM chunk_tables WHERE chunk = ?", [chunk.id]).during(action)?;
        for name in table_names(chunk) {
            connection.execute_batch(&format!("DROP TABLE {name}")).during("cannot drop a chunk")?;
        }
    }
    for chunk in new {
        connection
            .execute(
                "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                params![chunk.id, chunk.first_at, chunk.last_at, chunk.points],
            )
            .during(action)?;
        for table in &chunk.tables {
            let values =
                params![chunk.id, table.tier.name(), table.rows, table.base, table.unit, table.digest, table.scale];
            connection.execute("INSERT INTO chunk_tables VALUES (?, ?, ?, ?, ?, ?, ?)", values).during(action)?;
        }
    }
    Ok(())
}

/// Stores idempotency keys.
pub(crate) fn append_keys(connection: &Connection, keys: &[StoredKey]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let batch = record_batch(vec![
        ("key", Arc::new(StringArray::from_iter_values(keys.iter().map(|key| key.key.as_str())))),
        ("points", Arc::new(UInt64Array::from_iter_values(keys.iter().map(|key| key.points)))),
        ("stored_at", Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| key.at)))),
    ]);
    append(connection, "idempotency", batch)
}

/// Reads all idempotency keys.
pub(crate) fn load_keys(connection: &Connection) -> Result<Vec<StoredKey>, StoreError> {
    let action = "cannot read the idempotency keys";
    let mut statement = connection.prepare("SELECT key, points, stored_at FROM idempotency").during(action)?;
    let key = |row: &duckdb::Row<'_>| Ok(StoredKey { key: row.get(0)?, points: row.get(1)?, at: row.get(2)? });
    let keys: Result<Vec<StoredKey>, _> = statement.query_map([], key).and_then(Iterator::collect);
    keys.during(action)
}
