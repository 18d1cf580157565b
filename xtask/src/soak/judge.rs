//! Whether anything grew: the second half of a run held against its first.

use super::Run;
use super::sample::Sample;

/// Shortest run that tells anything, in samples: ten minutes.
const LEAST_SAMPLES: usize = 60;
/// Growth of memory over the second half that is taken for none: a part of what it is, and so much.
const MEMORY_PART: f64 = 0.10;
const MEMORY_BYTES: f64 = (16_u64 << 20) as f64;
/// Descriptors and threads by which the greatest number of the second half may pass that of the first.
const MORE_HANDLES: u64 = 8;
/// How many times as long as in the first half the log may be, at its longest, in the second.
const LOG_TIMES: f64 = 1.5;

/// What was looked at: whether it passed, and in words.
pub(crate) fn judge(run: &Run) -> Vec<(bool, String)> {
    let samples = &run.samples;
    if samples.len() < LEAST_SAMPLES {
        return vec![(true, format!("{} samples are too few to tell whether anything grows", samples.len()))];
    }
    let (first, second) = samples.split_at(samples.len() / 2);
    vec![
        memory("resident memory", second, |sample| sample.resident_bytes),
        memory("anonymous memory", second, |sample| sample.anonymous_bytes),
        handles("descriptors", first, second, |sample| sample.descriptors),
        handles("threads", first, second, |sample| sample.threads),
        log(first, second),
    ]
}

/// The slope of a least-squares line through the second half, over its whole length.
fn memory(name: &str, half: &[Sample], of: fn(&Sample) -> u64) -> (bool, String) {
    let points: Vec<(f64, f64)> = half.iter().map(|sample| (sample.at.as_secs_f64(), of(sample) as f64)).collect();
    let (slope, mean) = line(&points);
    let length = points.last().map_or(0.0, |last| last.0) - points.first().map_or(0.0, |first| first.0);
    let (growth, bound) = (slope * length, mean * MEMORY_PART + MEMORY_BYTES);
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let words = format!(
        "{name}: {:.0} MiB on average in the second half, {:+.1} MiB along its slope (bound {:.0})",
        mib(mean),
        mib(growth),
        mib(bound)
    );
    (growth <= bound, words)
}

/// Slope and mean of y over x.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (together / spread, mean_y)
}

fn most(samples: &[Sample], of: fn(&Sample) -> u64) -> u64 {
    samples.iter().map(of).max().unwrap_or(0)
}

fn handles(name: &str, first: &[Sample], second: &[Sample], of: fn(&Sample) -> u64) -> (bool, String) {
    let (before, after) = (most(first, of), most(second, of));
    (after <= before + MORE_HANDLES, format!("{name}: at most {before} in the first half, {after} in the second"))
}

fn log(first: &[Sample], second: &[Sample]) -> (bool, String) {
    let (before, after) = (most(first, |s| s.log_bytes), most(second, |s| s.log_bytes));
    let words =
        format!("write-ahead log: at most {} MiB in the first half, {} in the second", before >> 20, after >> 20);
    (after as f64 <= before as f64 * LOG_TIMES, words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn samples(of: impl Fn(u64) -> Sample) -> Vec<Sample> {
        (0..100).map(of).collect()
    }

    fn sample(second: u64) -> Sample {
        Sample {
            at: Duration::from_secs(second * 10),
            resident_bytes: 300 << 20,
            anonymous_bytes: 200 << 20,
            descriptors: 30,
            threads: 20,
            log_bytes: (second % 10) << 20,
            file_bytes: second << 20,
            chunks: 8,
            processor_s: second as f64,
        }
    }

    fn verdicts(of: impl Fn(u64) -> Sample) -> Vec<bool> {
        let run = Run {
            minutes: 17,
            before: 0,
            rate: 1,
            series: 10,
            samples: samples(of),
            writes: Default::default(),
            queries: vec![],
            acknowledged: 0,
            refused: 0,
            late: 0,
        };
        judge(&run).into_iter().map(|(passed, _)| passed).collect()
    }

    #[test]
    fn what_only_goes_up_and_down_passes() {
        assert_eq!(verdicts(sample), [true; 5]);
        assert_eq!(verdicts(|s| Sample { resident_bytes: (300 + s % 7 * 10) << 20, ..sample(s) }), [true; 5]);
    }

    #[test]
    fn what_grows_is_named() {
        let leak = |s: u64| Sample { resident_bytes: (300 + s * 2) << 20, ..sample(s) };
        assert_eq!(verdicts(leak), [false, true, true, true, true]);
        let open = |s: u64| Sample { descriptors: 30 + s / 5, ..sample(s) };
        assert_eq!(verdicts(open), [true, true, false, true, true]);
        let spawn = |s: u64| Sample { threads: 30 + s / 5, ..sample(s) };
        assert_eq!(verdicts(spawn), [true, true, true, false, true]);
        let log = |s: u64| Sample { log_bytes: s << 20, ..sample(s) };
        assert_eq!(verdicts(log), [true, true, true, true, false]);
    }
}
