//! Plausible metrics: a mean-reverting random walk with a daily wave each.

use std::f64::consts::TAU;

use metrics_core::{Batch, BatchSeries, Labels, MICROS_PER_DAY, MetricName, SeriesKey, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How one metric behaves.
#[derive(Debug, Clone, Copy)]
struct Shape {
    name: &'static str,
    mean: f64,
    /// Height of the wave with a period of a day.
    daily: f64,
    /// Standard deviation of the walk around the wave.
    noise: f64,
    /// Minutes in which the walk forgets most of where it was.
    memory_minutes: f64,
    least: f64,
    greatest: f64,
}

const fn shape(name: &'static str, [mean, daily, noise, memory_minutes, least, greatest]: [f64; 6]) -> Shape {
    Shape { name, mean, daily, noise, memory_minutes, least, greatest }
}

/// The metrics of the simulated machine room; more than these get a number behind the name.
const SHAPES: [Shape; 20] = [
    shape("temperature", [21.5, 3.0, 0.6, 40.0, -20.0, 50.0]),
    shape("humidity", [48.0, -9.0, 2.5, 60.0, 5.0, 100.0]),
    shape("pressure", [1013.0, 0.8, 3.0, 600.0, 950.0, 1060.0]),
    shape("cpu", [38.0, 18.0, 9.0, 4.0, 0.0, 100.0]),
    shape("memory", [61.0, 6.0, 4.0, 90.0, 0.0, 100.0]),
    shape("disk", [72.0, 0.5, 1.5, 700.0, 0.0, 100.0]),
    shape("load", [1.8, 0.9, 0.5, 8.0, 0.0, 64.0]),
    shape("network_in", [410.0, 220.0, 90.0, 3.0, 0.0, 10_000.0]),
    shape("network_out", [280.0, 150.0, 70.0, 3.0, 0.0, 10_000.0]),
    shape("requests", [120.0, 80.0, 20.0, 5.0, 0.0, 5_000.0]),
    shape("latency", [42.0, 14.0, 9.0, 2.0, 1.0, 10_000.0]),
    shape("queue_depth", [6.0, 4.0, 3.0, 2.0, 0.0, 1_000.0]),
    shape("sessions", [340.0, 210.0, 25.0, 30.0, 0.0, 10_000.0]),
    shape("voltage", [230.0, -1.2, 0.8, 15.0, 180.0, 260.0]),
    shape("power", [640.0, 120.0, 35.0, 6.0, 0.0, 5_000.0]),
    shape("battery", [86.0, 7.0, 2.0, 120.0, 0.0, 100.0]),
    shape("fan_speed", [1450.0, 260.0, 60.0, 10.0, 0.0, 6_000.0]),
    shape("light", [320.0, 300.0, 25.0, 20.0, 0.0, 2_000.0]),
    shape("noise", [44.0, 8.0, 3.0, 2.0, 10.0, 120.0]),
    shape("co2", [620.0, 140.0, 30.0, 25.0, 350.0, 5_000.0]),
];

/// Most metrics that one simulator makes.
pub(crate) const MOST_METRICS: usize = 10_000;

struct Metric {
    series: BatchSeries,
    shape: Shape,
    /// Where in the day the wave begins, in turns.
    phase: f64,
    /// Distance from the wave.
    walk: f64,
}

/// Makes one point of every metric at each instant it is asked for.
pub(crate) struct Simulator {
    rng: StdRng,
    metrics: Vec<Metric>,
    /// The series of every batch, interned once.
    empty: Batch,
    last: Option<Timestamp>,
}

impl Simulator {
    /// A simulator of `count` metrics; the same seed and the same instants make the same points.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut empty = Batch::new();
        let metrics = (0..count.min(MOST_METRICS))
            .map(|index| {
                let shape = SHAPES[index % SHAPES.len()];
                let name = match index / SHAPES.len() {
                    0 => shape.name.to_owned(),
                    round => format!("{}_{}", shape.name, round + 1),
                };
                let name = MetricName::new(&name).expect("the names above are short and printable");
                let series = empty.intern(SeriesKey::new(name, Labels::empty()));
                // The wave is highest in the afternoon, by two hours sooner or later.
                let phase = 0.375 + rng.random_range(-0.08..0.08);
                Metric { series, shape, phase, walk: shape.noise * normal(&mut rng) }
            })
            .collect();
        Self { rng, metrics, empty, last: None }
    }

    /// How many metrics there are.
    pub(crate) fn metrics(&self) -> usize {
        self.metrics.len()
    }

    /// One point of every metric. Instants should not go back.
    pub(crate) fn tick(&mut self, at: Timestamp) -> Batch {
        let mut batch = self.empty.clone();
        self.tick_into(at, &mut batch);
        batch
    }

    /// A batch that [`Self::tick_into`] takes.
    pub(crate) fn batch(&self) -> Batch {
        self.empty.clone()
    }

    /// Adds one point of every metric to a batch that [`Self::batch`] gave.
    pub(crate) fn tick_into(&mut self, at: Timestamp, batch: &mut Batch) {
        let past = self.last.map_or(0, |last| at.micros().saturating_sub(last.micros()).max(0));
        let minutes = past as f64 / metrics_core::MICROS_PER_MINUTE as f64;
        let turn = at.micros().rem_euclid(MICROS_PER_DAY) as f64 / MICROS_PER_DAY as f64;
        for metric in &mut self.metrics {
            let Shape { mean, daily, noise, memory_minutes, least, greatest, .. } = metric.shape;
            // The exact step of an Ornstein-Uhlenbeck process: its spread does not depend on the interval.
            let kept = (-minutes / memory_minutes).exp();
            metric.walk = metric.walk * kept + noise * (1.0 - kept * kept).sqrt() * normal(&mut self.rng);
            let wave = daily * ((turn - metric.phase) * TAU).sin();
            let value = (mean + wave + metric.walk).clamp(least, greatest);
            let value = (value * 100.0).round() / 100.0;
            batch.push_sample(metric.series, at, value).expect("a clamped value is finite");
        }
        self.last = Some(at);
    }
}

/// A number of the standard normal distribution (Box and Muller, 1958).
fn normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, ticks: i64, interval_micros: i64) -> Vec<(String, Timestamp, f64)> {
        let mut simulator = Simulator::new(25, seed);
        let start = Timestamp::parse("2024-02-02").expect("a date");
        (0..ticks)
            .flat_map(|tick| {
                let batch = simulator.tick(start.saturating_add_micros(tick * interval_micros));
                batch.points().map(|(key, at, value)| (key.to_string(), at, value)).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn a_seed_always_gives_the_same_points() {
        assert_eq!(run(7, 40, 300_000), run(7, 40, 300_000));
        assert_ne!(run(7, 40, 300_000), run(8, 40, 300_000));
    }

    #[test]
    fn every_metric_has_one_point_at_each_instant_and_its_own_name() {
        let points = run(1, 3, 300_000);
        let mut names: Vec<&str> = points.iter().map(|(name, ..)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!((points.len(), names.len()), (75, 25));
        assert!(names.contains(&"temperature") && names.contains(&"temperature_2"));
    }

    #[test]
    fn values_have_two_decimals_and_stay_in_their_range() {
        let points = run(3, 2_000, 60_000_000);
        for (name, at, value) in &points {
            let cents = value * 100.0;
            assert!((cents - cents.round()).abs() < 1e-6, "{name} at {at}: {value}");
        }
        let cpu: Vec<f64> = points.iter().filter(|(name, ..)| name == "cpu").map(|(.., value)| *value).collect();
        let mean = cpu.iter().sum::<f64>() / cpu.len() as f64;
        assert!((30.0..46.0).contains(&mean) && cpu.iter().all(|v| (0.0..=100.0).contains(v)), "{mean}");
    }

    #[test]
    fn the_afternoon_is_warmer_than_the_night() {
        let points = run(5, 1_440 * 4, 60_000_000);
        let mean_at = |hour: i64| {
            let hours = |at: &Timestamp| at.micros().rem_euclid(MICROS_PER_DAY) / metrics_core::MICROS_PER_HOUR;
            let values = points.iter().filter(|(name, at, _)| name == "temperature" && hours(at) == hour);
            let values: Vec<f64> = values.map(|(.., value)| *value).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean_at(15) > mean_at(3) + 3.0, "{} {}", mean_at(15), mean_at(3));
    }
}
