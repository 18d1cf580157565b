//! `GET /metrics`: the server's own figures in Prometheus' text format, version 0.0.4.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use hyper::StatusCode;
use metrics_core::Stats;

use crate::app::App;
use crate::figures::{BUCKETS_US, Figures};
use crate::respond::{Failure, Reply, content};
use crate::router::Route;

/// Content type that scrapers expect.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures, the store's and the server's.
pub(crate) async fn figures(app: &Arc<App>) -> Result<Reply, Failure> {
    let engine = app.engine.clone();
    let stats = app.watchers.run(move || engine.stats()).await?;
    let mut text = Text(String::with_capacity(8 << 10));
    text.store(&stats);
    text.server(&app.figures);
    text.load(app);
    text.requests(&app.figures);
    Ok(content(StatusCode::OK, CONTENT_TYPE, text.0))
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a String takes everything");
    }

    fn sample(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes everything");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(format_args!("{name} {value}"));
    }

    fn store(&mut self, stats: &Stats) {
        self.single("metrics_store_points", "gauge", "Points in the store.", stats.points);
        self.single("metrics_store_series", "gauge", "Series in the store.", stats.series);
        self.single("metrics_store_metrics", "gauge", "Metric names in the store.", stats.metrics);
        self.single("metrics_store_file_bytes", "gauge", "Size of the store's file.", stats.file_bytes);
        self.single("metrics_store_wal_bytes", "gauge", "Size of the store's write-ahead log.", stats.wal_bytes);
        self.single("metrics_write_queue_points", "gauge", "Points that wait for their commit.", stats.queue_points);
    }

    fn server(&mut self, figures: &Figures) {
        let accepted = figures.points_accepted.load(Ordering::Relaxed);
        self.single("metrics_http_points_accepted_total", "counter", "Points committed and answered for.", accepted);
        let name = "metrics_http_writes_rejected_total";
        self.family(name, "counter", "Writes refused, by reason; of a partial one the good lines are stored.");
        for (reason, count) in figures.rejections() {
            self.sample(format_args!("{name}{{reason=\"{reason}\"}} {count}"));
        }
        let rejected = figures.lines_rejected.load(Ordering::Relaxed);
        self.single("metrics_http_lines_rejected_total", "counter", "Bad lines of line protocol.", rejected);
        let skipped = figures.strings_skipped.load(Ordering::Relaxed);
        let name = "metrics_http_string_fields_skipped_total";
        self.single(name, "counter", "Text fields of line protocol, which hold no number.", skipped);
        for (name, help, count) in figures.drops() {
            self.single(name, "counter", help, count);
        }
        let connections = figures.connections.load(Ordering::Relaxed) as u64;
        self.single("metrics_http_connections", "gauge", "Open connections.", connections);
        let refused = figures.connections_refused.load(Ordering::Relaxed);
        let name = "metrics_http_connections_refused_total";
        self.single(name, "counter", "Connections closed because there were too many.", refused);
        let started = figures.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.single("process_start_time_seconds", "gauge", "Start of the server in seconds since 1970.", started);
        self.family("metrics_build_info", "gauge", "The server's version.");
        self.sample(format_args!("metrics_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    }

    fn load(&mut self, app: &App) {
        let in_flight = app.options.max_requests.saturating_sub(app.requests.available_permits()) as u64;
        self.single("metrics_http_requests_in_flight", "gauge", "Requests that are being answered.", in_flight);
        let held = app.memory.held_bytes() as u64;
        self.single("metrics_http_body_memory_bytes", "gauge", "Memory set apart for bodies of requests.", held);
    }

    fn requests(&mut self, figures: &Figures) {
        let name = "metrics_http_requests_total";
        self.family(name, "counter", "Requests answered, by route and status; 0 stands for a rare status.");
        for route in Route::ALL {
            for (status, count) in figures.requests(route) {
                let route = route.pattern();
                self.sample(format_args!("{name}{{route=\"{route}\",status=\"{status}\"}} {count}"));
            }
        }
        let name = "metrics_http_request_duration_seconds";
        self.family(name, "histogram", "Time from a request's head to its answer, by route.");
        for route in Route::ALL {
            let (buckets, sum_us) = figures.durations(route).read();
            let all: u64 = buckets.iter().sum();
            if all == 0 {
                continue;
            }
            let route = route.pattern();
            let mut below = 0;
            for (bound_us, count) in BUCKETS_US.iter().zip(buckets) {
                below += count;
                let bound = seconds(*bound_us);
                self.sample(format_args!("{name}_bucket{{route=\"{route}\",le=\"{bound}\"}} {below}"));
            }
            self.sample(format_args!("{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {all}"));
            self.sample(format_args!("{name}_sum{{route=\"{route}\"}} {}", seconds(sum_us)));
            self.sample(format_args!("{name}_count{{route=\"{route}\"}} {all}"));
        }
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
