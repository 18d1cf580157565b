//! A program that sends its metrics to a server: post 100 points, then read their averages back.
//!
//! With a server running (`cargo run --release -- serve`):
//! `cargo run --release --example post_with_sdk -- http://127.0.0.1:8080`

use anyhow::Context;
use metrics_sdk::{
    Aggregate, Batch, Client, MICROS_PER_MINUTE, MICROS_PER_SECOND, Per, Point, QueryRequest, Resolution, Timestamp,
};

const POINTS: i64 = 100;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("give the server's URL, such as http://127.0.0.1:8080")?;
    let client = Client::new(url)?;

    // The last 100 seconds, a point each: how full a queue is.
    let end = Timestamp::now();
    let start = end.saturating_add_micros(-POINTS * MICROS_PER_SECOND);
    let host = format!("example-{}", std::process::id());
    let mut batch = Batch::new();
    for i in 0..POINTS {
        let at = start.saturating_add_micros(i * MICROS_PER_SECOND);
        let depth = 50.0 + 40.0 * (i as f64 / 16.0).sin();
        batch.push(Point::new("queue_depth", at, depth)?.with_labels([("host", &host)])?);
    }
    let receipt = client.write(&batch).await?;
    println!("{} points are stored at {}", receipt.points, client.url());

    let from = start.saturating_add_micros(-MICROS_PER_MINUTE);
    let mut request = QueryRequest::new(["queue_depth"], from, end)?;
    request.per = Per::Every(Resolution::MINUTE);
    request.aggregates = vec![Aggregate::Count, Aggregate::Avg];
    request.filters = vec![format!("host={host}").parse()?];
    let frame = client.query(&request).await?;
    let series = frame.series.first().context("the points that were just stored are found")?;
    let counts = series.column(Aggregate::Count).context("count was asked for")?;
    let averages = series.column(Aggregate::Avg).context("avg was asked for")?;
    println!("{:<22}{:>7}{:>9}", "minute", "points", "avg");
    for ((time, count), average) in series.time.iter().zip(counts).zip(averages) {
        println!("{:<22}{:>7}{:>9.3}", time.to_string(), count.unwrap_or(0.0), average.unwrap_or(f64::NAN));
    }
    let found: f64 = counts.iter().flatten().sum();
    anyhow::ensure!(found == POINTS as f64, "{found} of {POINTS} points were found");
    Ok(())
}
