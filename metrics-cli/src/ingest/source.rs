//! A file, or stdin, as chunks of points.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use metrics_core::wire::arrow::ArrowReader;
use metrics_core::wire::csv::{CsvOptions, CsvReader};
use metrics_core::wire::json;
use metrics_core::wire::line::{self, LineOptions, Precision};
use metrics_core::wire::parquet::ParquetReader;
use metrics_core::wire::{Chunk, DecodeError, Place};
use metrics_core::{Batch, LabelError, Labels, SeriesKey, Timestamp};
use serde::de::IgnoredAny;

use super::json_elements::JsonElements;
use crate::args::FileFormat;
use crate::output::WrongUsage;

/// Bytes read at a time, and looked at to tell formats apart.
const BUFFER_BYTES: usize = 256 << 10;

/// What the command line says about every file.
#[derive(Debug, Clone)]
pub(crate) struct ReadOptions {
    pub(crate) format: FileFormat,
    pub(crate) csv: CsvOptions,
    pub(crate) precision: Option<Precision>,
}

/// Bytes read so far of all sources together.
pub(crate) type Progress = Arc<AtomicU64>;

type Input = BufReader<Counting<Box<dyn Read + Send>>>;

/// A reader that tells how far it is.
pub(crate) struct Counting<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.progress.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// An open file or stdin.
pub(crate) struct Source {
    /// What it is called in messages.
    pub(crate) name: String,
    /// Its length, where that is known.
    pub(crate) bytes: Option<u64>,
    path: PathBuf,
    input: Box<dyn Read + Send>,
}

impl Source {
    /// Opens a file; `-` is stdin.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self { name: "stdin".into(), bytes: None, path: path.to_owned(), input: Box::new(io::stdin()) });
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
        let about = file.metadata().with_context(|| format!("cannot read {name}"))?;
        if about.is_dir() {
            anyhow::bail!("{name} is a folder: name its files");
        }
        let bytes = about.is_file().then_some(about.len());
        Ok(Self { name, bytes, path: path.to_owned(), input: Box::new(file) })
    }

    /// Starts to read points.
    pub(crate) fn reader(self, options: &ReadOptions, progress: Progress) -> anyhow::Result<Reader> {
        let Self { name, bytes, path, input } = self;
        let mut input = BufReader::with_capacity(BUFFER_BYTES, Counting { inner: input, progress });
        let ReadOptions { format, csv, precision } = options;
        let format = match *format {
            FileFormat::Auto => detect(&path, &mut input).with_context(|| format!("reading {name} failed"))?,
            chosen => chosen,
        };
        if format != FileFormat::Line && precision.is_some() {
            return Err(WrongUsage(format!("--precision is for line protocol: {name} is in another format")).into());
        }
        let is_table = matches!(format, FileFormat::Csv | FileFormat::Parquet | FileFormat::Arrow);
        if !is_table && csv.name.is_some() {
            return Err(WrongUsage(format!(
                "--name is for CSV, Parquet and Arrow files: the points of {name} have their own"
            ))
            .into());
        }
        let now = Timestamp::now();
        let rows = match format {
            FileFormat::Csv => Rows::Csv(
                CsvReader::new(input, csv.clone())
                    .map_err(|error| unusable(&name, bytes.and(path.file_stem()), &error))?,
            ),
            FileFormat::Parquet if bytes.is_none() => {
                let message = format!("a Parquet file is read from its end, which {name} has not: give a file's name");
                return Err(WrongUsage(message).into());
            }
            FileFormat::Parquet => {
                let file = File::open(&path).with_context(|| format!("cannot open {name}"))?;
                let reader = ParquetReader::new(file, csv.name.clone());
                let reader = reader.map_err(|error| unusable(&name, path.file_stem(), &error))?;
                let progress = Arc::clone(&input.get_ref().progress);
                // What was looked at to tell formats apart is read once more.
                let counted = input.buffer().len() as u64;
                Rows::Parquet(Box::new(Parquet { reader, progress, bytes: bytes.unwrap_or(0), counted }))
            }
            FileFormat::Arrow => Rows::Arrow(Box::new(
                ArrowReader::new(input, csv.name.clone())
                    .map_err(|error| unusable(&name, bytes.and(path.file_stem()), &error))?,
            )),
            FileFormat::Json => Rows::Elements(json::LinesReader::new(BufReader::new(JsonElements::new(input)), now)),
            FileFormat::Ndjson | FileFormat::Auto => Rows::Lines(json::LinesReader::new(input, now)),
            FileFormat::Line => {
                let options = LineOptions { precision: precision.unwrap_or_default(), now };
                Rows::LineProtocol(line::LinesReader::new(input, options))
            }
        };
        Ok(Reader { rows, labels: csv.labels.clone() })
    }
}

/// A header that lacks the name gets told the option that gives one.
fn unusable(name: &str, stem: Option<&OsStr>, error: &DecodeError) -> anyhow::Error {
    let hint = match (error, stem) {
        (DecodeError::Header(message) | DecodeError::Schema(message), Some(stem)) if message.contains("name") => {
            format!(" (for example --name {})", stem.to_string_lossy())
        }
        _ => String::new(),
    };
    anyhow::anyhow!("{name}: {error}{hint}")
}

/// Points of a source.
pub(crate) struct Reader {
    rows: Rows,
    labels: Labels,
}

enum Rows {
    Csv(CsvReader<Input>),
    Lines(json::LinesReader<Input>),
    Elements(json::LinesReader<BufReader<JsonElements<Input>>>),
    LineProtocol(line::LinesReader<Input>),
    Arrow(Box<ArrowReader<Input>>),
    Parquet(Box<Parquet>),
}

/// A Parquet file, whose progress is told by rows.
struct Parquet {
    reader: ParquetReader,
    progress: Progress,
    /// The file's length.
    bytes: u64,
    /// As much of it as was told to be read.
    counted: u64,
}

impl Parquet {
    fn next_batch(&mut self, most: usize) -> Result<Option<Chunk>, DecodeError> {
        let chunk = self.reader.next_batch(most)?;
        let (rows, all) = self.reader.progress();
        let bytes = (u128::from(self.bytes) * u128::from(rows) / u128::from(all.max(1))) as u64;
        self.progress.fetch_add(bytes.saturating_sub(self.counted), Ordering::Relaxed);
        self.counted = self.counted.max(bytes);
        Ok(chunk)
    }
}

impl Reader {
    /// The next rows, at most `most`; none at the end.
    pub(crate) fn next_chunk(&mut self, most: usize) -> anyhow::Result<Option<Chunk>> {
        let chunk = match &mut self.rows {
            Rows::Csv(reader) => return Ok(reader.next_batch(most)?),
            Rows::Lines(reader) => reader.next_batch(most)?,
            Rows::Elements(reader) => reader.next_batch(most)?.map(by_index),
            Rows::LineProtocol(reader) => reader.next_batch(most)?,
            Rows::Arrow(reader) => reader.next_batch(most)?,
            Rows::Parquet(reader) => reader.next_batch(most)?,
        };
        let Some(mut chunk) = chunk else { return Ok(None) };
        if !self.labels.is_empty() {
            chunk.batch = labelled(chunk.batch, &self.labels)?;
        }
        Ok(Some(chunk))
    }

    /// Text fields met so far, which hold no number.
    pub(crate) fn skipped_strings(&self) -> u64 {
        match &self.rows {
            Rows::LineProtocol(reader) => reader.skipped_strings(),
            _ => 0,
        }
    }
}

/// Errors of elements, which were read as lines, under the elements' index.
fn by_index(mut chunk: Chunk) -> Chunk {
    for error in &mut chunk.errors {
        if let Place::Line(line) = error.place {
            error.place = Place::Index(usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX));
        }
    }
    chunk
}

/// The batch with labels added to each series; where a series has one of them already, the added one stands.
fn labelled(batch: Batch, labels: &Labels) -> Result<Batch, LabelError> {
    let mut relabelled = Batch::new();
    let mut series = Vec::with_capacity(batch.series().len());
    for key in batch.series() {
        let own = key.labels.iter().filter(|(name, _)| labels.get(name).is_none());
        let merged = Labels::new(own.chain(labels.iter()))?;
        series.push(relabelled.intern(SeriesKey::new(key.name.clone(), merged)));
    }
    for sample in batch.samples() {
        relabelled.push_any(series[sample.series.index()], sample.timestamp, sample.value);
    }
    Ok(relabelled)
}

/// The format by the file's ending, else by its first bytes.
fn detect(path: &Path, input: &mut impl BufRead) -> io::Result<FileFormat> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("csv") => return Ok(FileFormat::Csv),
        Some("ndjson" | "jsonl") => return Ok(FileFormat::Ndjson),
        Some("lp" | "line") => return Ok(FileFormat::Line),
        Some("parquet" | "pq") => return Ok(FileFormat::Parquet),
        Some("arrow" | "arrows" | "feather" | "ipc") => return Ok(FileFormat::Arrow),
        _ => {}
    }
    let start = input.fill_buf()?;
    if start.starts_with(b"PAR1") {
        return Ok(FileFormat::Parquet);
    }
    if start.starts_with(b"ARROW1") || start.starts_with(&[0xFF; 4]) {
        return Ok(FileFormat::Arrow);
    }
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Ok(match start.first() {
        Some(b'[') => FileFormat::Json,
        Some(b'{') if serde_json::from_slice::<IgnoredAny>(line).is_ok() => FileFormat::Ndjson,
        Some(b'{') => FileFormat::Json,
        _ if ending.as_deref() == Some("json") => FileFormat::Json,
        _ => FileFormat::Csv,
    })
}

#[cfg(test)]
mod tests {
    use metrics_core::MetricName;

    use super::*;

    fn format_of(path: &str, content: &str) -> FileFormat {
        detect(Path::new(path), &mut content.as_bytes()).expect("memory can be read")
    }

    #[test]
    fn the_format_follows_from_ending_or_content() {
        assert_eq!(format_of("a.csv", "{}"), FileFormat::Csv);
        assert_eq!(format_of("a.JSONL", ""), FileFormat::Ndjson);
        assert_eq!(format_of("-", " \n[{}]"), FileFormat::Json);
        assert_eq!(format_of("-", "{\"name\":\"a\"}\n{"), FileFormat::Ndjson);
        assert_eq!(format_of("-", "{\n\"name\":\"a\"}"), FileFormat::Json);
        assert_eq!(format_of("a.json", "{\"name\":\"a\"}\n{\"name\":\"b\"}\n"), FileFormat::Ndjson);
        assert_eq!(format_of("-", "timestamp,value\n"), FileFormat::Csv);
        assert_eq!(format_of("a.txt", ""), FileFormat::Csv);
        assert_eq!(format_of("a.lp", "{}"), FileFormat::Line);
        assert_eq!(format_of("a.Line", ""), FileFormat::Line);
    }

    fn source(content: impl Into<Vec<u8>>) -> Source {
        let input: Box<dyn Read + Send> = Box::new(io::Cursor::new(content.into()));
        Source { name: "test".into(), bytes: None, path: "-".into(), input }
    }

    fn options(format: FileFormat, labels: &[(&str, &str)]) -> ReadOptions {
        let csv = CsvOptions { name: None, labels: Labels::new(labels.iter().copied()).expect("valid") };
        ReadOptions { format, csv, precision: None }
    }

    fn read(format: FileFormat, content: impl Into<Vec<u8>>, labels: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut reader = source(content).reader(&options(format, labels), Progress::default()).expect("a reader");
        let (mut points, mut errors) = (Vec::new(), Vec::new());
        while let Some(chunk) = reader.next_chunk(2).expect("readable") {
            points.extend(chunk.batch.points().map(|(key, at, value)| format!("{key} {at} {value}")));
            errors.extend(chunk.errors.iter().map(ToString::to_string));
        }
        (points, errors)
    }

    #[test]
    fn an_array_gives_its_elements_and_the_index_of_the_bad_one() {
        let json = r#"[{"name":"a","value":1,"timestamp":0},
            {"name":"a","value":null}, {"name":"b", "value":2,
             "timestamp":"2024-02-02"}]"#;
        let (points, errors) = read(FileFormat::Auto, json, &[]);
        assert_eq!(points, ["a 1970-01-01T00:00:00Z 1", "b 2024-02-02T00:00:00Z 2"]);
        assert!(errors.len() == 1 && errors[0].starts_with("index 1: value"), "{errors:?}");
    }

    #[test]
    fn line_protocol_is_read_in_parts_with_the_lines_of_the_file() {
        let text = "a v=1,w=2i 1000\nbad\n\n# no \"\nb s=\"x\ny, \\\"z=\n\",v=3 1000\nb v=\nc v=4 1000";
        let (points, errors) = read(FileFormat::Line, text, &[("dc", "eu")]);
        let at = "{dc=\"eu\"} 1970-01-01T00:00:00.000001Z";
        let expected = [format!("a_v{at} 1"), format!("a_w{at} 2"), format!("b_v{at} 3"), format!("c_v{at} 4")];
        assert_eq!(points, expected);
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("line 2: no field") && errors[1].starts_with("line 8: v: "), "{errors:?}");
    }

    #[test]
    fn line_protocol_cut_anywhere_is_read_as_the_whole() {
        let parts =
            ["m v=1 1000\n", "m s=\"a\nb\",v=2 1000\n", "n\"=x,v=3 1000\n", "m,t=\"x v=4 1000\r\n", "\n", "z\n"];
        for first in 0..parts.len() {
            for second in 0..parts.len() {
                let text = format!("\u{feff}{}{}{}{}", parts[first], parts[second], parts[first], parts[5]);
                let now = LineOptions { precision: Precision::default(), now: Timestamp::now() };
                let whole = line::decode(text.as_bytes(), &now);
                let expected: Vec<_> =
                    whole.batch.points().map(|(key, at, value)| format!("{key} {at} {value}")).collect();
                let told: Vec<_> = whole.errors.iter().map(ToString::to_string).collect();
                assert_eq!(read(FileFormat::Line, text.as_str(), &[]), (expected, told), "{text:?}");
            }
        }
    }

    #[test]
    fn long_lines_and_texts_are_bad_lines_and_those_around_them_are_read() {
        let long = "x".repeat(line::MAX_LINE_BYTES);
        let open = format!("m s=\"open\n{}", "m v=2 1000\n".repeat(line::MAX_LINE_BYTES / 11));
        let text = format!("m v=1 1000\nm s=\"{long}\" 1000\nm v=1 1000\n{open}m v=3 1000\n");
        let (points, errors) = read(FileFormat::Line, text, &[]);
        assert_eq!(errors[0], "line 2: longer than 1048576 bytes: split it");
        assert!(errors.len() == 2 && errors[1].starts_with("line 4: s: the text is not closed"), "{errors:?}");
        assert_eq!(points.len(), 3 + line::MAX_LINE_BYTES / 11);
        assert_eq!(points.last().map(String::as_str), Some("m_v 1970-01-01T00:00:00.000001Z 3"));
    }

    #[test]
    fn a_precision_counts_and_is_for_line_protocol_only() {
        let options = |format| ReadOptions { precision: Some(Precision::Seconds), ..options(format, &[]) };
        let mut reader = source("m v=1 5").reader(&options(FileFormat::Line), Progress::default()).expect("a reader");
        let chunk = reader.next_chunk(10).expect("readable").expect("a line");
        assert_eq!(chunk.batch.samples()[0].timestamp.micros(), 5_000_000);
        let error = source("timestamp,name,value\n").reader(&options(FileFormat::Csv), Progress::default()).err();
        assert!(error.expect("refused").is::<WrongUsage>());
    }

    #[test]
    fn labels_of_the_command_line_are_on_every_point_of_every_format() {
        let ndjson = "{\"name\":\"a\",\"value\":1,\"timestamp\":0,\"labels\":{\"dc\":\"x\",\"host\":\"h\"}}\n";
        let csv = "timestamp,name,value,host\n0,a,1,h\n";
        for content in [ndjson, csv] {
            assert_eq!(
                read(FileFormat::Auto, content, &[("dc", "eu")]).0,
                ["a{dc=\"eu\",host=\"h\"} 1970-01-01T00:00:00Z 1"]
            );
        }
    }

    #[test]
    fn a_name_for_points_that_have_one_is_wrong_usage() {
        let mut options = options(FileFormat::Auto, &[]);
        options.csv.name = Some(MetricName::new("a").expect("valid"));
        let error = source("{\"name\":\"b\",\"value\":1}\n").reader(&options, Progress::default()).err();
        assert!(error.expect("refused").is::<WrongUsage>());
    }
}
