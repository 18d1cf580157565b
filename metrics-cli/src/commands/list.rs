//! `list` and `latest`: what the store holds.

use metrics_core::encode::json;
use metrics_core::{
    LabelFilter, MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND, MetricName, SeriesInfo, Timestamp,
};

use super::query::{format, terminal_columns, with_newline};
use crate::args::{Format, ListArgs};
use crate::backend::Backend;
use crate::output::{WrongUsage, colours, grouped, note, print};
use crate::suggest::unknown_metric;
use crate::table::{TableColumn, natural_columns, render};
use crate::{csv_rows, glob};

/// What is told of each series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Its points: how many, from when to when.
    Series,
    /// Its latest point.
    Latest,
}

/// The filters that the command line spells out.
pub(crate) fn filters(args: &ListArgs) -> Result<Vec<LabelFilter>, WrongUsage> {
    filters_of(&args.filters)
}

/// Filters as `--where` spells them.
pub(crate) fn filters_of(texts: &[String]) -> Result<Vec<LabelFilter>, WrongUsage> {
    let filter = |text: &String| text.parse().map_err(|error| WrongUsage(format!("--where: {error}")));
    texts.iter().map(filter).collect()
}

/// Runs the command.
pub(crate) async fn run(
    listing: Listing,
    args: &ListArgs,
    filters: &[LabelFilter],
    backend: &Backend,
) -> anyhow::Result<()> {
    let series = select(listing, args, filters, backend).await?;
    let text = match (format(&args.print), listing) {
        (Format::Table, _) if series.is_empty() => Vec::new(),
        (Format::Table, _) => {
            let terminal = terminal_columns();
            render(fitting(listing, &series, terminal), terminal, colours()).into_bytes()
        }
        (Format::Csv, _) => csv_rows::series(listing, &series)?,
        (Format::Json, Listing::Series) => with_newline(json::series(&series)),
        (Format::Json, Listing::Latest) => with_newline(json::latest(&series)),
        (Format::Ndjson, _) => series.iter().flat_map(|info| line(listing, info)).collect(),
    };
    print(&text)
}

/// The series that pattern and filters leave; a name without wildcards must exist.
async fn select(
    listing: Listing,
    args: &ListArgs,
    filters: &[LabelFilter],
    backend: &Backend,
) -> anyhow::Result<Vec<SeriesInfo>> {
    let exact = args.pattern.as_deref().filter(|pattern| !glob::is_pattern(pattern));
    let mut series = match listing {
        Listing::Series => backend.series(exact, filters).await?,
        Listing::Latest => backend.latest(exact, filters).await?,
    };
    if let (Some(name), true) = (exact, series.is_empty()) {
        let names = backend.metric_names().await?;
        if !names.iter().any(|known| known.as_str() == name) {
            anyhow::bail!(unknown_metric(name, names.iter().map(MetricName::as_str)));
        }
    }
    if let Some(pattern) = args.pattern.as_deref().filter(|pattern| glob::is_pattern(pattern)) {
        series.retain(|info| glob::matches(pattern, info.key.name.as_str()));
    }
    if series.is_empty() {
        note(match (&args.pattern, filters) {
            (None, []) => "the store is empty".to_owned(),
            (Some(pattern), []) => format!("no metric matches \"{pattern}\""),
            _ => "no series passes every --where".to_owned(),
        });
    }
    Ok(series)
}

/// One object on a line.
fn line(listing: Listing, info: &SeriesInfo) -> Vec<u8> {
    let one = std::slice::from_ref(info);
    let array = if listing == Listing::Series { json::series(one) } else { json::latest(one) };
    let object = array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(&array);
    with_newline(object.to_vec())
}

/// The most exact times with which the table fits into the terminal: points come at any moment, and names need room.
fn fitting(listing: Listing, series: &[SeriesInfo], terminal: Option<u16>) -> Vec<TableColumn> {
    let fits = |table: &Vec<TableColumn>| terminal.is_none_or(|most| natural_columns(table) <= usize::from(most));
    let table = |unit_micros| columns(listing, series, unit_micros);
    [MICROS_PER_SECOND, MICROS_PER_MINUTE].map(table).into_iter().find(fits).unwrap_or_else(|| table(MICROS_PER_DAY))
}

/// The table, with times cut to so many microseconds.
fn columns(listing: Listing, series: &[SeriesInfo], unit: i64) -> Vec<TableColumn> {
    let labels = |info: &SeriesInfo| {
        info.key.labels.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>().join(" ")
    };
    let mut columns = vec![TableColumn::words("name", series.iter().map(|info| info.key.name.to_string()).collect())];
    if series.iter().any(|info| !info.key.labels.is_empty()) {
        columns.push(TableColumn::words("labels", series.iter().map(labels).collect()));
    }
    let times = |heading, time: fn(&SeriesInfo) -> Timestamp| {
        let whole = |info: &SeriesInfo| Timestamp::clamped(time(info).micros().div_euclid(unit) * unit);
        TableColumn::times(heading, &series.iter().map(whole).collect::<Vec<_>>(), chrono_tz::Tz::UTC)
    };
    match listing {
        Listing::Series => {
            columns.push(TableColumn::counts("points", series.iter().map(|info| grouped(info.count)).collect()));
            columns.push(times("first", |info| info.first));
            columns.push(times("last", |info| info.last));
        }
        Listing::Latest => {
            let values: Vec<Option<f64>> =
                series.iter().map(|info| Some(info.last_value).filter(|value| !value.is_nan())).collect();
            columns.push(TableColumn::values("value", &values));
            columns.push(times("time", |info| info.last));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use metrics_core::{Labels, SeriesKey};

    use super::*;

    #[test]
    fn narrow_terminals_get_shorter_times() {
        let info = SeriesInfo {
            key: SeriesKey::new(MetricName::new("temperature").expect("valid"), Labels::empty()),
            first: Timestamp::clamped(61_500_000),
            last: Timestamp::clamped(61_500_000),
            last_value: 1.0,
            count: 1,
        };
        let all = [info];
        let text = |terminal| render(fitting(Listing::Series, &all, terminal), terminal, false);
        assert!(text(None).contains("1970-01-01 00:01:01") && text(Some(80)).contains("1970-01-01 00:01:01"));
        assert!(text(Some(60)).contains("1970-01-01 00:01 ") && !text(Some(60)).contains(":01:01"));
        assert!(text(Some(50)).contains("1970-01-01") && !text(Some(50)).contains(':'));
    }
}
