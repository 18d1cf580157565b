//! What a soak saw, by spans of five minutes.

use std::fmt::Write;

use super::Run;
use super::sample::Sample;
use super::times::{SPAN, Times, span_of};

/// The report.
pub(crate) fn markdown(run: &Run, verdicts: &[(bool, String)]) -> String {
    let passed = verdicts.iter().all(|(passed, _)| *passed);
    let mut text = format!(
        "# Soak: {}\n\n{} minutes, {} points/s asked for, {} series; {} points were there before, {} more were acknowledged ({:.0}/s), \
         {} requests refused, {} ticks more than a second late.\n\n",
        if passed { "passed" } else { "FAILED" },
        run.minutes,
        run.rate,
        run.series,
        run.before,
        run.acknowledged - run.before,
        (run.acknowledged - run.before) as f64 / run.samples.last().map_or(1.0, |last| last.at.as_secs_f64()),
        run.refused,
        run.late,
    );
    for (passed, words) in verdicts {
        writeln!(text, "- {}{words}", if *passed { "" } else { "**FAILED** " }).expect("a text takes all");
    }
    spans(&mut text, run);
    text += "\n| query | asked | p50 ms | p99 ms | most ms |\n| --- | ---: | ---: | ---: | ---: |\n";
    for (name, times) in &run.queries {
        let [half, most_of, all] = [0.5, 0.99, 1.0].map(|part| times.overall_ms(part));
        writeln!(text, "| {name} | {} | {half:.1} | {most_of:.1} | {all:.1} |", times.count())
            .expect("a text takes all");
    }
    text
}

/// A row for each span: of what goes up and down the greatest, of the file the last.
fn spans(text: &mut String, run: &Run) {
    let mut queries = Times::default();
    run.queries.iter().for_each(|(_, times)| queries.merge(times));
    *text += "\n| minutes | resident MiB | anonymous MiB | descriptors | threads | log MiB | file MiB | chunks | processor % | \
        write p50 / p99 ms | query p50 / p99 ms |\n";
    *text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let last = run.samples.last().map_or(0, |sample| span_of(sample.at));
    let mut processor_s = 0.0;
    for span in 0..=last {
        let of_span: Vec<&Sample> = run.samples.iter().filter(|sample| span_of(sample.at) == span).collect();
        let Some(end) = of_span.last() else { continue };
        let most = |of: fn(&Sample) -> u64| of_span.iter().map(|sample| of(sample)).max().unwrap_or(0);
        let seconds = (end.at.as_secs_f64() - SPAN.as_secs_f64() * span as f64).max(1.0);
        let busy = (end.processor_s - processor_s) / seconds * 100.0;
        processor_s = end.processor_s;
        writeln!(
            text,
            "| {}-{} | {} | {} | {} | {} | {} | {} | {} | {busy:.0} | {:.1} / {:.1} | {:.1} / {:.1} |",
            span * 5,
            span * 5 + 5,
            most(|s| s.resident_bytes) >> 20,
            most(|s| s.anonymous_bytes) >> 20,
            most(|s| s.descriptors),
            most(|s| s.threads),
            most(|s| s.log_bytes) >> 20,
            end.file_bytes >> 20,
            end.chunks,
            run.writes.quantile_ms(span, 0.5),
            run.writes.quantile_ms(span, 0.99),
            queries.quantile_ms(span, 0.5),
            queries.quantile_ms(span, 0.99),
        )
        .expect("a text takes all");
    }
}
