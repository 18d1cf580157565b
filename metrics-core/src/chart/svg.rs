//! A chart as an SVG picture: one file, with no script and no other file behind it.
//!
//! Colours are attributes, which every reader of SVG knows; a style sheet of a few lines turns them over where the
//! reader's screen is dark.

use std::fmt::Write;
use std::str::FromStr;

use super::{Curve, ValueScale, curves, time_ticks};
use crate::model::{Frame, Timestamp};

/// Curves that can be told apart by colour; of more the first are drawn, and the legend says so.
pub const MAX_CURVES: usize = 10;
/// Least and greatest width and height of a picture, in pixels.
pub const SIZE_PX: std::ops::RangeInclusive<u32> = 120..=4_000;
/// Characters of a legend's entry and of a title.
const MAX_LABEL_CHARS: usize = 60;
/// Height of a line of text, in pixels.
const LINE_PX: f64 = 18.0;
/// Usual width of a character, in pixels: text is not measured, a picture has no font of its own.
const CHAR_PX: f64 = 6.6;
/// Room between the time axis and the legend, in pixels.
const LEGEND_GAP_PX: f64 = 14.0;
/// Room at the right edge and below the title, in pixels.
const EDGE_PX: f64 = 16.0;

/// Colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the reader's screen is set.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A word that is no theme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a theme: use auto, light or dark")]
pub struct ThemeError(String);

impl FromStr for Theme {
    type Err = ThemeError;

    fn from_str(word: &str) -> Result<Self, ThemeError> {
        match word {
            "auto" => Ok(Self::Auto),
            "light" => Ok(Self::Light),
            "dark" => Ok(Self::Dark),
            _ => Err(ThemeError(word.chars().take(32).collect())),
        }
    }
}

/// How a picture looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvgOptions {
    /// Width in pixels; held within [`SIZE_PX`].
    pub width: u32,
    /// Height in pixels; held within [`SIZE_PX`].
    pub height: u32,
    /// Colours.
    pub theme: Theme,
    /// First line of the picture.
    pub title: String,
    /// Most curves with bands; of more the bands are left out, for they would hide each other.
    pub most_bands: usize,
}

impl Default for SvgOptions {
    fn default() -> Self {
        Self { width: 800, height: 360, theme: Theme::Auto, title: String::new(), most_bands: 4 }
    }
}

/// The colours of one theme.
struct Palette {
    page: &'static str,
    ink: &'static str,
    dim: &'static str,
    grid: &'static str,
    curves: [&'static str; MAX_CURVES],
}

const LIGHT: Palette = Palette {
    page: "#ffffff",
    ink: "#1a2230",
    dim: "#5a6677",
    grid: "#e3e7ec",
    curves: [
        "#2f6fde", "#e0760c", "#12946a", "#cf3f8e", "#7d55d8", "#a88600", "#0c93b5", "#d03b3b", "#66961d", "#80695a",
    ],
};

const DARK: Palette = Palette {
    page: "#161b21",
    ink: "#e3e8ee",
    dim: "#94a1b1",
    grid: "#2a323c",
    curves: [
        "#6ea5ff", "#ff9d45", "#3fcf9b", "#f27cba", "#ab90ff", "#e0c040", "#45c6e4", "#ff7272", "#a4cf4e", "#bfa791",
    ],
};

/// Draws a frame. A series with `avg`, `min` and `max` is a line with a band; its gaps are gaps.
///
/// ```
/// use metrics_core::chart::{SvgOptions, svg};
/// use metrics_core::{Frame, Timestamp};
/// let empty = Frame {
///     from: Timestamp::EPOCH,
///     to: Timestamp::now(),
///     per: "hour".into(),
///     zone: "Europe/Berlin".parse().unwrap(),
///     series: vec![],
///     explain: None,
/// };
/// let picture = svg(&empty, &SvgOptions { title: "load <1>".into(), ..SvgOptions::default() });
/// assert!(picture.starts_with("<svg ") && picture.contains("load &lt;1&gt;"));
/// ```
pub fn svg(frame: &Frame, options: &SvgOptions) -> String {
    draw(frame, options).text
}

/// A picture with what it shows, and where.
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) curves: Vec<Curve>,
    /// Left, right, upper and lower edge of the part with the curves, in pixels.
    pub(super) edges_px: [f64; 4],
}

/// Draws a frame.
pub(super) fn draw(frame: &Frame, options: &SvgOptions) -> Drawn {
    let (mut drawn, all) = curves(frame, MAX_CURVES);
    if drawn.len() > options.most_bands {
        drawn.iter_mut().for_each(|curve| curve.band.clear());
    }
    let hold = |size: u32| f64::from(size.clamp(*SIZE_PX.start(), *SIZE_PX.end()));
    let mut picture = Picture {
        out: String::with_capacity(4_096 + frame.series.iter().map(|series| series.time.len() * 16).sum::<usize>()),
        palette: if options.theme == Theme::Dark { &DARK } else { &LIGHT },
        width: hold(options.width),
        height: hold(options.height),
    };
    picture.open(options);
    let legend = legend(&drawn, all, picture.width);
    let scale = scale(&drawn, picture.height);
    let margin = scale.ticks.iter().map(|(_, label)| label.len()).max().unwrap_or(0) as f64 * CHAR_PX + 2.0 * EDGE_PX;
    let legend_px = legend.len() as f64 * LINE_PX + if legend.is_empty() { 0.0 } else { LEGEND_GAP_PX };
    let plot = Plot {
        left: margin,
        right: picture.width - EDGE_PX,
        top: LINE_PX + 2.0 * EDGE_PX,
        bottom: (picture.height - legend_px - LINE_PX - EDGE_PX).max(LINE_PX + 3.0 * EDGE_PX),
        from: frame.from,
        to: frame.to,
        scale,
    };
    picture.heading(frame, options);
    picture.axes(frame, &plot);
    drawn.iter().enumerate().for_each(|(index, curve)| picture.curve(index, curve, &plot));
    if drawn.iter().all(|curve| curve.pieces.is_empty()) {
        let (x, y) = ((plot.left + plot.right) / 2.0, (plot.top + plot.bottom) / 2.0);
        picture.text((x, y), "middle", "dim", "no points in this time");
    }
    picture.legend(&legend, plot.bottom + LINE_PX + EDGE_PX + LEGEND_GAP_PX / 2.0);
    picture.out.push_str("</svg>\n");
    Drawn { text: picture.out, curves: drawn, edges_px: [plot.left, plot.right, plot.top, plot.bottom] }
}

/// The scale of all curves, with a number about every 45 pixels.
fn scale(curves: &[Curve], height: f64) -> ValueScale {
    let values = || curves.iter().flat_map(Curve::values);
    let (least, greatest) = (values().reduce(f64::min).unwrap_or(0.0), values().reduce(f64::max).unwrap_or(1.0));
    ValueScale::new(least, greatest, ((height - 90.0) / 45.0).clamp(2.0, 12.0) as usize)
}

/// An entry of the legend: which curve (none for the rest), its words, and its place from the left in pixels.
type LegendEntry = (Option<usize>, String, f64);

/// The legend's lines; none for a single curve.
fn legend(curves: &[Curve], all: usize, width: f64) -> Vec<Vec<LegendEntry>> {
    if all < 2 {
        return Vec::new();
    }
    let mut entries: Vec<(Option<usize>, String)> =
        curves.iter().enumerate().map(|(index, curve)| (Some(index), shortened(&curve.label))).collect();
    if all > curves.len() {
        entries.push((None, format!("and {} more", all - curves.len())));
    }
    let mut lines: Vec<Vec<LegendEntry>> = vec![Vec::new()];
    let mut x = EDGE_PX;
    for (index, label) in entries {
        let entry_px = label.chars().count() as f64 * CHAR_PX + 40.0;
        if x > EDGE_PX && x + entry_px > width {
            lines.push(Vec::new());
            x = EDGE_PX;
        }
        lines.last_mut().expect("there is a line from the start").push((index, label, x));
        x += entry_px;
    }
    lines
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_LABEL_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The part of the picture that curves are drawn in.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    from: Timestamp,
    to: Timestamp,
    scale: ValueScale,
}

impl Plot {
    fn x(&self, at: Timestamp) -> f64 {
        let span = self.to.micros().saturating_sub(self.from.micros()).max(1) as f64;
        let share = at.micros().saturating_sub(self.from.micros()) as f64 / span;
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.scale.share(value) * (self.bottom - self.top)
    }
}

struct Picture {
    out: String,
    palette: &'static Palette,
    width: f64,
    height: f64,
}

impl Picture {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a String takes everything");
    }

    fn open(&mut self, options: &SvgOptions) {
        let (width, height) = (self.width, self.height);
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-size=\"12\" \
             font-family=\"system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, Arial, sans-serif\">\n<title>"
        ));
        self.escaped(if options.title.is_empty() { "Chart" } else { &options.title });
        self.out.push_str("</title>\n");
        if options.theme == Theme::Auto {
            self.dark_style();
        }
        let page = self.palette.page;
        self.put(format_args!("<rect class=\"page\" width=\"{width}\" height=\"{height}\" fill=\"{page}\"/>\n"));
    }

    /// Colours of dark screens, which go before the attributes there.
    fn dark_style(&mut self) {
        let Palette { page, ink, dim, grid, curves } = &DARK;
        self.put(format_args!(
            "<style>@media (prefers-color-scheme: dark) {{ .page {{ fill: {page} }} .ink {{ fill: {ink} }} \
             .dim {{ fill: {dim} }} .grid {{ stroke: {grid} }}"
        ));
        for (index, colour) in curves.iter().enumerate() {
            self.put(format_args!(" .line-{index} {{ stroke: {colour} }} .area-{index} {{ fill: {colour} }}"));
        }
        self.out.push_str(" }</style>\n");
    }

    /// Text with what would be markup escaped; characters that XML does not have are replaced.
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '\u{fffe}' | '\u{ffff}' => self.out.push('\u{fffd}'),
                c if c.is_control() => self.out.push('\u{fffd}'),
                c => self.out.push(c),
            }
        }
    }

    /// One line of text; `tone` is `ink` or `dim`.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, tone: &str, text: &str) {
        let fill = if tone == "ink" { self.palette.ink } else { self.palette.dim };
        self.put(format_args!(
            "<text class=\"{tone}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{fill}\">"
        ));
        self.escaped(text);
        self.out.push_str("</text>\n");
    }

    /// The title at the left; at the right the time that is shown, where there is room.
    fn heading(&mut self, frame: &Frame, options: &SvgOptions) {
        let y = EDGE_PX + 10.0;
        let title = shortened(&options.title);
        self.put(format_args!("<g font-size=\"14\" font-weight=\"600\">"));
        self.text((EDGE_PX, y), "start", "ink", &title);
        self.out.push_str("</g>\n");
        let [from, to] = [frame.from, frame.to]
            .map(|at| at.to_utc().with_timezone(&frame.zone).format("%Y-%m-%d %H:%M").to_string());
        let span = format!("{from} to {to} {}", frame.zone.name());
        let used_px = title.chars().count() as f64 * 8.0 + span.len() as f64 * CHAR_PX + 3.0 * EDGE_PX;
        if used_px <= self.width {
            self.text((self.width - EDGE_PX, y), "end", "dim", &span);
        }
    }

    fn axes(&mut self, frame: &Frame, plot: &Plot) {
        let grid = self.palette.grid;
        for (value, label) in &plot.scale.ticks {
            let y = plot.y(*value);
            self.put(format_args!(
                "<path class=\"grid\" d=\"M{:.1} {y:.1}H{:.1}\" stroke=\"{grid}\"/>\n",
                plot.left, plot.right
            ));
            self.text((plot.left - 8.0, y + 4.0), "end", "dim", label);
        }
        let room_chars = ((plot.right - plot.left) / CHAR_PX).max(0.0) as usize;
        let mut free = 0.0;
        for tick in time_ticks(frame.from, frame.to, room_chars, frame.zone) {
            let (x, half) = (plot.x(tick.at), tick.label.len() as f64 * CHAR_PX / 2.0);
            self.put(format_args!("<path class=\"grid\" d=\"M{x:.1} {:.1}v5\" stroke=\"{grid}\"/>\n", plot.bottom));
            if x - half >= free && x + half <= self.width {
                self.text((x, plot.bottom + LINE_PX), "middle", "dim", &tick.label);
                free = x + half + CHAR_PX;
            }
        }
    }

    fn curve(&mut self, index: usize, curve: &Curve, plot: &Plot) {
        let colour = self.palette.curves[index % MAX_CURVES];
        self.put(format_args!("<g data-curve=\"{index}\"><title>"));
        self.escaped(&curve.label);
        self.out.push_str("</title>\n");
        for piece in &curve.band {
            let upper = piece.iter().map(|(at, _, high)| (plot.x(*at), plot.y(*high)));
            let lower = piece.iter().rev().map(|(at, low, _)| (plot.x(*at), plot.y(*low)));
            let path = path(upper.chain(lower));
            self.put(format_args!(
                "<path class=\"area-{index}\" d=\"{path}Z\" fill=\"{colour}\" fill-opacity=\"0.16\"/>\n"
            ));
        }
        for piece in &curve.pieces {
            if let [(at, value)] = piece[..] {
                let (x, y) = (plot.x(at), plot.y(value));
                self.put(format_args!(
                    "<circle class=\"area-{index}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"{colour}\"/>\n"
                ));
            } else {
                let path = path(piece.iter().map(|(at, value)| (plot.x(*at), plot.y(*value))));
                self.put(format_args!(
                    "<path class=\"line-{index}\" d=\"{path}\" fill=\"none\" stroke=\"{colour}\" \
                     stroke-width=\"1.6\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"
                ));
            }
        }
        self.out.push_str("</g>\n");
    }

    fn legend(&mut self, lines: &[Vec<LegendEntry>], top: f64) {
        for (row, line) in lines.iter().enumerate() {
            let y = top + row as f64 * LINE_PX;
            for (index, label, x) in line {
                let entry = index.map_or_else(String::new, |index| format!(" data-entry=\"{index}\""));
                self.put(format_args!("<g{entry}>"));
                let key_px = if index.is_some() { 20.0 } else { 0.0 };
                if let Some(index) = index {
                    let colour = self.palette.curves[index % MAX_CURVES];
                    self.put(format_args!(
                        "<path class=\"line-{index}\" d=\"M{x:.1} {:.1}h14\" stroke=\"{colour}\" stroke-width=\"3\"/>\n",
                        y - 4.0
                    ));
                }
                self.text((x + key_px, y), "start", "ink", label);
                self.out.push_str("</g>\n");
            }
        }
    }
}

/// A path through points, with tenths of a pixel.
fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.enumerate() {
        write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' }).expect("a String takes everything");
    }
    path
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;
