//! `top`: the latest values of a running server, with what they were before as small charts.

use std::collections::HashMap;
use std::io::IsTerminal;

use metrics_core::{
    Aggregate, GroupBy, LabelFilter, Per, QueryRequest, Resolution, SeriesInfo, SeriesKey, Timestamp,
    format_duration_micros,
};
use unicode_width::UnicodeWidthStr;

use super::plot::terminal_size;
use crate::args::TopArgs;
use crate::backend::Backend;
use crate::glob;
use crate::output::{ascii_only, colours, print};
use crate::plot::{Paint, fit, to_ascii};
use crate::screen;
use crate::sparkline::sparkline;

/// Characters of a chart where there is room, and in a narrow terminal.
const SPARK_COLUMNS: [usize; 2] = [32, 16];
/// Columns from which there is room for the long charts.
const WIDE_COLUMNS: usize = 100;
/// Narrower terminals get no charts.
const LEAST_COLUMNS: usize = 50;
/// Columns of a value, and of its age.
const VALUE_COLUMNS: usize = 10;
/// See [`VALUE_COLUMNS`].
const AGE_COLUMNS: usize = 5;

/// Runs the command.
pub(crate) async fn run(args: &TopArgs, filters: &[LabelFilter], backend: &Backend) -> anyhow::Result<()> {
    let ascii = args.ascii || ascii_only();
    let paint = if colours() { Paint::Colours } else { Paint::Marks };
    let draw = async || {
        let (columns, rows) = terminal_size();
        let page = Page { columns, rows, ascii, paint };
        page.draw(args, filters, backend).await
    };
    if std::io::stdout().is_terminal() {
        return screen::live(args.interval, draw).await;
    }
    // Nobody looks on: one page for whoever reads it.
    let lines: Vec<String> = draw().await?.into_iter().map(|line| line + "\n").collect();
    print(lines.concat().as_bytes())
}

/// One drawing.
struct Page {
    columns: usize,
    rows: usize,
    ascii: bool,
    paint: Paint,
}

impl Page {
    async fn draw(&self, args: &TopArgs, filters: &[LabelFilter], backend: &Backend) -> anyhow::Result<Vec<String>> {
        let pattern = args.pattern.as_deref();
        let exact = pattern.filter(|pattern| !glob::is_pattern(pattern));
        let mut latest = backend.latest(exact, filters).await?;
        if let Some(pattern) = pattern.filter(|pattern| glob::is_pattern(pattern)) {
            latest.retain(|info| glob::matches(pattern, info.key.name.as_str()));
        }
        let all = latest.len();
        latest.truncate(self.rows.saturating_sub(2).max(1));
        let now = Timestamp::now();
        let spark_columns = self.spark_columns();
        let history = history(args, filters, &latest, (now, spark_columns), backend).await?;
        let [interval, span] = [args.interval, args.span]
            .map(|time| format_duration_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)));
        let head = format!("{} of {all} series, every {interval}, charts over {span}", latest.len());
        let mut lines = vec![self.paint.faint(&fit(&head, self.columns)), String::new()];
        if latest.is_empty() {
            let chosen = pattern.is_some() || !filters.is_empty();
            lines
                .push(if chosen { "no series fits the pattern and every --where" } else { "no series yet" }.to_owned());
        }
        let longest =
            latest.iter().map(|info| info.key.name.as_str().width() + labels(info).width()).max().unwrap_or(0);
        lines.extend(latest.iter().map(|info| self.line(info, history.get(&info.key), longest, now)));
        let finish = |line: String| if self.ascii { to_ascii(&line) } else { line };
        Ok(lines.into_iter().map(finish).collect())
    }

    fn spark_columns(&self) -> usize {
        match self.columns {
            WIDE_COLUMNS.. => SPARK_COLUMNS[0],
            LEAST_COLUMNS.. => SPARK_COLUMNS[1],
            _ => 0,
        }
    }

    /// `cpu host=a      21.5  ▁▂▃▅▆█   2s`.
    fn line(&self, info: &SeriesInfo, history: Option<&Vec<Option<f64>>>, longest: usize, now: Timestamp) -> String {
        let spark_columns = self.spark_columns();
        let taken = 1 + VALUE_COLUMNS + 2 + AGE_COLUMNS + if spark_columns > 0 { spark_columns + 2 } else { 0 };
        let room = self.columns.saturating_sub(taken).min(longest).max(1);
        let name = fit(info.key.name.as_str(), room);
        let labels = fit(&labels(info), room.saturating_sub(name.width()));
        let blanks = " ".repeat(room.saturating_sub(name.width() + labels.width()));
        let spark = match (spark_columns, history) {
            (0, _) => String::new(),
            (most, None) => format!("  {}", " ".repeat(most)),
            (_, Some(values)) => format!("  {}", self.paint.curve(0, &sparkline(values, self.ascii))),
        };
        let age = age(now.micros().saturating_sub(info.last.micros()));
        format!(
            "{name}{}{blanks} {:>VALUE_COLUMNS$}{spark}{}",
            self.paint.faint(&labels),
            short(info.last_value),
            self.paint.faint(&format!("  {age:>AGE_COLUMNS$}"))
        )
    }
}

/// ` host=a core=1`.
fn labels(info: &SeriesInfo) -> String {
    info.key.labels.iter().map(|(label, value)| format!(" {label}={value}")).collect()
}

/// The last value of each series in each step of the span.
async fn history(
    args: &TopArgs,
    filters: &[LabelFilter],
    latest: &[SeriesInfo],
    (now, steps): (Timestamp, usize),
    backend: &Backend,
) -> anyhow::Result<HashMap<SeriesKey, Vec<Option<f64>>>> {
    let mut names: Vec<&str> = latest.iter().map(|info| info.key.name.as_str()).collect();
    names.dedup();
    names.truncate(QueryRequest::MAX_NAMES);
    let span_us = i64::try_from(args.span.as_micros()).unwrap_or(i64::MAX);
    let step_us = span_us / i64::try_from(steps.max(1)).unwrap_or(1);
    let Some(step) = Resolution::fixed_micros(step_us).filter(|_| steps > 0 && !names.is_empty()) else {
        return Ok(HashMap::new());
    };
    // The step that is under way is the last one.
    let end = (now.micros().div_euclid(step_us) + 1).saturating_mul(step_us);
    let start = end.saturating_sub(step_us.saturating_mul(steps as i64));
    let mut request = QueryRequest::new(names, Timestamp::clamped(start), Timestamp::clamped(end))?;
    request.per = Per::Every(step);
    request.aggregates = vec![Aggregate::Last];
    request.filters = filters.to_vec();
    request.group_by = GroupBy::Series;
    let frame = backend.query(&request).await?;
    let of_series = frame.series.into_iter().map(|series| {
        let mut values = vec![None; steps];
        let column = series.columns.first().map(|column| column.values.as_slice()).unwrap_or_default();
        for (at, value) in series.time.iter().zip(column) {
            let step = usize::try_from((at.micros() - start) / step_us).unwrap_or(usize::MAX);
            if let Some(place) = values.get_mut(step) {
                *place = *value;
            }
        }
        (SeriesKey::new(series.name, series.labels), values)
    });
    Ok(of_series.collect())
}

/// A value in about six digits, from a million on with a unit.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let (divisor, unit) = match magnitude {
        1e15.. | ..1e-4 => return format!("{value:.3e}"),
        1e12.. => (1e12, "T"),
        1e9.. => (1e9, "G"),
        1e6.. => (1e6, "M"),
        _ => (1.0, ""),
    };
    let decimals = (5.0 - (magnitude / divisor).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{:.decimals$}", value / divisor);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// How long ago, in the largest whole unit.
fn age(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use metrics_core::{Labels, MetricName};

    use super::*;

    #[test]
    fn values_are_short_and_ages_whole() {
        let values = [0.0, 21.5, -0.125, 8_350_380_032.0, 1e300, 1.0 / 3.0, 99.999_999].map(short);
        assert_eq!(values, ["0", "21.5", "-0.125", "8.35038G", "1.000e300", "0.333333", "100"]);
        assert_eq!([-5, 119, 120, 7_200, 200_000].map(|s: i64| age(s * 1_000_000)), ["0s", "119s", "2m", "2h", "2d"]);
    }

    #[test]
    fn no_line_is_wider_than_its_terminal() {
        let info = SeriesInfo {
            key: SeriesKey::new(
                MetricName::new("温度_of_the_room").expect("valid"),
                Labels::new([("host", "a")]).expect("valid"),
            ),
            first: Timestamp::EPOCH,
            last: Timestamp::EPOCH,
            last_value: 21.5,
            count: 1,
        };
        for columns in [40, 60, 80, 200] {
            let page = Page { columns, rows: 10, ascii: false, paint: Paint::Marks };
            let history = vec![Some(1.0); page.spark_columns()];
            let line = page.line(&info, Some(&history), 24, Timestamp::EPOCH);
            assert!(line.width() <= columns && line.contains("21.5"), "{line:?}");
        }
    }
}
