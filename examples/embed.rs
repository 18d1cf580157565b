//! A metrics store inside your own program: write two days of temperatures, then ask for hour averages.
//!
//! `cargo run --release --example embed` keeps the store in the temporary directory and removes it at the end;
//! `cargo run --release --example embed -- my.duckdb` keeps it in that file.

use std::path::PathBuf;

use anyhow::Context;
use metrics_core::{
    Aggregate, Batch, Engine, GroupBy, Labels, MICROS_PER_DAY, MICROS_PER_MINUTE, MetricName, Per, QueryRequest,
    Resolution, SeriesKey, Timestamp,
};

const DAYS: i64 = 2;

fn main() -> anyhow::Result<()> {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let temporary = given.is_none().then(|| std::env::temp_dir().join(format!("metrics-embed-{}", std::process::id())));
    if let Some(folder) = &temporary {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let path = given.or_else(|| temporary.as_ref().map(|folder| folder.join("embed.duckdb"))).context("one is set")?;

    let start = Timestamp::parse("2024-02-02")?;
    let engine = Engine::open(&path)?;
    // One ticket a write; it is paid out once the points are committed and synced.
    let receipt = engine.write(temperatures(start)?)?.wait()?;
    println!("{} points in {}", receipt.points, path.display());

    let mut request = QueryRequest::new(["temperature"], start, start.saturating_add_micros(MICROS_PER_DAY / 4))?;
    request.per = Per::Every(Resolution::Hour);
    request.aggregates = vec![Aggregate::Avg, Aggregate::Max];
    request.group_by = GroupBy::Labels(vec!["room".into()]);
    println!("{:<22}{:<10}{:>8}{:>8}", "hour", "room", "avg", "max");
    for series in engine.query(&request)?.series {
        let room = series.labels.get("room").unwrap_or("-");
        let averages = series.column(Aggregate::Avg).context("avg was asked for")?;
        let maxima = series.column(Aggregate::Max).context("max was asked for")?;
        for ((time, average), maximum) in series.time.iter().zip(averages).zip(maxima) {
            let [average, maximum] = [average, maximum].map(|value| value.unwrap_or(f64::NAN));
            println!("{:<22}{room:<10}{average:>8.3}{maximum:>8.3}", time.to_string());
        }
    }

    engine.close()?;
    if let Some(folder) = &temporary {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// A point a minute for two rooms: a daily wave, the cellar cooler and calmer.
fn temperatures(start: Timestamp) -> anyhow::Result<Batch> {
    let mut batch = Batch::new();
    for (room, mean, swing) in [("kitchen", 21.0, 3.0), ("cellar", 12.0, 0.5)] {
        // The series is registered once; each sample then costs no look-up.
        let key = SeriesKey::new(MetricName::new("temperature")?, Labels::new([("room", room)])?);
        let series = batch.intern(key);
        for minute in 0..DAYS * MICROS_PER_DAY / MICROS_PER_MINUTE {
            let day_share = minute as f64 / 1_440.0;
            let value = mean - swing * (day_share * std::f64::consts::TAU).cos();
            batch.push_sample(series, start.saturating_add_micros(minute * MICROS_PER_MINUTE), value)?;
        }
    }
    Ok(batch)
}
