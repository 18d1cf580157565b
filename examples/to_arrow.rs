//! Hour averages of a metric as an Arrow file, which polars, pandas, DuckDB and DataFusion open without a conversion.
//!
//! From a server: `cargo run --release --example to_arrow -- http://127.0.0.1:8080 cpu cpu.arrow`
//! From a store's file: `cargo run --release --example to_arrow -- points.duckdb cpu cpu.arrow`

use std::fs::File;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::FileWriter;
use metrics_core::encode::{self, EncodeOptions};
use metrics_core::{Aggregate, Engine, GroupBy, Per, QueryRequest, Resolution, SeriesInfo};
use metrics_sdk::blocking::Client;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [source, name, out] = words.as_slice() else {
        anyhow::bail!("give a server's URL or a store's file, a metric's name, and the file to write");
    };
    let batches = if source.starts_with("http://") {
        let client = Client::new(source)?;
        let series = client.series(Some(name), &[])?;
        client.query_arrow(&hours(name, &series)?)?
    } else {
        let engine = Engine::open(source)?;
        let series = engine.series(Some(name), &[]);
        let stream = encode::arrow::frame(&engine.query(&hours(name, &series)?)?, &EncodeOptions::default());
        engine.close()?;
        StreamReader::try_new(stream.as_slice(), None)?.collect::<Result<_, _>>()?
    };
    write(&batches, out)
}

/// Hour averages of all series of a metric, each apart, from its first to its last point.
fn hours(name: &str, series: &[SeriesInfo]) -> anyhow::Result<QueryRequest> {
    let first = series.iter().map(|series| series.first).min().context("there is no metric of this name")?;
    let last = series.iter().map(|series| series.last).max().context("there is no metric of this name")?;
    let mut request = QueryRequest::new([name], first, last.saturating_add_micros(1))?;
    request.per = Per::Every(Resolution::Hour);
    request.aggregates = vec![Aggregate::Avg, Aggregate::Max, Aggregate::Count];
    request.group_by = GroupBy::Series;
    Ok(request)
}

/// Writes the file that other programs open.
fn write(batches: &[RecordBatch], path: &str) -> anyhow::Result<()> {
    let first = batches.first().context("there is nothing to write")?;
    let file = File::create(path).with_context(|| format!("cannot create {path}"))?;
    let mut writer = FileWriter::try_new(file, &first.schema())?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    println!("{rows} rows are in {path}:");
    for field in first.schema().fields() {
        println!("  {}: {}", field.name(), field.data_type());
    }
    Ok(())
}
