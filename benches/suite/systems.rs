//! The servers that are compared, and how each is asked the same questions.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use metrics_benches::Workload;
use serde::{Deserialize, Serialize};

use crate::bodies::Format;
use crate::http::{Client, get};
use crate::process::{Process, bytes_of};

/// Time that a server gets until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// This one.
    Metrics,
    /// VictoriaMetrics, single node. Writes are in memory when they are answered.
    VictoriaMetrics,
    /// Prometheus as a receiver of remote write. Writes are in its log when they are answered, not on the disk.
    Prometheus,
}

impl System {
    pub(crate) const ALL: [Self; 3] = [Self::Metrics, Self::VictoriaMetrics, Self::Prometheus];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metrics => "this server",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::Prometheus => "Prometheus",
        }
    }

    /// The formats that it takes of those that are measured, the first for everything that needs but one.
    pub(crate) fn formats(self) -> &'static [Format] {
        match self {
            Self::Metrics => &[Format::Line, Format::RemoteWrite, Format::Json, Format::Arrow],
            Self::VictoriaMetrics => &[Format::Line, Format::RemoteWrite],
            Self::Prometheus => &[Format::RemoteWrite],
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) metrics: PathBuf,
    pub(crate) victoria: PathBuf,
    pub(crate) prometheus: PathBuf,
}

impl Programs {
    fn path(&self, system: System) -> &Path {
        match system {
            System::Metrics => &self.metrics,
            System::VictoriaMetrics => &self.victoria,
            System::Prometheus => &self.prometheus,
        }
    }

    pub(crate) fn is_installed(&self, system: System) -> bool {
        self.path(system).is_file()
    }

    /// What the program says of its version, in one line; of one that says nothing, what Debian says of its package.
    pub(crate) fn version(&self, system: System) -> String {
        let path = self.path(system);
        let package = path.file_name().unwrap_or_default();
        let said = first_line(Command::new(path).arg("--version"));
        let said = said.or_else(|| first_line(Command::new("dpkg-query").args(["-W", "-f=${Version}"]).arg(package)));
        said.unwrap_or_else(|| "unknown".into())
    }
}

/// The first line with a number that a program writes.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Some(text.lines().find(|line| line.contains(char::is_numeric))?.trim().to_owned())
}

/// A started server.
pub(crate) struct Running {
    pub(crate) system: System,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// Starts a server on a folder of its own, which may hold what it stored before, and waits until it answers.
    pub(crate) fn start(system: System, programs: &Programs, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        // Free a moment ago: the servers of others cannot be told to choose one.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(programs.path(system));
        match system {
            System::Metrics => {
                command.arg("--db").arg(folder.join("metrics.duckdb"));
                command.args(["serve", "--listen", &address.to_string()]);
            }
            System::VictoriaMetrics => {
                command.arg(format!("-storageDataPath={}", folder.join("data").display()));
                command.arg(format!("-httpListenAddr={address}"));
                command.args(["-retentionPeriod=100y", "-loggerLevel=ERROR", "-search.latencyOffset=0s"]);
            }
            System::Prometheus => {
                let configuration = folder.join("prometheus.yml");
                std::fs::write(&configuration, "global: {}\n")?;
                command.arg(format!("--config.file={}", configuration.display()));
                command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
                command.arg(format!("--web.listen-address={address}"));
                command.args(["--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver"]);
            }
        }
        let process = Process::start(&mut command, &folder.join("server.log"))?;
        let mut running = Self { system, process, address, folder: folder.to_owned() };
        running.wait_until_ready()?;
        Ok(running)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let path = match self.system {
            System::Metrics => "/ping",
            System::VictoriaMetrics => "/health",
            System::Prometheus => "/-/ready",
        };
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            let answer = Client::connect(self.address).and_then(|mut client| client.send(&get(path)));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if !self.process.runs()? {
                let log = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
                bail!("{} ended at once: {log}", self.system.name());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("{} did not answer {path} within {START_TIMEOUT:?}", self.system.name())
    }

    /// Waits until everything is where it stays, as far as the server can be told to.
    pub(crate) fn settle(&self) -> Result<()> {
        if self.system == System::VictoriaMetrics {
            Client::connect(self.address)?.send(&get("/internal/force_flush"))?.expect_success()?;
        }
        self.process.settle(Duration::from_secs(180))
    }

    /// Bytes of all its files.
    pub(crate) fn bytes(&self) -> Result<u64> {
        let folder = match self.system {
            System::Metrics => self.folder.clone(),
            _ => self.folder.join("data"),
        };
        bytes_of(&folder)
    }

    /// Ends it; its files stay.
    pub(crate) fn stop(self) -> Result<PathBuf> {
        self.process.stop().with_context(|| format!("cannot stop {}", self.system.name()))?;
        Ok(self.folder)
    }
}

/// The questions of DESIGN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Question {
    Q1,
    Q2,
    Q3,
    Q4,
    Q5,
    Q6,
    Q7,
}

/// What was loaded: questions are about the 24 hours to its last whole hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) hosts: usize,
    pub(crate) metrics: usize,
    pub(crate) end_micros: i64,
}

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

impl Loaded {
    pub(crate) fn of(workload: &Workload) -> Self {
        Self { hosts: workload.hosts, metrics: workload.metrics, end_micros: workload.end_micros() }
    }

    /// The last whole hour, or the next where there is none yet, in seconds.
    fn hour_end_s(&self) -> i64 {
        let end_s = self.end_micros / 1_000_000;
        let hour = end_s / HOUR_S * HOUR_S;
        if hour > metrics_benches::START_MICROS / 1_000_000 { hour } else { hour + HOUR_S }
    }
}

impl Question {
    pub(crate) const ALL: [Self; 7] = [Self::Q1, Self::Q2, Self::Q3, Self::Q4, Self::Q5, Self::Q6, Self::Q7];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Q1 => "Q1 minute averages, one series, a day",
            Self::Q2 => "Q2 hour averages, one series, a day",
            Self::Q3 => "Q3 hour averages, one metric, hosts apart, a day",
            Self::Q4 => "Q4 hour averages, every series apart, a day",
            Self::Q5 => "Q5 95th percentile per hour, one series, a day",
            Self::Q6 => "Q6 latest value of every series",
            Self::Q7 => "Q7 metric names",
        }
    }

    /// The aim at 86.4 million samples, in milliseconds.
    pub(crate) fn aim_ms(self) -> f64 {
        match self {
            Self::Q1 => 1.5,
            Self::Q2 => 1.0,
            Self::Q3 => 8.0,
            Self::Q4 => 60.0,
            Self::Q5 | Self::Q6 => 2.0,
            Self::Q7 => 0.3,
        }
    }

    /// The request, about a host and a metric where the question is about one.
    pub(crate) fn request(self, system: System, loaded: &Loaded, host: usize, metric: usize) -> Vec<u8> {
        let (host, name) = (Workload::host_name(host), Workload::metric_name(metric));
        let to = loaded.hour_end_s();
        let from = to - DAY_S;
        get(&match system {
            System::Metrics => self.of_metrics(loaded, &host, &name, from, to),
            System::VictoriaMetrics | System::Prometheus => self.of_promql(system, loaded, &host, &name, from, to),
        })
    }

    fn of_metrics(self, loaded: &Loaded, host: &str, name: &str, from: i64, to: i64) -> String {
        let one = |per: &str, agg: &str| {
            format!("/v1/query?name={name}&from={from}&to={to}&per={per}&agg={agg}&where=host%3D{host}&epoch=ms")
        };
        match self {
            Self::Q1 => one("minute", "avg"),
            Self::Q2 => one("hour", "avg"),
            Self::Q3 => format!("/v1/query?name={name}&from={from}&to={to}&per=hour&group_by=*&epoch=ms"),
            Self::Q4 => {
                let names: String =
                    (0..loaded.metrics).map(|m| format!("name={}&", Workload::metric_name(m))).collect();
                format!("/v1/query?{names}from={from}&to={to}&per=hour&group_by=*&epoch=ms")
            }
            Self::Q5 => one("hour", "p95"),
            Self::Q6 => "/v1/latest".into(),
            Self::Q7 => "/v1/metrics".into(),
        }
    }

    /// The same in PromQL: a window is the range that ends at a step. Prometheus drops the name of what a range function
    /// gives, so that for all metrics at once it needs a label that tells them apart; VictoriaMetrics can be told to keep it.
    fn of_promql(self, system: System, loaded: &Loaded, host: &str, name: &str, from: i64, to: i64) -> String {
        let every = "{__name__=~\"metric_.*\"}";
        let range = |expression: &str, step_s: i64| {
            let expression: String = form(expression);
            format!("/api/v1/query_range?query={expression}&start={}&end={to}&step={step_s}", from + step_s)
        };
        let one = format!("{name}{{host=\"{host}\"}}");
        match self {
            Self::Q1 => range(&format!("avg_over_time({one}[1m])"), 60),
            Self::Q2 => range(&format!("avg_over_time({one}[1h])"), HOUR_S),
            Self::Q3 => range(&format!("avg_over_time({name}[1h])"), HOUR_S),
            Self::Q4 if system == System::VictoriaMetrics => {
                range(&format!("avg_over_time({every}[1h]) keep_metric_names"), HOUR_S)
            }
            Self::Q4 => {
                let of_metric = |m: usize| {
                    let name = Workload::metric_name(m);
                    format!("label_replace(avg_over_time({name}[1h]), \"metric\", \"{m}\", \"\", \"\")")
                };
                range(&(0..loaded.metrics).map(of_metric).collect::<Vec<_>>().join(" or "), HOUR_S)
            }
            Self::Q5 => range(&format!("quantile_over_time(0.95, {one}[1h])"), HOUR_S),
            Self::Q6 => {
                let time = loaded.end_micros / 1_000_000;
                // The lookback of an instant vector is five minutes in both.
                format!("/api/v1/query?query={}&time={time}", form(every))
            }
            Self::Q7 => {
                format!("/api/v1/label/__name__/values?start={from}&end={to}")
            }
        }
    }
}

/// A text as a value in a query string.
fn form(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
