//! A client that behaves, and how long it waits.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Time between two of its requests.
const PACE: Duration = Duration::from_millis(10);

/// How long its requests took.
#[derive(Debug, Default)]
pub(crate) struct Times {
    pub(crate) writes: Vec<Duration>,
    pub(crate) reads: Vec<Duration>,
}

/// The time that a part of some times is not longer than.
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    let at = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(at).copied().unwrap_or_default()
}

/// Writes a point and asks for its hours, in turn, for so long.
///
/// # Errors
/// An answer that is none of 200 and 201, or none at all.
pub(crate) fn run(address: &str, time: Duration) -> io::Result<Times> {
    let mut connection = BufReader::new(TcpStream::connect(address)?);
    connection.get_ref().set_nodelay(true)?;
    let body = r#"{"name":"live","value":1}"#;
    let write = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let read = format!("GET /v1/query?name=live&per=hour HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let (mut times, begun) = (Times::default(), Instant::now());
    while begun.elapsed() < time {
        times.writes.push(ask(&mut connection, &write, 201)?);
        times.reads.push(ask(&mut connection, &read, 200)?);
        std::thread::sleep(PACE);
    }
    Ok(times)
}

fn ask(connection: &mut BufReader<TcpStream>, request: &str, wanted: u16) -> io::Result<Duration> {
    let begun = Instant::now();
    connection.get_mut().write_all(request.as_bytes())?;
    let (mut line, mut status, mut length) = (String::new(), None, 0);
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end().to_ascii_lowercase();
        match text.split_once(": ") {
            _ if text.is_empty() => break,
            Some(("content-length", number)) => length = number.parse().map_err(io::Error::other)?,
            Some(_) => {}
            None => status = text.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()),
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    match status == Some(wanted) {
        true => Ok(begun.elapsed()),
        false => Err(io::Error::other(format!("{status:?}: {}", String::from_utf8_lossy(&body)))),
    }
}
