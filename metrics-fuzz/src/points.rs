//! Bytes that hold points.

use std::fs::File;
use std::io::{Seek, Write};

use metrics_core::wire::otlp::OtlpEncoding;
use metrics_core::wire::{DecodeError, MAX_LISTED_ROWS, RowError, arrow, csv, json, line, otlp, parquet, remote_write};
use metrics_core::{Batch, MetricName, Timestamp};

/// Bytes that Arrow's tables may be worth, as a server allows by default.
const TABLE_BYTES: usize = 32 << 20;
/// Rows that a reader is asked for at a time: several times even for small bodies.
const ROWS: usize = 3;

fn now() -> Timestamp {
    Timestamp::clamped(1_706_874_182_000_000)
}

fn metric() -> Option<MetricName> {
    MetricName::new("cpu").ok()
}

/// Points are finite, and no more of them than the bytes can hold: each takes one at least.
fn sane(batch: &Batch, data: &[u8]) {
    assert!(batch.samples().iter().all(|sample| sample.value.is_finite()), "a value that is none");
    assert!(batch.len() <= data.len(), "{} points of {} bytes", batch.len(), data.len());
}

fn listed(errors: &[RowError], total: usize) {
    assert!(errors.len() <= MAX_LISTED_ROWS && errors.len() <= total);
    assert!(errors.iter().all(|error| !error.message.is_empty()), "{errors:?}");
}

/// A whole body is taken or refused with words, of a bounded length.
fn told(result: Result<Batch, DecodeError>, data: &[u8]) -> Option<Batch> {
    match result {
        Ok(batch) => {
            sane(&batch, data);
            Some(batch)
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 64 << 10, "{} bytes of words", text.len());
            None
        }
    }
}

fn same(a: &Batch, b: &Batch) {
    assert!(a.points().eq(b.points()), "the same points read in two ways differ");
}

/// What is read writes and reads back as the same.
pub(super) fn json(data: &[u8]) {
    if let Some(batch) = told(json::decode(data, now()), data) {
        let again = json::decode(&json::encode(&batch), now()).expect("what was written reads back");
        same(&batch, &again);
    }
}

/// A body read whole and the same read in pieces are the same.
pub(super) fn ndjson(data: &[u8]) {
    let whole = told(json::decode_lines(data, now()), data);
    let mut reader = json::LinesReader::new(data, now());
    let pieces =
        in_pieces(|| reader.next_batch(ROWS).map(|chunk| chunk.map(|chunk| (chunk.batch, chunk.errors.len()))));
    agree(whole.as_ref(), pieces);
}

/// As [`ndjson`], with and without a name for the rows.
pub(super) fn csv(data: &[u8]) {
    for name in [None, metric()] {
        let options = csv::CsvOptions { name, ..csv::CsvOptions::default() };
        let whole = told(csv::decode(data, &options), data);
        let Ok(mut reader) = csv::CsvReader::new(data, options) else { continue };
        let pieces =
            in_pieces(|| reader.next_batch(ROWS).map(|chunk| chunk.map(|chunk| (chunk.batch, chunk.errors.len()))));
        agree(whole.as_ref(), pieces);
    }
}

/// Good lines are points, bad ones are listed, in every precision.
pub(super) fn line(data: &[u8]) {
    use line::Precision::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    for precision in [Nanoseconds, Microseconds, Milliseconds, Seconds] {
        let options = line::LineOptions { precision, now: now() };
        let outcome = line::decode(data, &options);
        sane(&outcome.batch, data);
        listed(&outcome.errors, outcome.error_count);
        let mut reader = line::LinesReader::new(data, options);
        if let Some((points, errors)) =
            in_pieces(|| reader.next_batch(ROWS).map(|chunk| chunk.map(|chunk| (chunk.batch, chunk.errors.len()))))
        {
            assert_eq!((points, errors), (outcome.batch.len(), outcome.error_count), "in pieces and whole");
        }
    }
}

/// Reads until the end; the points and the bad rows, unless the reader gave up.
fn in_pieces(mut next: impl FnMut() -> Result<Option<(Batch, usize)>, DecodeError>) -> Option<(usize, usize)> {
    let (mut points, mut errors) = (0, 0);
    loop {
        match next() {
            Ok(Some((batch, bad))) => (points, errors) = (points + batch.len(), errors + bad),
            Ok(None) => return Some((points, errors)),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return None;
            }
        }
    }
}

/// What is taken whole is taken in pieces, with as many points and nothing bad.
fn agree(whole: Option<&Batch>, pieces: Option<(usize, usize)>) {
    if let Some(batch) = whole {
        assert_eq!(pieces, Some((batch.len(), 0)), "in pieces and whole");
    }
}

/// Good samples are points, bad ones are listed.
pub(super) fn remote_write(data: &[u8]) {
    if let Ok(outcome) = remote_write::decode(data) {
        assert!(outcome.batch.len() <= data.len());
        listed(&outcome.errors, outcome.error_count);
    }
}

pub(super) fn otlp_protobuf(data: &[u8]) {
    otlp(data, OtlpEncoding::Protobuf);
}

pub(super) fn otlp_json(data: &[u8]) {
    otlp(data, OtlpEncoding::Json);
}

fn otlp(data: &[u8], encoding: OtlpEncoding) {
    if let Ok(outcome) = otlp::decode(data, encoding, now()) {
        assert!(
            outcome.batch.len() <= data.len().saturating_mul(2),
            "{} points of {} bytes",
            outcome.batch.len(),
            data.len()
        );
        listed(&outcome.errors, outcome.errors.len().max(outcome.rejected));
    }
}

/// A stream or a file is read or refused, whatever its lengths and offsets say.
pub(super) fn arrow(data: &[u8]) {
    for name in [None, metric()] {
        let whole = arrow::decode(data, name.clone(), TABLE_BYTES);
        let whole = whole.inspect(finite).ok();
        let Ok(mut reader) = arrow::ArrowReader::new(data, name) else { continue };
        let pieces =
            in_pieces(|| reader.next_batch(ROWS).map(|chunk| chunk.map(|chunk| (chunk.batch, chunk.errors.len()))));
        agree(whole.as_ref(), pieces);
    }
}

/// As [`arrow()`], from a file.
pub(super) fn parquet(data: &[u8]) {
    let written = |data: &[u8]| -> std::io::Result<File> {
        let mut file = tempfile::tempfile()?;
        file.write_all(data)?;
        file.rewind()?;
        Ok(file)
    };
    for name in [None, metric()] {
        let file = written(data).expect("a temporary file takes it");
        let Ok(mut reader) = parquet::ParquetReader::new(file, name) else { continue };
        while let Ok(Some(chunk)) = reader.next_batch(ROWS) {
            finite(&chunk.batch);
        }
    }
}

/// Tables repeat texts and numbers, so that their bytes say little about how many rows they have.
fn finite(batch: &Batch) {
    assert!(batch.samples().iter().all(|sample| sample.value.is_finite()), "a value that is none");
}
