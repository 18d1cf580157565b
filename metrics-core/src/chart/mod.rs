//! Frames as charts: curves with gaps and bands, nice numbers and times for their axes.

mod curve;
mod html;
mod svg;
mod time;
mod value;

pub use curve::{Curve, curves};
pub use html::html;
pub use svg::{MAX_CURVES, SIZE_PX, SvgOptions, Theme, ThemeError, svg};
pub use time::{TimeTick, time_ticks};
pub use value::{MAX_VALUE_CHARS, ValueScale};

use crate::model::{Aggregate, Frame, MetricName, QueryRequest};

/// What a chart shows, in one line: `cpu, memory · avg per 5m`. A band is no part of it.
pub fn title(request: &QueryRequest, frame: &Frame) -> String {
    let names: Vec<&str> = request.names.iter().map(MetricName::as_str).collect();
    let names = names.join(", ");
    if frame.per == "raw" {
        return format!("{names} · points");
    }
    let all = &request.aggregates;
    let banded = [Aggregate::Avg, Aggregate::Min, Aggregate::Max].iter().all(|part| all.contains(part));
    let in_band = |aggregate: &&Aggregate| banded && matches!(aggregate, Aggregate::Min | Aggregate::Max);
    let shown: Vec<String> = all.iter().filter(|aggregate| !in_band(aggregate)).map(ToString::to_string).collect();
    format!("{names} · {} per {}", shown.join(", "), frame.per)
}
