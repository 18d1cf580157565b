//! A file, or stdin, as chunks of points.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use metrics_core::wire::csv::{CsvOptions, CsvReader};
use metrics_core::wire::json::LinesReader;
use metrics_core::wire::{Chunk, DecodeError, Place};
use metrics_core::{Batch, LabelError, Labels, SeriesKey, Timestamp};
use serde::de::IgnoredAny;

use super::json_elements::JsonElements;
use crate::args::FileFormat;
use crate::output::WrongUsage;

/// Bytes read at a time, and looked at to tell formats apart.
const BUFFER_BYTES: usize = 256 << 10;

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

    /// Starts to read points. `options` holds what the command line says about every file.
    pub(crate) fn reader(self, format: FileFormat, options: &CsvOptions, progress: Progress) -> anyhow::Result<Reader> {
        let Self { name, bytes, path, input } = self;
        let mut input = BufReader::with_capacity(BUFFER_BYTES, Counting { inner: input, progress });
        let format = match format {
            FileFormat::Auto => detect(&path, &mut input).with_context(|| format!("reading {name} failed"))?,
            chosen => chosen,
        };
        if format != FileFormat::Csv && options.name.is_some() {
            return Err(WrongUsage(format!("--name is for CSV files: the points of {name} have their own")).into());
        }
        let now = Timestamp::now();
        let rows = match format {
            FileFormat::Csv => Rows::Csv(
                CsvReader::new(input, options.clone())
                    .map_err(|error| unusable(&name, bytes.and(path.file_stem()), &error))?,
            ),
            FileFormat::Json => Rows::Elements(LinesReader::new(BufReader::new(JsonElements::new(input)), now)),
            FileFormat::Ndjson | FileFormat::Auto => Rows::Lines(LinesReader::new(input, now)),
        };
        Ok(Reader { rows, labels: options.labels.clone() })
    }
}

/// A header that lacks the name gets told the option that gives one.
fn unusable(name: &str, stem: Option<&OsStr>, error: &DecodeError) -> anyhow::Error {
    let hint = match (error, stem) {
        (DecodeError::Header(message), Some(stem)) if message.contains("name") => {
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
    Lines(LinesReader<Input>),
    Elements(LinesReader<BufReader<JsonElements<Input>>>),
}

impl Reader {
    /// The next rows, at most `most`; none at the end.
    pub(crate) fn next_chunk(&mut self, most: usize) -> anyhow::Result<Option<Chunk>> {
        let chunk = match &mut self.rows {
            Rows::Csv(reader) => return Ok(reader.next_batch(most)?),
            Rows::Lines(reader) => reader.next_batch(most)?,
            Rows::Elements(reader) => reader.next_batch(most)?.map(by_index),
        };
        let Some(mut chunk) = chunk else { return Ok(None) };
        if !self.labels.is_empty() {
            chunk.batch = labelled(chunk.batch, &self.labels)?;
        }
        Ok(Some(chunk))
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
        _ => {}
    }
    let start = input.fill_buf()?;
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
    }

    fn read(format: FileFormat, content: &'static str, labels: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let options = CsvOptions { name: None, labels: Labels::new(labels.iter().copied()).expect("valid") };
        let input: Box<dyn Read + Send> = Box::new(content.as_bytes());
        let source = Source { name: "test".into(), bytes: None, path: "-".into(), input };
        let mut reader = source.reader(format, &options, Progress::default()).expect("a reader");
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
        let options = CsvOptions { name: Some(MetricName::new("a").expect("valid")), labels: Labels::empty() };
        let input: Box<dyn Read + Send> = Box::new(&b"{\"name\":\"b\",\"value\":1}\n"[..]);
        let source = Source { name: "test".into(), bytes: None, path: "-".into(), input };
        let error = source.reader(FileFormat::Auto, &options, Progress::default()).err().expect("refused");
        assert!(error.is::<WrongUsage>());
    }
}
