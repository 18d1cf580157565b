//! `query`: windows or points as a table, CSV, JSON or NDJSON.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use metrics_core::encode::{EncodeOptions, csv, json, ndjson};
use metrics_core::wire::params::{self, ParamError};
use metrics_core::{
    ColumnKind, Explain, Frame, FrameSeries, MICROS_PER_DAY, MICROS_PER_SECOND, MetricName, QueryRequest, Timestamp,
};

use crate::args::{Format, PrintArgs, QueryArgs, WindowArgs};
use crate::backend::Backend;
use crate::output::{WrongUsage, colours, counted, grouped, note, print};
use crate::suggest::unknown_metric;
use crate::table::{TableColumn, render};

/// The query that the options spell out, by the same rules as the HTTP API's.
///
/// # Errors
/// [`WrongUsage`] in the words of the command line.
pub(crate) fn request(window: &WindowArgs, now: Timestamp) -> Result<QueryRequest, WrongUsage> {
    params::decode(window.pairs(), now).map_err(|error| WrongUsage(in_option_words(&error)))
}

/// `parameter "group_by": …` as `--group-by: …`.
pub(crate) fn in_option_words(error: &ParamError) -> String {
    let text = error.to_string();
    match text.strip_prefix("parameter \"").and_then(|rest| rest.split_once('"')) {
        Some(("name", rest)) => format!("NAME{rest}"),
        Some((key, rest)) => format!("--{}{rest}", key.replace('_', "-")),
        None => text,
    }
}

/// The chosen format, or the one that suits stdout.
pub(crate) fn format(print: &PrintArgs) -> Format {
    let usual = if std::io::stdout().is_terminal() { Format::Table } else { Format::Csv };
    print.format.unwrap_or(usual)
}

/// Width of the terminal that stdout is.
pub(crate) fn terminal_columns() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// Asks, and says on stderr what an empty answer leaves open.
///
/// # Errors
/// A metric that is not there, with the names that are near.
pub(crate) async fn ask(request: &QueryRequest, backend: &Backend) -> anyhow::Result<Frame> {
    let frame = backend.query(request).await?;
    let answered: BTreeSet<&MetricName> = frame.series.iter().map(|series| &series.name).collect();
    for name in request.names.iter().filter(|name| !answered.contains(name)) {
        note(silence(name, request, backend).await?);
    }
    if let Some(explain) = &frame.explain {
        note(explained(explain));
    }
    Ok(frame)
}

/// What was read from which tier, a row each, and a line of sums.
fn explained(explain: &Explain) -> String {
    let tiers = || explain.tiers.iter();
    let columns = vec![
        TableColumn::words("tier", tiers().map(|used| used.tier.to_owned()).collect()),
        TableColumn::counts("rows read", tiers().map(|used| grouped(used.rows)).collect()),
        TableColumn::counts("chunks", tiers().map(|used| grouped(used.chunks)).collect()),
    ];
    let table = if explain.tiers.is_empty() { String::new() } else { render(columns, None, false) };
    let rows = counted(tiers().map(|used| used.rows).sum(), "row");
    let ms = explain.elapsed_us as f64 / 1e3;
    format!("{table} {rows} of {} series in {ms:.2} ms", grouped(explain.series))
}

/// Why a metric has no rows.
async fn silence(name: &MetricName, request: &QueryRequest, backend: &Backend) -> anyhow::Result<String> {
    let series = backend.series(Some(name.as_str()), &[]).await?;
    let first = series.iter().map(|info| info.first).min();
    let last = series.iter().map(|info| info.last).max();
    let (Some(first), Some(last)) = (first, last) else {
        let names = backend.metric_names().await?;
        anyhow::bail!(unknown_metric(name.as_str(), names.iter().map(MetricName::as_str)));
    };
    if !series.iter().any(|info| request.filters.iter().all(|filter| filter.accepts(&info.key.labels))) {
        return Ok(format!(
            "no series of \"{name}\" passes every --where: `metrics-cli list \"{name}\"` shows their labels"
        ));
    }
    let (from, to) = (date(first), date(last.saturating_add_micros(MICROS_PER_DAY)));
    let [asked_from, asked_to] = [request.from, request.to].map(whole_second);
    Ok(format!(
        "no points of \"{name}\" from {asked_from} to {asked_to}: its data lies from {first} to {last} \
         (try --from {from} --to {to})"
    ))
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::clamped(at.micros().div_euclid(MICROS_PER_SECOND) * MICROS_PER_SECOND)
}

fn date(at: Timestamp) -> impl std::fmt::Display {
    at.to_utc().format("%Y-%m-%d")
}

/// Runs the command.
pub(crate) async fn run(args: &QueryArgs, request: &QueryRequest, backend: &Backend) -> anyhow::Result<()> {
    let frame = ask(request, backend).await?;
    let options = EncodeOptions::default();
    print(&match format(&args.print) {
        Format::Table => table(&frame).into_bytes(),
        Format::Csv => csv::frame(&frame, &options),
        Format::Json => with_newline(json::frame(&frame, &options)),
        Format::Ndjson => ndjson::frame(&frame, &options),
    })
}

/// A text that ends its last line.
pub(crate) fn with_newline(mut text: Vec<u8>) -> Vec<u8> {
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

/// One row a window: time, what tells series apart, the aggregates.
fn table(frame: &Frame) -> String {
    if frame.series.is_empty() {
        return String::new();
    }
    let rows = || frame.series.iter().flat_map(|series| series.time.iter().map(move |at| (series, *at)));
    let times: Vec<Timestamp> = rows().map(|(_, at)| at).collect();
    let mut columns = vec![TableColumn::times("time", &times, frame.zone)];
    if frame.series.iter().any(|series| series.name != frame.series[0].name) {
        columns.push(TableColumn::words("name", rows().map(|(series, _)| series.name.to_string()).collect()));
    }
    let labels: BTreeSet<&str> =
        frame.series.iter().flat_map(|series| series.labels.iter().map(|(label, _)| label)).collect();
    for label in labels {
        let value = |(series, _): (&FrameSeries, Timestamp)| series.labels.get(label).unwrap_or("").to_owned();
        columns.push(TableColumn::words(label, rows().map(value).collect()));
    }
    for kind in frame.kinds() {
        let values: Vec<Option<f64>> = frame
            .series
            .iter()
            .flat_map(|series| match series.column_of(kind) {
                Some(values) => values.to_vec(),
                None => vec![None; series.time.len()],
            })
            .collect();
        columns.push(match kind {
            ColumnKind::Value => TableColumn::values("value", &values),
            ColumnKind::Aggregate(_) => TableColumn::numbers(kind.to_string(), &values),
        });
    }
    render(columns, terminal_columns(), colours())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explaining_has_a_row_a_tier() {
        let tier = |tier, rows, chunks| metrics_core::TierUse { tier, rows, chunks };
        let tiers = vec![tier("hour", 40, 3), tier("memory", 1_200, 1)];
        let explain = Explain { tiers, series: 12, elapsed_us: 3_104 };
        let lines = [
            " tier    rows read  chunks",
            "───────────────────────────",
            " hour           40       3",
            " memory      1,200       1",
            " 1,240 rows of 12 series in 3.10 ms",
        ];
        assert_eq!(explained(&explain).lines().collect::<Vec<_>>(), lines);
        assert_eq!(explained(&Explain::default()), " 0 rows of 0 series in 0.00 ms");
    }

    #[test]
    fn refusals_name_the_option() {
        let now = Timestamp::EPOCH;
        let words = |pairs: &[(&str, &str)]| {
            let pairs = [("name", "cpu")].iter().chain(pairs).copied();
            in_option_words(&params::decode(pairs, now).expect_err("refused"))
        };
        assert!(words(&[("group_by", "a"), ("agg", "mode")]).starts_with("--agg: \"mode\" is not an aggregate"));
        assert!(words(&[("limit", "0")]).starts_with("--limit is \"0\""));
        assert!(words(&[("name", "")]).starts_with("NAME: name is empty"));
    }
}
