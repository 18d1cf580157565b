//! `plot`: a chart in the terminal.

use metrics_core::{QueryRequest, Timestamp};

use super::query::{self, ask};
use crate::args::{PlotArgs, WindowArgs};
use crate::backend::Backend;
use crate::output::{WrongUsage, colours, note, print};
use crate::plot::{MOST_CURVES, Paint, Picture, canvas_columns, curves};

/// Size where stdout is no terminal.
const DEFAULT_SIZE: (usize, usize) = (80, 24);
/// Lines of a chart that nobody asked to be higher.
const USUAL_ROWS: usize = 30;

/// Columns and lines of the chart.
pub(crate) fn size(args: &PlotArgs) -> (usize, usize) {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    let (columns, rows) = terminal.map_or(DEFAULT_SIZE, |(w, h)| (usize::from(w.0), usize::from(h.0)));
    // The last line of the terminal is the prompt's.
    let rows = rows.saturating_sub(1).clamp(1, USUAL_ROWS);
    (args.width.unwrap_or(columns), args.height.unwrap_or(rows))
}

/// The query of the chart: as many windows as the canvas has dots, in the machine's own zone, unless options say other.
pub(crate) fn request(args: &PlotArgs, columns: usize, now: Timestamp) -> Result<QueryRequest, WrongUsage> {
    let dots = (canvas_columns(columns) * 2).to_string();
    let window = &args.window;
    let mut pairs = window.pairs();
    if window.points.is_none() {
        pairs.push(("points", dots));
    }
    if window.tz.is_none() {
        pairs.push(("tz", crate::zone::local().name().to_owned()));
    }
    metrics_core::wire::params::decode(pairs, now).map_err(|error| WrongUsage(query::in_option_words(&error)))
}

/// Runs the command.
pub(crate) async fn run(args: &PlotArgs, request: &QueryRequest, backend: &Backend) -> anyhow::Result<()> {
    let mut request = request.clone();
    if args.window.from.is_none() {
        request.from = start(&request, backend).await?;
    }
    let frame = ask(&request, backend).await?;
    if frame.series.is_empty() {
        return Ok(());
    }
    let (columns, rows) = size(args);
    let (curves, all) = curves(&frame, &request, MOST_CURVES);
    let picture = Picture {
        title: title(&args.window, &frame.per),
        curves,
        from: frame.from,
        to: frame.to,
        zone: frame.zone,
        columns,
        rows,
        paint: if colours() { Paint::Colours } else { Paint::Marks },
    };
    let lines: Vec<String> = picture.draw().into_iter().map(|line| line + "\n").collect();
    print(lines.concat().as_bytes())?;
    if all > MOST_CURVES {
        note(format_args!("the first {MOST_CURVES} of {all} lines are shown: --where and --group-by choose others"));
    }
    Ok(())
}

/// Where a chart begins that nobody gave a start: a day before its end, or with the first point if that came later.
async fn start(request: &QueryRequest, backend: &Backend) -> anyhow::Result<Timestamp> {
    let mut first = None;
    for name in &request.names {
        let series = backend.series(Some(name.as_str()), &request.filters).await?;
        first = series.iter().map(|info| info.first).chain(first).min();
    }
    Ok(first.filter(|first| *first < request.to).map_or(request.from, |first| first.max(request.from)))
}

/// What is shown, in one line: `cpu, memory · avg per 5m`.
fn title(window: &WindowArgs, per: &str) -> String {
    let names = window.names.join(", ");
    match per {
        "raw" => format!("{names} · points"),
        per => format!("{names} · {} per {per}", window.agg.as_deref().unwrap_or("avg")),
    }
}
