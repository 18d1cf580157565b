//! Posts of one point: how long one takes beside a bare commit, and how many are acknowledged when a thousand wait.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Client, parse_head, post};
use crate::reading::Asked;
use crate::systems::{Running, System};

/// Clients that post at the same time.
const POSTERS: usize = 1_000;
/// Longest answer to a post.
const ANSWER_BYTES: usize = 4 << 10;

/// What posts of one point took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PostRecord {
    /// None of what is no server: a bare commit, a bare sync.
    pub(crate) system: Option<System>,
    pub(crate) what: String,
    pub(crate) clients: usize,
    pub(crate) posts: usize,
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the server for one, in microseconds; none of what is no server.
    pub(crate) cpu_us: Option<f64>,
}

fn record(system: Option<System>, what: &str, clients: usize, asked: &Asked, cpu_s: Option<f64>) -> PostRecord {
    PostRecord {
        system,
        what: what.to_owned(),
        clients,
        posts: asked.seconds.len(),
        per_s: asked.seconds.len() as f64 / asked.wall_s,
        p50_ms: asked.quantile_ms(0.5),
        p99_ms: asked.quantile_ms(0.99),
        cpu_us: cpu_s.map(|cpu_s| cpu_s * 1e6 / asked.seconds.len().max(1) as f64),
    }
}

/// Does something again and again for a time.
fn repeat(time: Duration, mut work: impl FnMut(usize) -> Result<()>) -> Result<Asked> {
    let (mut seconds, begun) = (Vec::new(), Instant::now());
    for number in 0.. {
        if begun.elapsed() >= time {
            break;
        }
        let started = Instant::now();
        work(number)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Asked { seconds, wall_s: begun.elapsed().as_secs_f64(), answer_bytes: 0 })
}

/// A write of four kilobytes with its sync; and a transaction of bare DuckDB that inserts one row, with its sync.
pub(crate) fn bare(folder: &Path, time: Duration) -> Result<Vec<PostRecord>> {
    std::fs::create_dir_all(folder)?;
    let mut file = std::fs::File::create(folder.join("synced"))?;
    let synced = repeat(time, |_| {
        file.write_all(&[0; 4_096])?;
        Ok(file.sync_data()?)
    })?;
    let connection = duckdb::Connection::open(folder.join("bare.duckdb"))?;
    connection.execute_batch("CREATE TABLE points(series UBIGINT, ts BIGINT, value DOUBLE)")?;
    let mut insert = connection.prepare("INSERT INTO points VALUES (?, ?, ?)")?;
    let committed = repeat(time, |number| {
        insert.execute(duckdb::params![1_u64, number as i64, 0.5_f64])?;
        Ok(())
    })?;
    Ok(vec![
        record(None, "4 KiB written and synced", 1, &synced, None),
        record(None, "one row inserted and committed by bare DuckDB, in process", 1, &committed, None),
    ])
}

/// One client that posts one point after the other.
pub(crate) fn one_by_one(running: &Running, time: Duration) -> Result<PostRecord> {
    let mut client = Client::connect(running.address)?;
    let cpu = running.process.cpu_seconds()?;
    let asked = repeat(time, |number| client.send(&point(running.system, 0, number))?.expect_success())?;
    let cpu_s = running.process.cpu_seconds()? - cpu;
    Ok(record(Some(running.system), "one point posted, acknowledged", 1, &asked, Some(cpu_s)))
}

/// A thousand clients, each with a connection of its own on which one point at a time is under way.
pub(crate) fn many_at_once(running: &Running, time: Duration) -> Result<PostRecord> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (system, address) = (running.system, running.address);
    let cpu = running.process.cpu_seconds()?;
    let begun = Instant::now();
    let seconds: Result<Vec<f64>> = runtime.block_on(async {
        let mut posters = Vec::with_capacity(POSTERS);
        for poster in 0..POSTERS {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            posters.push(tokio::spawn(post_for(stream, system, poster, time)));
        }
        let mut all = Vec::new();
        for poster in posters {
            all.extend(poster.await??);
        }
        Ok(all)
    });
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu_s = running.process.cpu_seconds()? - cpu;
    let mut seconds = seconds?;
    seconds.sort_by(f64::total_cmp);
    let asked = Asked { seconds, wall_s, answer_bytes: 0 };
    Ok(record(Some(system), "one point posted, acknowledged", POSTERS, &asked, Some(cpu_s)))
}

async fn post_for(mut stream: TcpStream, system: System, poster: usize, time: Duration) -> Result<Vec<f64>> {
    let (mut seconds, begun) = (Vec::new(), Instant::now());
    let mut buffer = vec![0; ANSWER_BYTES];
    for number in 0.. {
        if begun.elapsed() >= time {
            break;
        }
        let started = Instant::now();
        stream.write_all(&point(system, poster, number)).await?;
        let mut filled = 0;
        loop {
            let count = stream.read(&mut buffer[filled..]).await?;
            filled += count;
            if count == 0 {
                bail!("the server closed the connection, or its answer has more than {ANSWER_BYTES} bytes");
            }
            let Some(head) = parse_head(&buffer[..filled])? else { continue };
            if !(200..300).contains(&head.status) {
                bail!("answer {}: {}", head.status, String::from_utf8_lossy(&buffer[..filled]));
            }
            if head.body_bytes.is_some_and(|bytes| filled >= head.head_bytes + bytes) {
                break;
            }
        }
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

/// A point as each server takes it: JSON here, a line there.
fn point(system: System, poster: usize, number: usize) -> Vec<u8> {
    let millis = metrics_benches::START_MICROS / 1_000 + number as i64;
    match system {
        System::Metrics => {
            let text = format!(
                r#"{{"timestamp":{millis},"name":"posted","value":{number}.5,"labels":{{"poster":"{poster}"}}}}"#
            );
            post("/v1/metrics", "content-type: application/json\r\n", text.as_bytes())
        }
        _ => {
            let text = format!("posted,poster={poster} value={number}.5 {millis}\n");
            post("/write?precision=ms", "content-type: text/plain\r\n", text.as_bytes())
        }
    }
}
