//! Head tables: points in the order in which they arrived, durable before anyone is told so.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use duckdb::Connection;

use super::chunk::ChunkTable;
use super::error::{During, StoreError};
use super::memtable::Row;
use super::registry::SeriesId;
use crate::model::{Labels, SeriesKey};

/// Number of a head table; the highest takes the points that arrive.
pub(crate) type HeadId = u64;

fn head_name(head: HeadId) -> String {
    format!("head_{head}")
}

/// A batch of required columns.
pub(crate) fn record_batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), false);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(schema), arrays).expect("the columns have one length and no nulls")
}

/// Appends a batch to a table inside the connection's transaction. Errors show at `flush`, not before.
pub(crate) fn append(connection: &Connection, table: &str, batch: RecordBatch) -> Result<(), StoreError> {
    let action = "cannot append";
    let mut appender = connection.appender(table).during(action)?;
    appender.append_record_batch(batch).during(action)?;
    appender.flush().during(action)
}

/// Points up to which a kept statement for each takes less time than an appender, which is planned anew.
const FEW_ROWS: usize = 4;

/// Appends points to a head table.
pub(crate) fn append_rows(connection: &Connection, head: HeadId, rows: &[Row]) -> Result<(), StoreError> {
    if rows.len() <= FEW_ROWS {
        return insert_rows(connection, head, rows);
    }
    let batch = record_batch(vec![
        ("series", Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.series.0)))),
        ("ts", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.at)))),
        ("value", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value)))),
    ]);
    append(connection, &head_name(head), batch)
}

fn insert_rows(connection: &Connection, head: HeadId, rows: &[Row]) -> Result<(), StoreError> {
    let action = "cannot insert";
    let sql = format!("INSERT INTO {} VALUES (?, ?, ?)", head_name(head));
    let mut statement = connection.prepare_cached(&sql).during(action)?;
    rows.iter().try_for_each(|row| {
        statement.execute(duckdb::params![row.series.0, row.at, row.value]).during(action).map(|_| ())
    })
}

/// Appends new series.
pub(crate) fn append_series(connection: &Connection, series: &[(SeriesId, SeriesKey)]) -> Result<(), StoreError> {
    let labels = |key: &SeriesKey| {
        let pairs: std::collections::BTreeMap<&str, &str> = key.labels.iter().collect();
        serde_json::to_string(&pairs).expect("a map of strings is JSON")
    };
    let batch = record_batch(vec![
        ("id", Arc::new(UInt64Array::from_iter_values(series.iter().map(|(id, _)| id.0)))),
        ("name", Arc::new(StringArray::from_iter_values(series.iter().map(|(_, key)| key.name.as_str())))),
        ("labels", Arc::new(StringArray::from_iter_values(series.iter().map(|(_, key)| labels(key))))),
    ]);
    append(connection, "series", batch)
}

/// Reads the stored form of labels.
pub(crate) fn parse_labels(text: &str) -> Option<Labels> {
    let pairs: std::collections::BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    Labels::new(pairs).ok()
}

/// The head tables of the file, ascending.
pub(crate) fn list(connection: &Connection) -> Result<Vec<HeadId>, StoreError> {
    let action = "cannot list the head tables";
    let mut statement = connection
        .prepare("SELECT table_name FROM duckdb_tables() WHERE NOT internal AND starts_with(table_name, 'head_')")
        .during(action)?;
    let names: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
    let mut heads: Vec<HeadId> =
        names.during(action)?.iter().filter_map(|name| name.strip_prefix("head_")?.parse().ok()).collect();
    heads.sort_unstable();
    Ok(heads)
}

/// Creates a head table. Its points stay in it for so short a time that looking for the best compression of them, at
/// the checkpoints in between, would take longer than writing them as they are.
pub(crate) fn create(connection: &Connection, head: HeadId) -> Result<(), StoreError> {
    let plain = "USING COMPRESSION uncompressed NOT NULL";
    let sql =
        format!("CREATE TABLE {}(series UBIGINT {plain}, ts BIGINT {plain}, value DOUBLE {plain})", head_name(head));
    connection.execute_batch(&sql).during("cannot create a head table")
}

/// Drops a head table whose points are in chunks.
pub(crate) fn drop_table(connection: &Connection, head: HeadId) -> Result<(), StoreError> {
    connection.execute_batch(&format!("DROP TABLE {}", head_name(head))).during("cannot drop a head table")
}

/// How many points a head table holds.
pub(crate) fn count(connection: &Connection, head: HeadId) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {}", head_name(head));
    connection.query_row(&sql, [], |row| row.get(0)).during("cannot count the points of a head table")
}

/// Reads the points of a head table.
pub(crate) fn load(connection: &Connection, head: HeadId) -> Result<Vec<Row>, StoreError> {
    let action = "cannot read a head table";
    let mut statement =
        connection.prepare(&format!("SELECT series, ts, value FROM {}", head_name(head))).during(action)?;
    let mut rows = Vec::new();
    for batch in statement.stream_arrow([]).during(action)? {
        let batch = batch.during(action)?;
        let columns = Columns::of(&batch);
        let (series, times, values) = (columns.u64s(0)?, columns.i64s(1)?, columns.f64s(2)?);
        rows.extend((0..batch.num_rows()).map(|i| Row { series: SeriesId(series[i]), at: times[i], value: values[i] }));
    }
    Ok(rows)
}

/// The columns of a batch as slices of their types.
pub(crate) struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Self {
        Self(batch)
    }

    pub(crate) fn batch(&self) -> &'a RecordBatch {
        self.0
    }

    fn column<T: 'static>(&self, index: usize, expected: DataType) -> Result<&'a T, StoreError> {
        self.0.column(index).as_any().downcast_ref::<T>().ok_or_else(|| {
            let found = self.0.column(index).data_type();
            StoreError::new("cannot read a column", format!("it is {found}, not {expected}"))
        })
    }

    pub(crate) fn u64s(&self, index: usize) -> Result<&'a [u64], StoreError> {
        Ok(self.column::<UInt64Array>(index, DataType::UInt64)?.values())
    }

    pub(crate) fn i64s(&self, index: usize) -> Result<&'a [i64], StoreError> {
        Ok(self.column::<Int64Array>(index, DataType::Int64)?.values())
    }

    pub(crate) fn f64s(&self, index: usize) -> Result<&'a [f64], StoreError> {
        Ok(self.column::<Float64Array>(index, DataType::Float64)?.values())
    }

    /// The values of points as they were before they were stored.
    pub(crate) fn values(&self, index: usize, table: &ChunkTable) -> Result<Cow<'a, [f64]>, StoreError> {
        Ok(match table.scale {
            None => Cow::Borrowed(self.f64s(index)?),
            Some(scale) => self.i64s(index)?.iter().map(|&value| value as f64 / scale as f64).collect(),
        })
    }

    pub(crate) fn blobs(&self, index: usize) -> Result<&'a arrow::array::BinaryArray, StoreError> {
        self.column(index, DataType::Binary)
    }
}
