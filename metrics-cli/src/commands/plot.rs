//! `plot`: a chart in the terminal, once or again and again, or as a picture in a file.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Context;
use metrics_core::chart::{self, SIZE_PX, SvgOptions, Theme, curves, svg};
use metrics_core::{Frame, QueryRequest, Timestamp};

use super::query::{self, ask};
use crate::args::PlotArgs;
use crate::backend::Backend;
use crate::output::{WrongUsage, ascii_only, colours, note, print};
use crate::plot::{MOST_CURVES, Paint, Picture, canvas_columns};
use crate::png::png;
use crate::screen;

/// Size where stdout is no terminal.
const DEFAULT_SIZE: (usize, usize) = (80, 24);
/// Lines of a chart that nobody asked to be higher.
const USUAL_ROWS: usize = 30;
/// Width and height of a picture that nobody asked to be other, in pixels.
const PICTURE_PX: (usize, usize) = (960, 400);
/// What a picture shows where nobody asked: a line with its band.
const PICTURE_AGG: &str = "avg,min,max";

/// Columns and lines of the terminal.
pub(crate) fn terminal_size() -> (usize, usize) {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(DEFAULT_SIZE, |(w, h)| (usize::from(w.0), usize::from(h.0)))
}

/// Columns and lines of the chart.
fn size(args: &PlotArgs) -> (usize, usize) {
    let (columns, rows) = terminal_size();
    // The last line of the terminal is the prompt's.
    let rows = rows.saturating_sub(1).clamp(1, USUAL_ROWS);
    (args.width.unwrap_or(columns), args.height.unwrap_or(rows))
}

/// What a file is by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Svg,
    Png,
    Html,
}

impl FileKind {
    fn of(file: &Path) -> Result<Self, WrongUsage> {
        match file.extension().and_then(OsStr::to_str) {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            Some("html" | "htm") => Ok(Self::Html),
            None if file == Path::new("-") => Ok(Self::Svg),
            _ => Err(WrongUsage(format!("--out {}: the name must end in .svg, .png or .html", file.display()))),
        }
    }
}

/// The query of the chart: as many windows as it has room for, in the machine's own zone, unless options say other.
pub(crate) fn request(args: &PlotArgs, now: Timestamp) -> Result<QueryRequest, WrongUsage> {
    let points = match &args.out {
        None => canvas_columns(size(args).0) * 2,
        Some(file) => {
            FileKind::of(file)?;
            picture_px("--width", args.width, PICTURE_PX.0)?;
            picture_px("--height", args.height, PICTURE_PX.1)?;
            args.width.unwrap_or(PICTURE_PX.0) / 2
        }
    };
    let window = &args.window;
    let mut pairs = window.pairs();
    if window.points.is_none() {
        pairs.push(("points", points.to_string()));
    }
    if args.out.is_some() && window.agg.is_none() {
        pairs.push(("agg", PICTURE_AGG.to_owned()));
    }
    if window.tz.is_none() {
        pairs.push(("tz", crate::zone::local().name().to_owned()));
    }
    metrics_core::wire::params::decode(pairs, now).map_err(|error| WrongUsage(query::in_option_words(&error)))
}

fn picture_px(option: &str, given: Option<usize>, usual: usize) -> Result<u32, WrongUsage> {
    let px = u32::try_from(given.unwrap_or(usual)).ok().filter(|px| SIZE_PX.contains(px));
    let (least, most) = (SIZE_PX.start(), SIZE_PX.end());
    px.ok_or_else(|| WrongUsage(format!("{option}: a picture has {least} to {most} pixels")))
}

/// Runs the command.
pub(crate) async fn run(args: &PlotArgs, request: &QueryRequest, backend: &Backend) -> anyhow::Result<()> {
    if args.follow {
        let draw = async || follow(args, backend).await;
        return screen::live(args.interval, draw).await;
    }
    let mut request = request.clone();
    if args.window.from.is_none() {
        request.from = start(&request, backend).await?;
    }
    let frame = ask(&request, backend).await?;
    if let Some(file) = &args.out {
        return write_picture(args, file, &request, frame).await;
    }
    if frame.series.is_empty() {
        return Ok(());
    }
    let (lines, all) = drawn(args, &request, &frame, size(args));
    let lines: Vec<String> = lines.into_iter().map(|line| line + "\n").collect();
    print(lines.concat().as_bytes())?;
    if all > MOST_CURVES {
        note(format_args!("the first {MOST_CURVES} of {all} lines are shown: --where and --group-by choose others"));
    }
    Ok(())
}

/// What a chart shows by now; the terminal may have another size each time.
async fn follow(args: &PlotArgs, backend: &Backend) -> anyhow::Result<Vec<String>> {
    let mut request = request(args, Timestamp::now())?;
    if args.window.from.is_none() {
        request.from = start(&request, backend).await?;
    }
    let frame = backend.query(&request).await?;
    if frame.series.is_empty() {
        return Ok(vec![format!("{}: no points yet", chart::title(&request, &frame))]);
    }
    let (columns, rows) = terminal_size();
    Ok(drawn(args, &request, &frame, (args.width.unwrap_or(columns), args.height.unwrap_or(rows))).0)
}

/// The chart's lines, and how many curves there are.
fn drawn(
    args: &PlotArgs,
    request: &QueryRequest,
    frame: &Frame,
    (columns, rows): (usize, usize),
) -> (Vec<String>, usize) {
    let (curves, all) = curves(frame, MOST_CURVES);
    let paint = match () {
        () if args.ascii || ascii_only() => Paint::Ascii,
        () if colours() => Paint::Colours,
        () => Paint::Marks,
    };
    let title = chart::title(request, frame);
    let picture = Picture { title, curves, from: frame.from, to: frame.to, zone: frame.zone, columns, rows, paint };
    (picture.draw(), all)
}

/// Writes a picture or a page into a file, or a picture to stdout.
async fn write_picture(args: &PlotArgs, file: &Path, request: &QueryRequest, frame: Frame) -> anyhow::Result<()> {
    let kind = FileKind::of(file)?;
    let options = SvgOptions {
        width: picture_px("--width", args.width, PICTURE_PX.0)?,
        height: picture_px("--height", args.height, PICTURE_PX.1)?,
        // Pixels cannot follow the screen that they are looked at on.
        theme: if kind == FileKind::Png && args.theme == Theme::Auto { Theme::Light } else { args.theme },
        title: args.title.clone().unwrap_or_else(|| chart::title(request, &frame)),
        ..SvgOptions::default()
    };
    let bytes = match kind {
        FileKind::Svg => svg(&frame, &options).into_bytes(),
        FileKind::Png => png(&svg(&frame, &options))?,
        FileKind::Html => chart::html(&frame, &options).into_bytes(),
    };
    if file == Path::new("-") {
        return print(&bytes);
    }
    tokio::fs::write(file, bytes).await.with_context(|| format!("cannot write {}", file.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_ends_in() {
        let kind = |name: &str| FileKind::of(Path::new(name)).map_err(|error| error.0);
        assert_eq!(
            (kind("a/b.svg"), kind("x.html"), kind("-")),
            (Ok(FileKind::Svg), Ok(FileKind::Html), Ok(FileKind::Svg))
        );
        assert_eq!(kind("x.png"), Ok(FileKind::Png));
        assert!(kind("x.gif").is_err_and(|error| error.contains(".svg, .png or .html")));
    }
}
