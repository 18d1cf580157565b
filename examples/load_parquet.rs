//! Loads a Parquet file of any size into a store, in the memory of a few batches.
//!
//! `cargo run --release --example load_parquet -- points.parquet points.duckdb`. The file has the columns `timestamp`,
//! `value`, `name` and labels, as `GET /v1/export.parquet` and `metrics-cli export` write it; a third word names the
//! metric of a file without the column `name`.

use std::collections::VecDeque;
use std::fs::File;
use std::time::Instant;

use anyhow::Context;
use metrics_core::wire::parquet::ParquetReader;
use metrics_core::{Engine, MetricName, WriteTicket};

/// Points of a write.
const BATCH_POINTS: usize = 20_000;
/// Writes under way: the next one is read while the disk is busy with these.
const WRITES: usize = 4;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let path = words.next().context("give a Parquet file, such as points.parquet")?;
    let store = words.next().context("give a store's file, such as points.duckdb")?;
    let name = words.next().map(|name| MetricName::new(&name)).transpose()?;

    let begun = Instant::now();
    let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    let mut reader = ParquetReader::new(file, name).with_context(|| format!("cannot load {path}"))?;
    let engine = Engine::open(&store)?;
    let mut under_way: VecDeque<WriteTicket> = VecDeque::new();
    let (mut points, mut bad_rows) = (0, 0);
    while let Some(chunk) = reader.next_batch(BATCH_POINTS)? {
        // Bad rows come beside the good ones; whether they end it is for you to say.
        for error in &chunk.errors {
            println!("{error}");
        }
        bad_rows += chunk.errors.len();
        under_way.push_back(engine.write(chunk.batch)?);
        if under_way.len() == WRITES {
            points += under_way.pop_front().context("there is one")?.wait()?.points;
        }
    }
    for ticket in under_way {
        points += ticket.wait()?.points;
    }
    println!("{points} points are in {store} after {:.2} s, {bad_rows} rows were bad", begun.elapsed().as_secs_f64());
    for series in engine.series(None, &[]) {
        println!("{}: {} points, {} to {}", series.key, series.count, series.first, series.last);
    }
    engine.close()?;
    Ok(())
}
