//! What a server that is overrun does to those who behave: their times before and during, and the server's memory.
//!
//! Starts `metrics-cli serve` on a new store, measures a client alone, lets the crowd in, and measures again. Prints a
//! table; exits with 1 where a bound is broken.

mod crowd;
mod live;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;

use crowd::{Crowd, Sizes};
use live::{Times, quantile};

#[global_allocator]
#[cfg(not(target_env = "msvc"))]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Overruns a server and measures those who behave.
#[derive(Debug, Parser)]
struct Args {
    /// The program, as built
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// Connections that are open and ask for nothing
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    idle: usize,
    /// Clients whose heads never end
    #[arg(long, value_name = "N", default_value_t = 500)]
    slow_heads: usize,
    /// Clients whose bodies never end
    #[arg(long, value_name = "N", default_value_t = 500)]
    slow_bodies: usize,
    /// Clients that ask and do not read
    #[arg(long, value_name = "N", default_value_t = 500)]
    slow_readers: usize,
    /// Threads that send compressed bombs and JSON 100,000 deep
    #[arg(long, value_name = "N", default_value_t = 2)]
    bombers: usize,
    /// Seconds of each measurement
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
    /// Most memory of the server in RAM, in MiB
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    memory_mib: u64,
    /// Times as long that a request may take, at its 99th percentile
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    times: f64,
}

/// The server, ended with the measurement.
struct Server {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(args: &Args) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&args.server);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", "--db"]);
        let mut child = command.arg(folder.path().join("m.duckdb")).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("listening on http://").context("the server does not listen")?;
        Ok(Self { address: address.to_owned(), child, _folder: folder })
    }

    /// A field of `/proc/PID/status`, in MiB.
    fn memory_mib(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        let kib: u64 = line.split_whitespace().next().context("no number")?.parse()?;
        Ok(kib >> 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One line of the table: before, during, and how many times as long. The last is false where that is too long.
fn compared(what: &str, before: &mut [Duration], during: &mut [Duration], most: f64) -> bool {
    let mut holds = true;
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let (was, is) = (milliseconds(quantile(before, part)), milliseconds(quantile(during, part)));
        println!("| {what} {name}, ms | {was:.2} | {is:.2} | {:.2} |", is / was);
        holds &= part < 0.9 || is <= was * most;
    }
    holds
}

fn measure(args: &Args) -> anyhow::Result<bool> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let server = Server::start(args)?;
    let time = Duration::from_secs(args.seconds);
    live::run(&server.address, Duration::from_secs(2)).context("the first requests")?;
    let mut before = live::run(&server.address, time).context("alone")?;
    let memory_before = server.memory_mib("VmRSS:")?;
    let sizes = Sizes {
        idle: args.idle,
        slow_heads: args.slow_heads,
        slow_bodies: args.slow_bodies,
        slow_readers: args.slow_readers,
        bombers: args.bombers,
    };
    let begun = Instant::now();
    let crowd = Crowd::gather(&server.address, sizes).context("the crowd")?;
    println!("{sizes:?}, gathered in {:.1} s; {} s each\n", begun.elapsed().as_secs_f64(), args.seconds);
    let mut during: Times = live::run(&server.address, time).context("among the crowd")?;
    let memory = server.memory_mib("VmRSS:")?;
    let peak = server.memory_mib("VmHWM:")?;
    let open = crowd.idle.iter().filter(|stream| stream.set_nonblocking(true).is_ok() && is_open(stream)).count();

    println!("| | alone | among the crowd | times |\n| --- | --- | --- | --- |");
    let writes = compared("write", &mut before.writes, &mut during.writes, args.times);
    let reads = compared("read", &mut before.reads, &mut during.reads, args.times);
    println!("| requests of each kind | {} | {} | |", before.writes.len(), during.writes.len());
    println!("| memory in RAM, MiB (at its peak) | {memory_before} | {memory} ({peak}) | |");
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    let (refused, taken) = (count(&crowd.met.bombs_refused), count(&crowd.met.bombs_taken));
    println!(
        "\n{open} of {} idle connections are open still, {} slow clients were cut off and came again, {refused} bombs were \
         refused and {taken} not",
        args.idle,
        count(&crowd.met.cut_off)
    );
    ensure!(taken == 0, "a bomb was not refused");
    Ok(writes && reads && peak <= args.memory_mib)
}

/// Whether the server has not closed it.
fn is_open(stream: &std::net::TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    Ok(match measure(&args)? {
        true => ExitCode::SUCCESS,
        false => {
            println!("a bound is broken: {} times, {} MiB", args.times, args.memory_mib);
            ExitCode::FAILURE
        }
    })
}
