//! `delete`: points of a metric, with their part in every rollup.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::time::Instant;

use metrics_core::{Aggregate, Engine, MetricName, Per, QueryRequest, Resolution, Timestamp};

use super::span::{Span, require_metric};
use crate::args::DeleteArgs;
use crate::output::{WrongUsage, counted, note};

/// What is to go.
pub(crate) struct Doomed {
    name: MetricName,
    span: Span,
    /// Whether a person is asked first.
    ask: bool,
}

/// What the command line spells out.
///
/// # Errors
/// [`WrongUsage`] where nobody can be asked and `--yes` is not given, or for a bad span.
pub(crate) fn prepare(args: &DeleteArgs, now: Timestamp) -> Result<Doomed, WrongUsage> {
    let person = stdin().is_terminal() && stderr().is_terminal();
    if !args.yes && !person {
        return Err(WrongUsage("delete asks before it deletes, but nobody is at a terminal: add --yes".into()));
    }
    Ok(Doomed { name: args.name.clone(), span: Span::new(&args.span, now)?, ask: !args.yes })
}

/// Runs the command. False when the person said no.
pub(crate) async fn run(doomed: Doomed, engine: &Engine) -> anyhow::Result<bool> {
    require_metric(&doomed.name, &engine.metric_names())?;
    if doomed.ask && !agreed(&doomed, engine).await? {
        note("nothing was deleted");
        return Ok(false);
    }
    let Doomed { name, span, .. } = doomed;
    let start = Instant::now();
    let engine = engine.clone();
    let deleting = tokio::task::spawn_blocking(move || engine.delete(&name, &span.filters, span.from, span.to));
    let points = deleting.await??;
    note(format_args!("{} deleted in {:.2} s", counted(points, "point"), start.elapsed().as_secs_f64()));
    Ok(true)
}

/// Asks a person, who is told how many points would go.
async fn agreed(doomed: &Doomed, engine: &Engine) -> anyhow::Result<bool> {
    let (name, span) = (doomed.name.clone(), doomed.span.clone());
    let (engine, words) = (engine.clone(), format!("\"{}\"{}", doomed.name, doomed.span.words));
    let answer = tokio::task::spawn_blocking(move || {
        let points = count(&name, &span, &engine)?;
        write!(stderr(), "delete {} of {words}? [y/N] ", counted(points, "point"))?;
        let mut line = String::new();
        stdin().read_line(&mut line)?;
        anyhow::Ok(line)
    });
    Ok(is_yes(&answer.await??))
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Points of the metric's series that pass the filters and lie in the span.
fn count(name: &MetricName, span: &Span, engine: &Engine) -> anyhow::Result<u64> {
    let series = engine.series(Some(name.as_str()), &span.filters);
    let first = series.iter().map(|info| info.first).min();
    let last = series.iter().map(|info| info.last.saturating_add_micros(1)).max();
    let (Some(first), Some(last)) = (first, last) else { return Ok(0) };
    let (from, to) = (span.from.max(first), span.to.min(last));
    if from >= to {
        return Ok(0);
    }
    let mut request = QueryRequest::new([name.as_str()], from, to)?;
    (request.per, request.limit) = (Per::Every(Resolution::Month), usize::MAX);
    (request.aggregates, request.filters) = (vec![Aggregate::Count], span.filters.clone());
    let frame = engine.query(&request)?;
    let counts = frame.series.iter().filter_map(|series| series.column(Aggregate::Count)).flatten();
    Ok(counts.flatten().sum::<f64>() as u64)
}

#[cfg(test)]
mod tests {
    use metrics_core::{Batch, LabelFilter, Point};

    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        assert_eq!(["y\n", " YES \n", "yes"].map(is_yes), [true; 3]);
        assert_eq!(["", "\n", "n\n", "yep\n", "y n\n"].map(is_yes), [false; 5]);
    }

    #[test]
    fn what_would_go_is_what_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let engine = Engine::open(folder.path().join("m.duckdb")).expect("opens");
        let at = |seconds: i64| Timestamp::clamped(seconds * 1_000_000);
        let mut batch = Batch::new();
        for second in 0..100_000 {
            for host in ["a", "b"] {
                let point = Point::new("cpu", at(second * 60), 1.0).expect("a point");
                batch.push(point.with_labels([("host", host)]).expect("labels"));
            }
        }
        engine.write(batch).expect("takes").wait().expect("stores");
        let name = MetricName::new("cpu").expect("a name");
        let on = |host: &str| vec![LabelFilter::equal("host", host)];
        for (filters, from, to, expected) in [
            (on("a"), at(90), at(61 * 60), 59),
            (on("c"), Timestamp::MIN, Timestamp::MAX, 0),
            (vec![], at(7_000_000), Timestamp::MAX, 0),
            (on("b"), at(60), Timestamp::MAX, 99_999),
            (vec![], Timestamp::MIN, Timestamp::MAX, 99_942),
        ] {
            let span = Span { filters, from, to, words: String::new() };
            assert_eq!(count(&name, &span, &engine).expect("counts"), expected, "{span:?}");
            assert_eq!(engine.delete(&name, &span.filters, from, to).expect("deletes"), expected, "{span:?}");
        }
    }
}
