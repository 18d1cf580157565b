//! A few figures under each other: what `stats` and `check` print.

use metrics_core::Timestamp;
use serde_json::json;

use crate::args::Format;
use crate::commands::query::terminal_columns;
use crate::output::{colours, grouped};
use crate::table::{TableColumn, render};

/// One figure: what it is called for programs, its value, and in words.
pub(crate) struct Figure {
    key: &'static str,
    value: serde_json::Value,
    words: String,
}

/// A number of things.
pub(crate) fn count(key: &'static str, value: u64) -> Figure {
    Figure { key, value: json!(value), words: grouped(value) }
}

/// A time, if there is one.
pub(crate) fn time(key: &'static str, value: Option<Timestamp>) -> Figure {
    let words = value.map_or_else(|| "-".to_owned(), |at| at.to_string());
    Figure { key, value: json!(value.map(|at| at.to_string())), words }
}

/// A size in bytes.
pub(crate) fn size(key: &'static str, bytes: u64) -> Figure {
    Figure { key, value: json!(bytes), words: binary_size(bytes) }
}

/// A size as a person reads it, in binary units.
pub(crate) fn binary_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (bytes.max(1).ilog2() / 10).min(UNITS.len() as u32 - 1);
    let scaled = bytes as f64 / f64::from(1u32 << 10).powi(power.cast_signed());
    if power == 0 { format!("{bytes} B") } else { format!("{scaled:.1} {}", UNITS[power as usize]) }
}

/// The figures in a format: a row each, or one JSON object.
pub(crate) fn text(figures: &[Figure], format: Format) -> Vec<u8> {
    let text = match format {
        Format::Table => {
            let heads = figures.iter().map(|figure| figure.key.replace("_bytes", "").replace('_', " ")).collect();
            let words = figures.iter().map(|figure| figure.words.clone()).collect();
            let columns = vec![TableColumn::words("figure", heads), TableColumn::counts("value", words)];
            render(columns, terminal_columns(), colours())
        }
        Format::Csv => {
            let bare = |figure: &Figure| figure.value.as_str().map_or_else(|| figure.value.to_string(), String::from);
            let rows: String = figures.iter().map(|figure| format!("{},{}\n", figure.key, bare(figure))).collect();
            format!("figure,value\n{rows}")
        }
        Format::Json | Format::Ndjson => {
            let pair = |figure: &Figure| format!("\"{}\":{}", figure.key, figure.value);
            format!("{{{}}}\n", figures.iter().map(pair).collect::<Vec<_>>().join(","))
        }
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_every_figure() {
        let figures = [count("series", 1_234), time("first", None), size("file_bytes", 2_048)];
        let text = |format| String::from_utf8(text(&figures, format)).expect("UTF-8");
        assert_eq!(text(Format::Csv), "figure,value\nseries,1234\nfirst,null\nfile_bytes,2048\n");
        assert_eq!(text(Format::Json), "{\"series\":1234,\"first\":null,\"file_bytes\":2048}\n");
        let table = text(Format::Table);
        assert!(table.contains(" series    1,234") && table.contains(" file    2.0 KiB"), "{table}");
    }

    #[test]
    fn sizes_are_in_binary_units() {
        let words = [0, 1, 1_023, 1_024, 1_536, 5 << 20, u64::MAX].map(binary_size);
        assert_eq!(words, ["0 B", "1 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "16777216.0 TiB"]);
    }
}
