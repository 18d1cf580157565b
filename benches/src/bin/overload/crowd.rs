//! Clients that nobody wants: many, slow, or with bodies that are more than they seem.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two bytes of a slow client.
const TRICKLE: Duration = Duration::from_millis(500);
/// Time between two bombs of one thrower.
const BOMB_INTERVAL: Duration = Duration::from_millis(100);
/// Longest wait for the answer to a bomb.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a bomb becomes.
const BOMB_BYTES: usize = 1 << 30;
/// How deep the nested JSON is.
const DEPTH: usize = 100_000;

/// How many of which.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Connections that never ask for anything again.
    pub(crate) idle: usize,
    /// Heads that never end.
    pub(crate) slow_heads: usize,
    /// Bodies that never end.
    pub(crate) slow_bodies: usize,
    /// Answers that nobody reads.
    pub(crate) slow_readers: usize,
    /// Threads that send bombs, one after the other.
    pub(crate) bombers: usize,
}

/// What the crowd met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// Connections that the server closed on slow clients, and that were opened anew.
    pub(crate) cut_off: AtomicUsize,
    /// Bombs that were refused, with whatever status of 400 and up.
    pub(crate) bombs_refused: AtomicUsize,
    /// Bombs that got anything else: there should be none.
    pub(crate) bombs_taken: AtomicUsize,
}

/// The crowd; it goes home when it is dropped.
pub(crate) struct Crowd {
    pub(crate) met: Arc<Met>,
    /// Idle connections that were accepted.
    pub(crate) idle: Vec<TcpStream>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Opens the idle connections, each with a request that is answered, and starts the rest.
    pub(crate) fn gather(address: &str, sizes: Sizes) -> io::Result<Self> {
        let ping = format!("GET /ping HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let idle = (0..sizes.idle).map(|_| {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(ping.as_bytes())?;
            let mut answer = [0; 512];
            match stream.read(&mut answer)? {
                read if answer[..read].starts_with(b"HTTP/1.1 200") => Ok(stream),
                _ => Err(io::Error::other("a connection was not served")),
            }
        });
        let idle = idle.collect::<io::Result<Vec<_>>>()?;
        let (met, stop) = (Arc::new(Met::default()), Arc::new(AtomicBool::new(false)));
        let mut crowd = Self { met, idle, stop, threads: Vec::new() };
        let post = format!("POST /v1/metrics HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
        crowd.start(address, sizes.slow_heads, format!("GET /ping HTTP/1.1\r\nhost: {address}\r\nx-slow: "));
        crowd.start(address, sizes.slow_bodies, format!("{post}content-length: 1000000\r\n\r\n["));
        let page = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(2_000);
        crowd.start(address, sizes.slow_readers, page);
        let bombs = Arc::new(bombs(address, &post));
        for first in 0..sizes.bombers {
            let (met, stop, bombs) = (Arc::clone(&crowd.met), Arc::clone(&crowd.stop), Arc::clone(&bombs));
            let address = address.to_owned();
            crowd.threads.push(std::thread::spawn(move || throw(&address, &bombs, first, &met, &stop)));
        }
        Ok(crowd)
    }

    /// Starts so many slow clients, all of them on one thread.
    fn start(&mut self, address: &str, count: usize, begin: String) {
        let (met, stop, address) = (Arc::clone(&self.met), Arc::clone(&self.stop), address.to_owned());
        self.threads.push(std::thread::spawn(move || {
            let mut clients: Vec<Option<Trickle>> = (0..count).map(|_| None).collect();
            while !stop.load(Ordering::Relaxed) {
                for client in &mut clients {
                    let goes_on = client.as_mut().is_some_and(|client| client.step(begin.as_bytes()).is_ok());
                    if !goes_on {
                        met.cut_off.fetch_add(usize::from(client.is_some()), Ordering::Relaxed);
                        *client = Trickle::open(&address).ok();
                    }
                }
                std::thread::sleep(TRICKLE);
            }
        }));
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of one was printed already.
            let _ = thread.join();
        }
    }
}

/// A client that sends its beginning, then byte after byte, and reads nothing.
struct Trickle {
    stream: TcpStream,
    sent: usize,
}

impl Trickle {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, sent: 0 })
    }

    fn step(&mut self, begin: &[u8]) -> io::Result<()> {
        let next = if self.sent < begin.len() { &begin[self.sent..] } else { b"1" };
        match self.stream.write(next) {
            Ok(count) => self.sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // A server that hung up is noticed where nothing can be sent any more, and here.
        match self.stream.peek(&mut [0]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// Requests that a careless server dies of.
fn bombs(address: &str, post: &str) -> Vec<Vec<u8>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..BOMB_BYTES >> 20 {
        gzip.write_all(&zeros).expect("a Vec takes everything");
    }
    let gzip = gzip.finish().expect("a Vec takes everything");
    let nested = "[".repeat(DEPTH);
    // A block of snappy that says it becomes 4 GiB less one (a varint of 32 bits), and holds next to nothing.
    let forged = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00, 0x61];
    let remote = format!(
        "POST /api/v1/write HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\n\
         content-encoding: snappy\r\n"
    );
    let request = |head: &str, body: &[u8]| {
        let length = format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), length.as_bytes(), body].concat()
    };
    vec![
        request(&format!("{post}content-encoding: gzip\r\n"), &gzip),
        request(post, nested.as_bytes()),
        request(&remote, &forged),
    ]
}

/// Sends the bombs in turn.
fn throw(address: &str, bombs: &[Vec<u8>], first: usize, met: &Met, stop: &AtomicBool) {
    for bomb in bombs.iter().cycle().skip(first % bombs.len()) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let counter = match status(address, bomb) {
            Ok(status) if status >= 400 => &met.bombs_refused,
            _ => &met.bombs_taken,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(BOMB_INTERVAL);
    }
}

/// The status of the answer to a request, of which the server may not have read all.
fn status(address: &str, request: &[u8]) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(64).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.ok_or_else(|| io::Error::other("no status"))
}
