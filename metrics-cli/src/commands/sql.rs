//! `sql`: one read-only statement over the points.

use std::io::Read;
use std::time::Duration;

use anyhow::Context;
use metrics_core::{Engine, SqlAnswer, SqlLimits};
use metrics_sdk::{Client, SqlFormat};

use super::query::{format, terminal_columns, with_newline};
use crate::args::{Format, SqlArgs};
use crate::output::{colours, counted, note, print};
use crate::table::{TableColumn, render};

/// What a statement may take on a file that is the caller's own.
const LIMITS: SqlLimits = SqlLimits { timeout: Duration::from_secs(600), max_rows: 1_000_000, max_bytes: 256 << 20 };

/// The statement: the argument, or what stdin holds where it is `-`.
pub(crate) fn statement(args: &SqlArgs) -> anyhow::Result<String> {
    if args.statement != "-" {
        return Ok(args.statement.clone());
    }
    let mut text = String::new();
    let most = metrics_core::MAX_SQL_BYTES as u64 + 1;
    std::io::stdin().take(most).read_to_string(&mut text).context("reading the statement from stdin failed")?;
    Ok(text)
}

/// Runs it on a file.
pub(crate) async fn on_file(args: &SqlArgs, statement: String, engine: &Engine) -> anyhow::Result<()> {
    let engine = engine.clone();
    let answer = tokio::task::spawn_blocking(move || engine.sql(&statement, &LIMITS)).await??;
    show(args, |wanted| encoded(&answer, wanted))
}

/// Has a server run it.
pub(crate) async fn on_server(args: &SqlArgs, statement: &str, client: &Client) -> anyhow::Result<()> {
    let wanted = wanted(format(&args.print));
    let answer = client.sql(statement, wanted).await?;
    show(args, |_| answer.to_vec())
}

fn wanted(format: Format) -> SqlFormat {
    match format {
        // A table is made of the cells of a CSV.
        Format::Table | Format::Csv => SqlFormat::Csv,
        Format::Json => SqlFormat::Json,
        Format::Ndjson => SqlFormat::Ndjson,
    }
}

fn encoded(answer: &SqlAnswer, wanted: SqlFormat) -> Vec<u8> {
    match wanted {
        SqlFormat::Json => answer.json(),
        SqlFormat::Ndjson => answer.ndjson(),
        SqlFormat::Arrow => answer.arrow(),
        _ => answer.csv(),
    }
}

fn show(args: &SqlArgs, encode: impl FnOnce(SqlFormat) -> Vec<u8>) -> anyhow::Result<()> {
    let format = format(&args.print);
    let text = encode(wanted(format));
    match format {
        Format::Table => {
            let (table, rows) = table(&text)?;
            print(table.as_bytes())?;
            note(counted(rows, "row"));
            Ok(())
        }
        Format::Json => print(&with_newline(text)),
        Format::Csv | Format::Ndjson => print(&text),
    }
}

/// A CSV as a table, and how many rows it has. Columns of numbers stand to the right.
fn table(text: &[u8]) -> anyhow::Result<(String, u64)> {
    let mut reader = csv::Reader::from_reader(text);
    let headings: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut cells = vec![Vec::new(); headings.len()];
    let mut rows = 0;
    for record in reader.records() {
        rows += 1;
        for (column, cell) in cells.iter_mut().zip(record?.iter()) {
            column.push(cell.to_owned());
        }
    }
    let columns = headings.into_iter().zip(cells).map(|(heading, cells)| {
        let is_number = |cell: &String| cell.is_empty() || cell.parse::<f64>().is_ok();
        match !cells.is_empty() && cells.iter().all(is_number) {
            true => TableColumn::counts(heading, cells),
            false => TableColumn::words(heading, cells),
        }
    });
    Ok((render(columns.collect(), terminal_columns(), colours()), rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_in_a_table() {
        let (table, rows) = table(b"host,n\na,1\n\"b,c\",1000\n").expect("CSV");
        assert_eq!(rows, 2);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!([lines[0], lines[2], lines[3]], [" host     n", " a        1", " b,c   1000"]);
    }
}
