//! `GET /metrics`: the server's own figures in Prometheus' text format, version 0.0.4.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use hyper::StatusCode;
use metrics_core::{COMMIT_BUCKETS_US, Stats};

use crate::app::App;
use crate::backups::BackupFigures;
use crate::figures::{BUCKETS_US, Figures};
use crate::limits::open_files_limit;
use crate::openapi::{Answer, Group, Operation, Schema};
use crate::process::Process;
use crate::respond::{Failure, Reply, content};
use crate::router::Route;
use crate::tokens::Scope;

/// Content type that scrapers expect.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) const FIGURES: Operation = Operation {
    method: "GET",
    id: "figures",
    group: Group::Server,
    needs: Some(Scope::Read),
    summary: "The server's own figures, for Prometheus to scrape.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[Answer {
        status: 200,
        text: "The figures in Prometheus' text format.",
        kinds: &[("text/plain", Schema::Text)],
    }],
};

/// All figures, the store's and the server's.
pub(crate) async fn figures(app: &Arc<App>) -> Result<Reply, Failure> {
    let engine = app.engine.clone();
    let (stats, process) = app.watchers.run(move || (engine.stats(), Process::read())).await?;
    let mut text = Text(String::with_capacity(8 << 10));
    text.store(&stats);
    text.commits(&stats);
    text.server(&app.figures);
    text.load(app);
    if let Some(backups) = &app.backups {
        text.backups(&backups.figures);
    }
    if let Some(process) = process {
        text.process(&process);
    }
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
        if let Some(free) = stats.disk_free_bytes {
            self.single("metrics_store_disk_free_bytes", "gauge", "Space that is free on the disk of the store.", free);
        }
        self.single("metrics_store_chunks", "gauge", "Chunks that points were moved into.", stats.chunks);
        let name = "metrics_store_memory_points";
        self.single(
            name,
            "gauge",
            "Points that are in no chunk yet; they are in the file all the same.",
            stats.memory_points,
        );
        let name = "metrics_store_sealed_points";
        self.single(name, "gauge", "Points that are on their way into chunks.", stats.sealed_points);
        let name = "metrics_store_sealed_age_seconds";
        self.family(name, "gauge", "How long these points are on their way; 0 without any.");
        self.sample(format_args!("{name} {}", seconds(stats.sealed_age_us)));
        self.single("metrics_write_queue_points", "gauge", "Points that wait for their commit.", stats.queue_points);
    }

    fn commits(&mut self, stats: &Stats) {
        let name = "metrics_store_committed_points_total";
        self.single(name, "counter", "Points committed, by whichever way they came.", stats.committed_points);
        let name = "metrics_store_commit_duration_seconds";
        self.family(name, "histogram", "Time that a commit took, until it was on the disk.");
        self.histogram(name, "", &COMMIT_BUCKETS_US, &stats.commit_buckets, stats.commit_us);
    }

    /// The samples of one histogram; `labels` stand before `le`, each with a comma after it.
    fn histogram(&mut self, name: &str, labels: &str, bounds_us: &[u64], counts: &[u64], sum_us: u64) {
        let all: u64 = counts.iter().sum();
        let mut below = 0;
        for (bound_us, count) in bounds_us.iter().zip(counts) {
            below += count;
            self.sample(format_args!("{name}_bucket{{{labels}le=\"{}\"}} {below}", seconds(*bound_us)));
        }
        self.sample(format_args!("{name}_bucket{{{labels}le=\"+Inf\"}} {all}"));
        let own = labels.strip_suffix(',').map_or_else(String::new, |labels| format!("{{{labels}}}"));
        self.sample(format_args!("{name}_sum{own} {}", seconds(sum_us)));
        self.sample(format_args!("{name}_count{own} {all}"));
    }

    fn process(&mut self, process: &Process) {
        let name = "process_resident_memory_bytes";
        self.single(name, "gauge", "Memory of the process that is in RAM.", process.resident_bytes);
        let name = "process_virtual_memory_bytes";
        self.single(name, "gauge", "Address space of the process.", process.virtual_bytes);
        self.single("process_threads", "gauge", "Threads of the process.", process.threads);
        self.single(
            "process_open_fds",
            "gauge",
            "Files and connections that the process has open.",
            process.open_files,
        );
        if let Some(most) = open_files_limit() {
            self.single("process_max_fds", "gauge", "Files and connections that it may open.", most as u64);
        }
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
        let uptime = figures.started.elapsed().map_or(0, |since| since.as_secs());
        self.single("metrics_http_uptime_seconds", "gauge", "How long the server runs.", uptime);
        self.family("metrics_build_info", "gauge", "The server's version.");
        self.sample(format_args!("metrics_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    }

    fn load(&mut self, app: &App) {
        let in_flight = app.options.max_requests.saturating_sub(app.requests.available_permits()) as u64;
        self.single("metrics_http_requests_in_flight", "gauge", "Requests that are being answered.", in_flight);
        let streams = app.options.max_streams.saturating_sub(app.streams.available_permits()) as u64;
        self.single("metrics_http_streams", "gauge", "Streams of events that are open.", streams);
        let held = app.memory.held_bytes() as u64;
        self.single("metrics_http_body_memory_bytes", "gauge", "Memory set apart for bodies of requests.", held);
    }

    fn backups(&mut self, figures: &BackupFigures) {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        self.single("metrics_backups_made_total", "counter", "Backups made since the start.", read(&figures.made));
        self.single(
            "metrics_backups_failed_total",
            "counter",
            "Backups that failed since the start.",
            read(&figures.failed),
        );
        let name = "metrics_backup_newest_timestamp_seconds";
        self.single(
            name,
            "gauge",
            "When the newest was made, in seconds since 1970; 0 without any.",
            read(&figures.newest_s),
        );
        self.single("metrics_backup_newest_bytes", "gauge", "Its size.", read(&figures.bytes));
        let name = "metrics_backup_duration_seconds";
        self.family(name, "gauge", "How long the last one took to make.");
        self.sample(format_args!("{name} {}", read(&figures.took_ms) as f64 / 1e3));
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
            if buckets.iter().any(|&count| count > 0) {
                let labels = format!("route=\"{}\",", route.pattern());
                self.histogram(name, &labels, &BUCKETS_US, &buckets, sum_us);
            }
        }
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
