//! The tables of a store and how older files become current ones.

use duckdb::Connection;

use super::chunk::{Chunk, table_name};
use super::connection::transaction;
use super::error::{During, OpenError, StoreError};
use crate::rollup::Tier;
use std::path::Path;

/// Steps from an empty file to the current schema. A step that was released is never changed: a new one is added.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE meta(key VARCHAR NOT NULL, value VARCHAR NOT NULL);
    CREATE TABLE series(id UBIGINT NOT NULL, name VARCHAR NOT NULL, labels VARCHAR NOT NULL);
    CREATE TABLE chunks(id UBIGINT NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL, points UBIGINT NOT NULL);
    CREATE TABLE chunk_tables(
        chunk UBIGINT NOT NULL, tier VARCHAR NOT NULL, rows UBIGINT NOT NULL, base BIGINT NOT NULL, unit BIGINT NOT NULL);
    CREATE TABLE idempotency(key VARCHAR NOT NULL, points UBIGINT NOT NULL, stored_at BIGINT NOT NULL);
    CREATE TABLE head_0(series UBIGINT NOT NULL, ts BIGINT NOT NULL, value DOUBLE NOT NULL);
    INSERT INTO meta VALUES ('store', 'metrics'), ('schema_version', '0');
    ",
    // Sketches only where they pay: until then every row of these tiers had one. Values as whole numbers where
    // that is exact: until then they were doubles.
    "
    ALTER TABLE chunk_tables ADD COLUMN digest BOOLEAN DEFAULT false;
    ALTER TABLE chunk_tables ADD COLUMN scale BIGINT;
    UPDATE chunk_tables SET digest = tier IN ('hour', 'day');
    ",
];

/// The schema that this program writes.
pub(crate) const CURRENT: u32 = MIGRATIONS.len() as u32;

/// Brings a file to the current schema.
pub(crate) fn migrate(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let store = OpenError::store(path);
    let found = match version(connection) {
        Ok(found) => found,
        Err(error) => return Err(store(error)),
    };
    let found = match found {
        Found::Foreign => return Err(OpenError::Foreign { path: path.to_owned() }),
        Found::Empty => 0,
        Found::Version(found) if found > CURRENT => {
            return Err(OpenError::Newer { path: path.to_owned(), found, known: CURRENT });
        }
        Found::Version(found) => found,
    };
    apply(connection, found).map_err(store)
}

fn apply(connection: &Connection, found: u32) -> Result<(), StoreError> {
    if found == CURRENT {
        return Ok(());
    }
    transaction(connection, || {
        for step in &MIGRATIONS[found as usize..] {
            connection.execute_batch(step).during("cannot migrate the schema")?;
        }
        connection
            .execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [CURRENT.to_string()])
            .during("cannot record the schema version")?;
        Ok(())
    })?;
    // A log that mixes schema changes with data is what DuckDB's replay had its faults with: leave none.
    connection.execute_batch("CHECKPOINT").during("cannot checkpoint after the migration")
}

enum Found {
    Empty,
    Foreign,
    Version(u32),
}

fn version(connection: &Connection) -> Result<Found, StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        connection.query_row(sql, [], |row| row.get(0)).during("cannot list the tables")
    };
    if count("SELECT count(*) FROM duckdb_tables() WHERE NOT internal")? == 0 {
        return Ok(Found::Empty);
    }
    if count("SELECT count(*) FROM duckdb_columns() WHERE table_name = 'meta' AND column_name IN ('key', 'value')")?
        != 2
    {
        return Ok(Found::Foreign);
    }
    let mut statement = connection
        .prepare("SELECT value FROM meta WHERE key = 'schema_version' AND EXISTS (FROM meta WHERE key = 'store' AND value = 'metrics')")
        .during("cannot read the schema version")?;
    let values: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
    let values = values.during("cannot read the schema version")?;
    Ok(values.first().and_then(|value| value.parse().ok()).map_or(Found::Foreign, Found::Version))
}

/// Creates the view `points` where a file has none: a new one, and one of before the first chunk.
pub(crate) fn ensure_points_view(
    connection: &Connection,
    heads: &[u64],
    chunks: &[std::sync::Arc<Chunk>],
) -> Result<(), StoreError> {
    let count = "SELECT count(*) FROM duckdb_views() WHERE NOT internal AND view_name = 'points'";
    let found: u64 = connection.query_row(count, [], |row| row.get(0)).during("cannot list the views")?;
    if found > 0 {
        return Ok(());
    }
    replace_points_view(connection, heads, chunks)?;
    // As after a migration: no schema change stays in the log.
    connection.execute_batch("CHECKPOINT").during("cannot checkpoint after creating the view points")
}

/// Creates anew the view `points`, the store as its owner's SQL sees it: timestamp, name, labels (JSON), value.
pub(crate) fn replace_points_view(
    connection: &Connection,
    heads: &[u64],
    chunks: &[std::sync::Arc<Chunk>],
) -> Result<(), StoreError> {
    let heads = heads.iter().map(|head| format!("SELECT series, ts, value FROM head_{head}"));
    let chunks = chunks.iter().filter_map(|chunk| {
        let raw = chunk.table(Tier::Raw)?;
        let table = table_name(chunk.id, Tier::Raw);
        let value = raw.encoding().value_sql();
        Some(format!("SELECT series, {} + t * {} AS ts, {value} AS value FROM {table}", raw.base, raw.unit))
    });
    let union: Vec<String> = heads.chain(chunks).collect();
    let sql = format!(
        "CREATE OR REPLACE VIEW points AS \
         SELECT make_timestamp(p.ts) AS timestamp, s.name, s.labels, p.value \
         FROM ({}) p JOIN series s ON s.id = p.series",
        union.join(" UNION ALL ")
    );
    connection.execute_batch(&sql).during("cannot replace the view points")
}
