//! Points as a file of a format.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::source::Exported;
use super::{ExportError, ExportFormat, ExportRequest};
use crate::encode::csv::{push_cell, push_value};
use crate::encode::text::{push_labels, push_time};
use crate::model::SeededMap;
use crate::store::{DiskSpace, Row, SeriesId, StoreError};

/// Rows that are handed to a writer at a time.
const BATCH_ROWS: usize = 65_536;
/// Rows of a Parquet row group: what a reader has to take at least for one series, and what is in memory meanwhile.
const GROUP_ROWS: usize = 262_144;
/// Smaller files than zstd's fastest, at a speed that the disk does not notice.
const ZSTD_LEVEL: i32 = 3;

/// A file that may neither pass its limit nor fill the disk.
struct Limited {
    file: BufWriter<File>,
    space: DiskSpace,
    limit_bytes: u64,
    left: u64,
    /// Set where it would have; writers wrap errors in their own.
    refused: Refused,
}

type Refused = Arc<OnceLock<ExportError>>;

impl Limited {
    fn refuse(&self, why: ExportError) -> io::Error {
        let error = io::Error::other(why.to_string());
        // The first reason is the one to tell.
        let _ = self.refused.set(why);
        error
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(self.refuse(ExportError::TooLarge { limit_bytes: self.limit_bytes }));
        };
        self.space.take(bytes.len() as u64, 0).map_err(|full| self.refuse(full.into()))?;
        let count = self.file.write(bytes)?;
        self.left = left + (bytes.len() - count) as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Names and labels of the exported series, each text once, and which of them are whose.
struct Words {
    of_series: Vec<(SeriesId, i32, i32)>,
    names: Arc<StringArray>,
    labels: Arc<StringArray>,
}

enum Writer {
    Parquet(Box<ArrowWriter<Limited>>),
    Arrow(Box<StreamWriter<Limited>>),
    Csv(Limited),
}

/// Writes points into a file.
pub(super) struct Sink {
    writer: Writer,
    schema: SchemaRef,
    words: Words,
    rows: u64,
    refused: Refused,
}

impl Sink {
    pub(super) fn new(
        file: File,
        request: &ExportRequest,
        space: DiskSpace,
        series: &[Exported],
    ) -> Result<Self, ExportError> {
        let refused = Refused::default();
        let (file, limit_bytes) = (BufWriter::new(file), request.limit_bytes);
        let mut file = Limited { file, space, limit_bytes, left: limit_bytes, refused: Arc::clone(&refused) };
        let schema = schema();
        let opened = match request.format {
            ExportFormat::Parquet => ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties()))
                .map(|writer| Writer::Parquet(Box::new(writer)))
                .map_err(io::Error::other),
            ExportFormat::Arrow => StreamWriter::try_new(file, &schema)
                .map(|writer| Writer::Arrow(Box::new(writer)))
                .map_err(io::Error::other),
            ExportFormat::Csv => file.write_all(b"timestamp,name,labels,value\n").map(|()| Writer::Csv(file)),
        };
        let writer = opened.map_err(|error| failed(&refused, error))?;
        Ok(Self { writer, schema, words: Words::of(series), rows: 0, refused })
    }

    /// Appends points.
    pub(super) fn write(&mut self, rows: &[Row]) -> Result<(), ExportError> {
        for rows in rows.chunks(BATCH_ROWS) {
            let written = match &mut self.writer {
                Writer::Csv(file) => file.write_all(&self.words.csv(rows)),
                Writer::Parquet(writer) => {
                    writer.write(&self.words.table(&self.schema, rows)).map_err(io::Error::other)
                }
                Writer::Arrow(writer) => writer.write(&self.words.table(&self.schema, rows)).map_err(io::Error::other),
            };
            written.map_err(|error| failed(&self.refused, error))?;
            self.rows += rows.len() as u64;
        }
        Ok(())
    }

    /// Ends the file; gives back how many points it has.
    pub(super) fn finish(self) -> Result<u64, ExportError> {
        let ended = match self.writer {
            Writer::Csv(file) => Ok(file),
            Writer::Parquet(writer) => writer.into_inner().map_err(io::Error::other),
            Writer::Arrow(writer) => writer.into_inner().map_err(io::Error::other),
        };
        let flushed = ended.and_then(|mut file| file.flush());
        flushed.map_err(|error| failed(&self.refused, error))?;
        Ok(self.rows)
    }
}

fn failed(refused: &Refused, error: io::Error) -> ExportError {
    refused.get().cloned().unwrap_or_else(|| StoreError::new("cannot export", error).into())
}

fn schema() -> SchemaRef {
    let text = |name| Field::new_dictionary(name, DataType::Int32, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        Field::new("timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        text("name"),
        text("labels"),
        Field::new("value", DataType::Float64, false),
    ]))
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    let timestamp = || ColumnPath::from("timestamp");
    WriterProperties::builder()
        .set_created_by(concat!("metrics-core ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        // Steps between times are small and repeat, where the times themselves hardly do.
        .set_column_dictionary_enabled(timestamp(), false)
        .set_column_encoding(timestamp(), Encoding::DELTA_BINARY_PACKED)
        .build()
}

impl Words {
    fn of(series: &[Exported]) -> Self {
        let (mut names, mut labels) = (Unique::default(), Unique::default());
        let of_series = series.iter().map(|series| {
            let mut text = Vec::new();
            push_labels(&mut text, &series.key.labels);
            let text = String::from_utf8(text).expect("JSON of texts is UTF-8");
            (series.id, names.number(series.key.name.as_str().to_owned()), labels.number(text))
        });
        let of_series = of_series.collect();
        Self { of_series, names: Arc::new(names.words.into()), labels: Arc::new(labels.words.into()) }
    }

    /// Numbers of the name and of the labels of a series.
    fn numbers(&self, series: SeriesId) -> (i32, i32) {
        let at = self.of_series.binary_search_by_key(&series, |(id, ..)| *id);
        let (_, name, labels) = self.of_series[at.expect("only series that were selected are read")];
        (name, labels)
    }

    fn table(&self, schema: &SchemaRef, rows: &[Row]) -> RecordBatch {
        let (mut names, mut labels) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for run in rows.chunk_by(|a, b| a.series == b.series) {
            let (name, label) = self.numbers(run[0].series);
            names.extend(std::iter::repeat_n(name, run.len()));
            labels.extend(std::iter::repeat_n(label, run.len()));
        }
        let dictionary = |keys: Vec<i32>, words: &Arc<StringArray>| {
            let words = Arc::clone(words) as ArrayRef;
            let texts = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), words);
            Arc::new(texts.expect("every number is one of the words'")) as ArrayRef
        };
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.at)).with_timezone("UTC");
        let columns = vec![
            Arc::new(times) as ArrayRef,
            dictionary(names, &self.names),
            dictionary(labels, &self.labels),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value))),
        ];
        RecordBatch::try_new(Arc::clone(schema), columns).expect("the columns are the schema's, of one length")
    }

    fn csv(&self, rows: &[Row]) -> Vec<u8> {
        let mut out = Vec::with_capacity(rows.len() * 64);
        for run in rows.chunk_by(|a, b| a.series == b.series) {
            let (name, labels) = self.numbers(run[0].series);
            let mut key = vec![b','];
            push_cell(&mut key, self.names.value(name as usize));
            key.push(b',');
            push_cell(&mut key, self.labels.value(labels as usize));
            key.push(b',');
            for row in run {
                push_time(&mut out, crate::model::Timestamp::clamped(row.at));
                out.extend_from_slice(&key);
                push_value(&mut out, row.value);
                out.push(b'\n');
            }
        }
        out
    }
}

/// Texts in order of their first appearance.
#[derive(Default)]
struct Unique {
    numbers: SeededMap<String, i32>,
    words: Vec<String>,
}

impl Unique {
    fn number(&mut self, word: String) -> i32 {
        let next = i32::try_from(self.words.len()).expect("the series limit is below 2^31");
        *self.numbers.entry(word).or_insert_with_key(|word| {
            self.words.push(word.clone());
            next
        })
    }
}
