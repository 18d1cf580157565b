//! What the facade costs with this recorder and with `metrics-exporter-prometheus`, in one run: an increment of a counter
//! and a sample of a histogram, by a handle that is kept and by the macro that looks it up each time.
//!
//! `cargo bench -p metrics-recorder`

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use metrics::Recorder;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_recorder::{SinkFn, builder};

/// Samples between two intervals: what is kept until then is let go, as it is in a program.
const INTERVAL_SAMPLES: u64 = 100_000;
/// Metrics that are there besides the one that is recorded.
const OTHERS: usize = 1_000;

/// A value that differs from sample to sample, some microseconds to some milliseconds.
fn duration_of(sample: u64) -> f64 {
    (sample.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 * 1e-9 + 1e-6
}

/// Measures a recorder; `end_interval` is what its reporter does every so often, the time of which is not counted.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, recorder: &dyn Recorder, end_interval: &dyn Fn()) {
    metrics::with_local_recorder(recorder, || {
        for number in 0..OTHERS {
            metrics::counter!("other", "number" => number.to_string()).increment(1);
        }
        let time = |samples: u64, record: &dyn Fn(u64)| {
            let mut taken = Duration::ZERO;
            for start in (0..samples).step_by(INTERVAL_SAMPLES as usize) {
                let begun = Instant::now();
                (start..samples.min(start + INTERVAL_SAMPLES)).for_each(record);
                taken += begun.elapsed();
                end_interval();
            }
            taken
        };
        let counter = metrics::counter!("requests", "route" => "/orders");
        let histogram = metrics::histogram!("request_seconds", "route" => "/orders");
        group.bench_function(format!("{name}/counter, handle"), |bencher| {
            bencher.iter_custom(|samples| time(samples, &|_| black_box(&counter).increment(1)));
        });
        group.bench_function(format!("{name}/counter, macro"), |bencher| {
            bencher.iter_custom(|samples| {
                time(samples, &|_| metrics::counter!("requests", "route" => "/orders").increment(1))
            });
        });
        group.bench_function(format!("{name}/histogram, handle"), |bencher| {
            bencher.iter_custom(|samples| time(samples, &|sample| black_box(&histogram).record(duration_of(sample))));
        });
        group.bench_function(format!("{name}/histogram, macro"), |bencher| {
            bencher.iter_custom(|samples| {
                time(samples, &|sample| {
                    metrics::histogram!("request_seconds", "route" => "/orders").record(duration_of(sample));
                })
            });
        });
    });
}

fn recorders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder");
    group.throughput(Throughput::Elements(1)).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2)).sample_size(20);

    let (recorder, guard) = builder().interval(Duration::from_secs(3_600)).start(SinkFn(|_| Ok(()))).expect("a thread");
    measure(&mut group, "metrics-recorder", &recorder, &|| guard.flush().expect("the sink takes all"));

    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    measure(&mut group, "metrics-exporter-prometheus", &recorder, &|| handle.run_upkeep());
    group.finish();
}

criterion_group!(benches, recorders);
criterion_main!(benches);
