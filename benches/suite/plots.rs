//! Plots of what was measured, as SVG.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::systems::{Question, System};
use crate::units::Measured;

const SIZE: (u32, u32) = (860, 440);
const COLOURS: [RGBColor; 8] = [
    RGBColor(47, 111, 222),
    RGBColor(224, 118, 12),
    RGBColor(18, 148, 106),
    RGBColor(207, 63, 142),
    RGBColor(125, 85, 216),
    RGBColor(168, 134, 0),
    RGBColor(12, 147, 181),
    RGBColor(208, 59, 59),
];

/// A curve: its name and its points.
type Curve = (String, Vec<(f64, f64)>);

/// Draws every plot that there are figures for.
pub(crate) fn draw(folder: &Path, measured: &Measured) -> Result<()> {
    let of = |varied: &'static str| measured.growth.iter().filter(move |growth| growth.varied == varied);
    for (varied, axis) in [("points", "samples in the store"), ("series", "series in a store of 10 million samples")] {
        let x = |growth: &&crate::size::GrowthRecord| {
            (if varied == "points" { growth.samples } else { growth.series }) as f64
        };
        let questions = Question::ALL.into_iter().enumerate().map(|(place, question)| {
            let points = of(varied).filter_map(|growth| Some((x(&growth), growth.p50_ms.get(place)?.1))).collect();
            (question.text().to_owned(), points)
        });
        let title = format!("Milliseconds an answer (p50, over HTTP) against {axis}");
        lines(&folder.join(format!("growth-{varied}-questions.svg")), &title, axis, &questions.collect::<Vec<_>>())?;
        let costs: Vec<Curve> = vec![
            ("CPU microseconds a sample written".into(), of(varied).map(|g| (x(&g), g.cpu_us_per_point)).collect()),
            ("bytes a sample, all files".into(), of(varied).map(|g| (x(&g), g.bytes_per_point)).collect()),
            ("seconds until a started server answers".into(), of(varied).map(|g| (x(&g), g.start_s)).collect()),
            ("hundreds of MiB of memory".into(), of(varied).map(|g| (x(&g), g.memory_mib / 100.0)).collect()),
        ];
        lines(&folder.join(format!("growth-{varied}-cost.svg")), &format!("Cost against {axis}"), axis, &costs)?;
    }
    let bars: Vec<(String, f64)> = measured
        .loads
        .iter()
        .filter(|load| Some(load.samples) == measured.loads.iter().map(|load| load.samples).max())
        .map(|load| {
            let system = load.system.map_or("bare DuckDB", System::name);
            let format = load.format.map_or("appender", |format| format.name());
            (format!("{system}, {format}"), load.samples as f64 / load.settled_cpu_s / 1e6)
        })
        .collect();
    bar_chart(&folder.join("loading.svg"), "Million samples per CPU second of the server, all told", &bars)
}

/// Curves over two logarithmic axes.
fn lines(path: &Path, title: &str, axis: &str, curves: &[Curve]) -> Result<()> {
    let points = || curves.iter().flat_map(|(_, points)| points).filter(|(x, y)| *x > 0.0 && *y > 0.0);
    let span = |of: fn(&(f64, f64)) -> f64| {
        points().map(of).fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((left, right), (low, high)) = (span(|point| point.0), span(|point| point.1));
    if points().count() < 2 {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw {}: {error}", path.display());
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d((left..right * 1.05).log_scale(), (low / 2.0..high * 400.0).log_scale())
        .map_err(|error| failed(&error))?;
    let short = |value: &f64| {
        if *value >= 1e6 {
            format!("{} M", value / 1e6)
        } else if *value >= 1e3 {
            format!("{} k", value / 1e3)
        } else {
            format!("{value}")
        }
    };
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(axis).x_label_formatter(&short).y_label_formatter(&short).light_line_style(WHITE);
    mesh.draw().map_err(|error| failed(&error))?;
    for ((name, points), colour) in curves.iter().zip(COLOURS) {
        let drawn = points.iter().copied().filter(|(_, y)| *y > 0.0);
        let series = LineSeries::new(drawn, colour.stroke_width(2)).point_size(3);
        let annotation = chart.draw_series(series).map_err(|error| failed(&error))?;
        annotation.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE).label_font(("sans-serif", 13));
    labels.draw().map_err(|error| failed(&error))?;
    root.present().map_err(|error| failed(&error))
}

/// One bar under the other, with its figure.
fn bar_chart(path: &Path, title: &str, bars: &[(String, f64)]) -> Result<()> {
    let Some(most) = bars.iter().map(|bar| bar.1).max_by(f64::total_cmp) else { return Ok(()) };
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw {}: {error}", path.display());
    let (text, width, height) = (250, i32::try_from(SIZE.0)? - 330, 30);
    let root = SVGBackend::new(path, (SIZE.0, 50 + height as u32 * bars.len() as u32)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let font = ("sans-serif", 14).into_font();
    let write =
        |words: String, at: (i32, i32)| root.draw(&Text::new(words, at, font.clone())).map_err(|error| failed(&error));
    write(title.to_owned(), (12, 12))?;
    for (place, (name, value)) in bars.iter().enumerate() {
        let top = 42 + height * i32::try_from(place)?;
        let right = text + (value / most * f64::from(width)) as i32;
        let colour = COLOURS[usize::from(!name.starts_with(System::Metrics.name()))];
        root.draw(&Rectangle::new([(text, top), (right, top + 20)], colour.filled()))
            .map_err(|error| failed(&error))?;
        write(name.clone(), (12, top + 4))?;
        write(format!("{value:.2}"), (right + 6, top + 4))?;
    }
    root.present().map_err(|error| failed(&error))
}
