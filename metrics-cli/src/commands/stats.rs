//! `stats`: how much there is.

use metrics_core::Timestamp;
use serde_json::json;

use super::query::{format, terminal_columns, with_newline};
use crate::args::{Format, StatsArgs};
use crate::backend::Backend;
use crate::output::{colours, grouped, print};
use crate::table::{TableColumn, render};

/// One figure: what it is called for programs, its value, and in words.
struct Figure {
    key: &'static str,
    value: serde_json::Value,
    words: String,
}

fn count(key: &'static str, value: u64) -> Figure {
    Figure { key, value: json!(value), words: grouped(value) }
}

fn time(key: &'static str, value: Option<Timestamp>) -> Figure {
    let words = value.map_or_else(|| "-".to_owned(), |at| at.to_string());
    Figure { key, value: json!(value.map(|at| at.to_string())), words }
}

fn size(key: &'static str, bytes: u64) -> Figure {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (bytes.max(1).ilog2() / 10).min(UNITS.len() as u32 - 1);
    let scaled = bytes as f64 / f64::from(1u32 << 10).powi(power.cast_signed());
    let words = if power == 0 { format!("{bytes} B") } else { format!("{scaled:.1} {}", UNITS[power as usize]) };
    Figure { key, value: json!(bytes), words }
}

/// Runs the command.
pub(crate) async fn run(args: &StatsArgs, backend: &Backend) -> anyhow::Result<()> {
    let figures = figures(backend).await?;
    let object = || {
        let pairs: Vec<String> = figures.iter().map(|figure| format!("\"{}\":{}", figure.key, figure.value)).collect();
        format!("{{{}}}\n", pairs.join(","))
    };
    let text = match format(&args.print) {
        Format::Table => {
            let heads = figures.iter().map(|figure| figure.key.replace("_bytes", "")).collect();
            let words = figures.iter().map(|figure| figure.words.clone()).collect();
            let columns = vec![TableColumn::words("figure", heads), TableColumn::counts("value", words)];
            render(columns, terminal_columns(), colours())
        }
        Format::Csv => {
            let bare = |figure: &Figure| figure.value.as_str().map_or_else(|| figure.value.to_string(), String::from);
            let rows: String = figures.iter().map(|figure| format!("{},{}\n", figure.key, bare(figure))).collect();
            format!("figure,value\n{rows}")
        }
        Format::Json | Format::Ndjson => object(),
    };
    print(&with_newline(text.into_bytes()))
}

async fn figures(backend: &Backend) -> anyhow::Result<Vec<Figure>> {
    let series = backend.series(None, &[]).await?;
    let mut names: Vec<&str> = series.iter().map(|info| info.key.name.as_str()).collect();
    names.dedup();
    let mut figures = vec![
        count("metrics", names.len() as u64),
        count("series", series.len() as u64),
        count("points", series.iter().map(|info| info.count).sum()),
        time("first", series.iter().map(|info| info.first).min()),
        time("last", series.iter().map(|info| info.last).max()),
    ];
    // A server's file is its own affair.
    if let Backend::File(engine) = backend {
        let stats = engine.stats();
        figures.push(size("file_bytes", stats.file_bytes));
        figures.push(size("wal_bytes", stats.wal_bytes));
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_binary_units() {
        let words = [0, 1, 1_023, 1_024, 1_536, 5 << 20, u64::MAX].map(|bytes| size("x", bytes).words);
        assert_eq!(words, ["0 B", "1 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "16777216.0 TiB"]);
    }
}
