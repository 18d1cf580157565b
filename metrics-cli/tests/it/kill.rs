//! What a server acknowledged survives `kill -9`, at whatever moment it comes.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::Connection;
use crate::program::Program;
use crate::running::Server;

/// Rounds of start, look, write and kill; every fourth also kills a server that is starting.
const ROUNDS: u64 = 48;
/// Clients that write at the same time.
const CLIENTS: u64 = 4;
/// Milliseconds from 1970 to the first point.
pub(crate) const START_MS: u64 = 1_704_067_200_000;
/// Milliseconds between points: a day holds 2,880 of them.
pub(crate) const STEP_MS: u64 = 30_000;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// A request: so many consecutive numbers, each a point of its own.
#[derive(Debug, Clone, Copy)]
struct Post {
    first: u64,
    count: u64,
    client: u64,
    acknowledged: bool,
}

impl Post {
    fn points(&self) -> String {
        let point = |number: u64| {
            let labels = json!({"client": self.client.to_string()});
            json!({"timestamp": START_MS + number * STEP_MS, "name": "number", "value": number, "labels": labels})
        };
        Value::Array((self.first..self.first + self.count).map(point).collect()).to_string()
    }

    /// Sends it; the same post again has the same key.
    fn send(&mut self, connection: &mut Connection) -> std::io::Result<()> {
        let answer = connection.post("/v1/metrics", &format!("post-{}", self.first), &self.points())?;
        assert_eq!(answer.status, 201, "{self:?}: {}", answer.body);
        self.acknowledged = true;
        Ok(())
    }
}

/// A sequence of numbers that look random (xorshift, Marsaglia 2003), the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Posts one after the other until the server is gone.
fn client(client: u64, address: &str, next: &AtomicU64) -> Vec<Post> {
    let mut posts = Vec::new();
    let Ok(mut connection) = Connection::open(address) else { return posts };
    loop {
        let count = 1 + (posts.len() as u64 * 5 + client) % 40;
        let first = next.fetch_add(count, Ordering::Relaxed);
        let mut post = Post { first, count, client, acknowledged: false };
        let sent = post.send(&mut connection);
        posts.push(post);
        if sent.is_err() {
            return posts;
        }
    }
}

fn get(connection: &mut Connection, query: &str) -> Value {
    let answer =
        connection.get(&format!("/v1/query?name=number&from=2024-01-01&to=2034-01-01&{query}")).expect("an answer");
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn numbers(column: &Value) -> impl Iterator<Item = u64> {
    column.as_array().expect("a column").iter().map(|value| value.as_u64().expect("a whole number"))
}

/// Everything that the store holds: each number with its client, once.
pub(crate) fn stored(connection: &mut Connection) -> BTreeMap<u64, u64> {
    let mut stored = BTreeMap::new();
    let frame = get(connection, "per=raw&group_by=*&limit=10000000&epoch=ms");
    for series in frame["series"].as_array().expect("series") {
        let client = series["labels"]["client"].as_str().expect("the label").parse().expect("a number");
        for (time, number) in numbers(&series["time"]).zip(numbers(&series["value"])) {
            assert_eq!(time, START_MS + number * STEP_MS, "the time of {number}");
            assert_eq!(stored.insert(number, client), None, "{number} is there twice");
        }
    }
    stored
}

/// Acknowledged posts are there, others wholly or not at all, and nothing else is; the days sum up the same.
fn assert_kept(connection: &mut Connection, posts: &[Post], round: u64) {
    let stored = stored(connection);
    let mut expected = 0;
    for post in posts {
        let found = stored.range(post.first..post.first + post.count);
        let there = found.filter(|(_, client)| **client == post.client).count() as u64;
        let whole = there == post.count;
        assert!(whole || there == 0 && !post.acknowledged, "seed {SEED}, round {round}: {there} of {post:?}");
        expected += there;
    }
    assert_eq!(stored.len() as u64, expected, "seed {SEED}, round {round}: points that nobody sent");
    let days = get(connection, "per=day&agg=count,sum");
    let total = |name: &str| days["series"].get(0).map_or(0, |series| numbers(&series[name]).sum::<u64>());
    assert_eq!((total("count"), total("sum")), (expected, stored.keys().sum()), "seed {SEED}, round {round}: days");
}

/// Starts a server, compares, sends once more what nobody answered, writes, and kills at a random moment.
fn round(program: &Program, posts: &mut Vec<Post>, next: &AtomicU64, random: &mut Random, round: u64) {
    let server = Server::start(program, &format!("--head-points {}", 50 + random.below(2_000)));
    let mut connection = Connection::open(server.address()).expect("the server accepts");
    assert_kept(&mut connection, posts, round);
    for open in posts.iter_mut().filter(|post| !post.acknowledged) {
        open.send(&mut connection).expect("an answer");
    }
    let (address, moment) = (server.address().to_owned(), Duration::from_micros(random.below(200_000)));
    std::thread::scope(|scope| {
        let address = &address;
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || client(number, address, next))).collect();
        std::thread::sleep(moment);
        server.kill();
        for client in clients {
            posts.extend(client.join().expect("the client ends"));
        }
    });
}

/// Kills a server that starts, most often before it is ready.
fn kill_while_starting(program: &Program, random: &mut Random) {
    let mut command = program.command("serve --listen 127.0.0.1:0");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts");
    std::thread::sleep(Duration::from_micros(random.below(120_000)));
    child.kill().expect("the server runs");
    child.wait().expect("the server ends");
}

#[test]
fn acknowledged_points_are_there_exactly_once_after_sixty_kills_of_the_server() {
    let program = Program::new();
    let (mut posts, next, mut random) = (Vec::new(), AtomicU64::new(0), Random(SEED));
    for number in 0..ROUNDS {
        round(&program, &mut posts, &next, &mut random, number);
        if number % 4 == 3 {
            kill_while_starting(&program, &mut random);
        }
    }
    let server = Server::start(&program, "");
    assert_kept(&mut Connection::open(server.address()).expect("the server accepts"), &posts, ROUNDS);
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
    let check = program.json("check --format json");
    assert_eq!(check["differences"], json!(0), "{check}");
    assert!(check["chunks"].as_u64() > Some(5), "points were moved into chunks between kills: {check}");
    let acknowledged = posts.iter().filter(|post| post.acknowledged).count();
    assert!(acknowledged > 200, "only {acknowledged} posts were acknowledged");
}
