//! `post`: one point.

use metrics_core::wire::params::parse_time;
use metrics_core::{Batch, Labels, Point, SeriesKey, Timestamp};

use crate::args::PostArgs;
use crate::backend::Backend;
use crate::output::{WrongUsage, note};

/// The point that the command line spells out.
pub(crate) fn point(args: PostArgs, now: Timestamp) -> Result<Point, WrongUsage> {
    let labels = Labels::new(args.label).map_err(|error| WrongUsage(format!("--label: {error}")))?;
    let at = parse_time("at", &args.at, now).map_err(|error| WrongUsage(super::query::in_option_words(&error)))?;
    Point::of(SeriesKey::new(args.name, labels), at, args.value).map_err(|error| WrongUsage(error.to_string()))
}

/// Writes it.
pub(crate) async fn run(point: Point, backend: &Backend) -> anyhow::Result<()> {
    let said = format!("stored {} = {} at {}", point.series(), point.value(), point.timestamp());
    backend.write(Batch::from(point)).await?;
    note(said);
    Ok(())
}
