//! The least client that measures a server and not itself: requests that are bytes already, answers whose body is
//! counted and not kept, one connection that stays open.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 256 << 10;
/// Longest that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Most headers in an answer.
const MAX_HEADERS: usize = 32;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Length of the body.
    pub(crate) bytes: usize,
    /// Its beginning.
    pub(crate) start: Vec<u8>,
}

impl Answer {
    /// Fails with what the server said unless it was content.
    pub(crate) fn expect_success(&self) -> Result<()> {
        if !(200..300).contains(&self.status) {
            bail!("answer {}: {}", self.status, String::from_utf8_lossy(&self.start));
        }
        Ok(())
    }
}

/// How long an answer's head is, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) head_bytes: usize,
    /// None where the body comes in chunks.
    pub(crate) body_bytes: Option<usize>,
}

/// Reads a head; none while it is not whole.
pub(crate) fn parse_head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.context("an answer without a status")?;
    let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let length = header("content-length").and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let chunked = header("transfer-encoding").is_some();
    let body_bytes = if chunked { None } else { Some(length.unwrap_or(0)) };
    Ok(Some(Head { status, head_bytes, body_bytes }))
}

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 })
    }

    /// Sends a request and takes its answer.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request)?;
        self.filled = 0;
        let head = loop {
            match parse_head(&self.buffer[..self.filled])? {
                Some(head) => break head,
                None => self.read()?,
            }
        };
        self.drop_first(head.head_bytes);
        let start_of = |buffer: &[u8]| buffer[..buffer.len().min(400)].to_vec();
        let mut answer = Answer { status: head.status, bytes: 0, start: Vec::new() };
        match head.body_bytes {
            Some(length) => {
                while answer.bytes < length {
                    if self.filled == 0 {
                        self.read()?;
                    }
                    if answer.start.is_empty() {
                        answer.start = start_of(&self.buffer[..self.filled]);
                    }
                    let taken = self.filled.min(length - answer.bytes);
                    answer.bytes += taken;
                    self.drop_first(taken);
                }
            }
            None => {
                while let Some(length) = self.chunk_length()? {
                    let mut left = length;
                    while left > 0 {
                        if self.filled == 0 {
                            self.read()?;
                        }
                        if answer.start.is_empty() {
                            answer.start = start_of(&self.buffer[..self.filled]);
                        }
                        let taken = self.filled.min(left);
                        left -= taken;
                        self.drop_first(taken);
                    }
                    answer.bytes += length;
                    self.line()?;
                }
            }
        }
        Ok(answer)
    }

    /// The length of the next chunk of a body; none of the last, whose end is taken.
    fn chunk_length(&mut self) -> Result<Option<usize>> {
        let line = self.line()?;
        let length = usize::from_str_radix(line.trim(), 16).with_context(|| format!("chunk length {line:?}"))?;
        if length == 0 {
            self.line()?;
        }
        Ok((length > 0).then_some(length))
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.buffer[..self.filled].windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.drop_first(end + 2);
                return Ok(line);
            }
            self.read()?;
        }
    }

    fn drop_first(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    fn read(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() {
            bail!("a line of an answer is longer than {BUFFER_BYTES} bytes");
        }
        loop {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => {
                    self.filled += count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A request without a body.
pub(crate) fn get(path_and_query: &str) -> Vec<u8> {
    format!("GET {path_and_query} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A request with a body; `headers` end in a line break each.
pub(crate) fn post(path_and_query: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {path_and_query} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
    let mut request = Vec::with_capacity(head.len() + length);
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request
}
