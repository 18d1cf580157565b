//! A disk that fills up: what was acknowledged is there, reads go on, and writes come back by themselves or after one
//! new start.

use std::process::Command;

use crate::http::{Answer, Connection};
use crate::program::Program;
use crate::running::Server;
use crate::tmpfs::Tmpfs;

const MIB: usize = 1 << 20;
/// Points of one write.
const BATCH: usize = 1_000;
/// More batches than any of these disks holds.
const MANY: usize = 4_000;

/// A batch of points that no other batch has, of values that do not compress to nothing.
fn batch(number: usize) -> String {
    let point = |at: usize| {
        let (time, value) = (1_700_000_000_000 + (number * BATCH + at) * 100, (at * 7_919 + number) % 10_007);
        format!(r#"{{"timestamp":{time},"name":"m{}","value":{value}.{at}}}"#, at % 20)
    };
    format!("[{}]", (0..BATCH).map(point).collect::<Vec<_>>().join(","))
}

/// One writer, and what it knows.
struct Writer {
    address: String,
    sent: usize,
    acknowledged: usize,
}

impl Writer {
    fn new(server: &Server) -> Self {
        Self { address: server.address().to_owned(), sent: 0, acknowledged: 0 }
    }

    /// Sends one batch; none when nobody answers.
    fn write(&mut self) -> Option<Answer> {
        self.sent += 1;
        let mut connection = Connection::open(&self.address).ok()?;
        let answer = connection.post("/v1/metrics", &format!("batch-{}", self.sent), &batch(self.sent)).ok()?;
        if answer.status == 201 {
            self.acknowledged += 1;
        }
        Some(answer)
    }

    /// Writes until the first refusal; none where nobody answers any more.
    fn until_refused(&mut self) -> Option<Answer> {
        let refused =
            (0..MANY).map(|_| self.write()).find(|answer| answer.as_ref().is_none_or(|answer| answer.status != 201));
        refused.expect("a small disk is full at some time")
    }
}

fn get(address: &str, path: &str) -> Answer {
    let mut connection = Connection::open(address).expect("the server accepts");
    connection.get(path).expect("an answer")
}

/// Points that queries find.
fn counted(address: &str) -> usize {
    let names: Vec<String> = (0..20).map(|number| format!("name=m{number}")).collect();
    let answer =
        get(address, &format!("/v1/query?{}&per=month&agg=count&from=2023-01-01&to=2034-01-01", names.join("&")));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let frame: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let series = frame["series"].as_array().expect("series");
    let counts = series.iter().flat_map(|series| series["count"].as_array().expect("a column"));
    counts.map(|count| count.as_u64().expect("a number") as usize).sum()
}

/// Starts a server whose file is on the disk.
fn serve(disk: &Tmpfs, program: &Program, options: &str) -> Server {
    let command = program
        .command(&format!("serve --listen 127.0.0.1:0 --db {} {options}", program.path("disk/m.duckdb").display()));
    Server::spawn(disk.inside(&command))
}

fn disk(program: &Program, bytes: usize) -> Option<Tmpfs> {
    std::fs::create_dir(program.path("disk")).expect("a folder");
    Tmpfs::new(&program.path("disk"), bytes as u64)
}

fn stop(server: Server) {
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn writes_stop_before_the_disk_is_full_and_go_on_once_there_is_room() {
    let program = Program::new();
    let Some(disk) = disk(&program, 24 * MIB) else { return };
    disk.fill(8 * MIB);
    let options = "--min-free-disk 8MiB --wal-limit 1MiB --head-points 20000";
    let server = serve(&disk, &program, options);
    let mut writer = Writer::new(&server);
    let refused = writer.until_refused().expect("the server answers");
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(refused.body.contains("--min-free-disk"), "{}", refused.body);
    let acknowledged = writer.acknowledged;
    assert!(acknowledged > 10, "only {acknowledged} batches found room");

    // Reads go on, and so does what looks after the server.
    for path in ["/health", "/v1/series", "/metrics"] {
        assert_eq!(get(&writer.address, path).status, 200, "{path}");
    }
    assert_eq!(counted(&writer.address), acknowledged * BATCH);

    disk.free();
    for _ in 0..50 {
        let answer = writer.write().expect("the server answers");
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    assert_eq!(counted(&writer.address), writer.acknowledged * BATCH);
    stop(server);
    let server = serve(&disk, &program, options);
    assert_eq!(counted(server.address()), writer.acknowledged * BATCH);
    stop(server);
}

/// Fills a disk that nobody keeps a reserve of, frees it, and goes on with at most one new start.
fn fill_and_free(size: usize, options: &str) {
    let program = Program::new();
    let Some(disk) = disk(&program, size) else { return };
    disk.fill(4 * MIB);
    let options = format!("--min-free-disk 0 {options}");
    let mut server = serve(&disk, &program, &options);
    let mut writer = Writer::new(&server);
    // A few more writes after the first refusal: they may be smaller than what is left, and find room.
    let mut alive = true;
    for _ in 0..5 {
        match writer.until_refused() {
            Some(refused) => assert!(matches!(refused.status, 503 | 507), "{}: {}", refused.status, refused.body),
            None => {
                alive = false;
                break;
            }
        }
    }
    if alive {
        assert_eq!(counted(&writer.address), writer.acknowledged * BATCH, "{size} {options}: reads go on");
    }
    disk.free();
    // A store that DuckDB gave up ends the process, soon after it answered; a supervisor would do this.
    let goes_on = alive && writer.write().is_some_and(|answer| answer.status == 201);
    if !goes_on {
        let ran = server.wait();
        assert_eq!(ran.code, Some(3), "{size} {options}: {ran:?}");
        assert!(ran.stderr.contains("error: the store failed"), "{ran:?}");
        server = serve(&disk, &program, &options);
        writer.address = server.address().to_owned();
        let answer = writer.write().expect("an answer");
        assert_eq!(answer.status, 201, "{size} {options}: {}", answer.body);
    }
    let counted = |server: &Server| counted(server.address());
    assert_eq!(counted(&server) % BATCH, 0, "{size} {options}: a batch is there as a whole");
    assert!(counted(&server) >= writer.acknowledged * BATCH, "{size} {options}: an acknowledged batch is missing");
    assert!(counted(&server) <= writer.sent * BATCH);
    stop(server);
    let server = serve(&disk, &program, &options);
    assert!(counted(&server) >= writer.acknowledged * BATCH, "{size} {options}: after a start");
    stop(server);
}

#[test]
fn what_was_acknowledged_survives_a_disk_without_any_room() {
    // The disk is full in a commit, in the move of points into chunks, or in a checkpoint, as the sizes have it.
    for (size, options) in [
        (7 * MIB, "--wal-limit 64MiB"),
        (8 * MIB + 4_096, "--wal-limit 1MiB --head-points 10000"),
        (7 * MIB + 77 * 4_096, "--wal-limit 1MiB --head-points 1000000"),
        (9 * MIB + 33 * 4_096, "--wal-limit 2MiB --head-points 30000"),
    ] {
        fill_and_free(size, options);
    }
}

#[test]
fn a_limit_of_file_sizes_is_told_as_a_full_disk() {
    let program = Program::new();
    let serve = program.command("serve --listen 127.0.0.1:0 --wal-limit 64MiB");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 4000; exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    limited.current_dir(program.folder.path());
    let server = Server::spawn(limited);
    let mut writer = Writer::new(&server);
    let refused = writer.until_refused().expect("the server answers");
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert_eq!(counted(&writer.address), writer.acknowledged * BATCH);
    server.signal("-TERM");
    server.wait();
    let server = Server::start(&program, "");
    assert!(counted(server.address()) >= writer.acknowledged * BATCH);
    stop(server);
}

#[test]
fn a_sync_that_fails_ends_the_process_so_that_it_is_started_anew() {
    let program = Program::new();
    let serve = program.command("serve --listen 127.0.0.1:0");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]);
    traced.args(["-e", "inject=fsync,fdatasync:error=EIO:when=40+"]);
    traced.arg(serve.get_program()).args(serve.get_args()).current_dir(program.folder.path());
    if Command::new("strace").arg("-V").output().is_err() {
        println!("SKIPPED: strace is missing");
        return;
    }
    let server = Server::spawn(traced);
    let mut writer = Writer::new(&server);
    if let Some(refused) = writer.until_refused() {
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(refused.body.contains("Idempotency-Key"), "{}", refused.body);
    }
    let ran = server.wait();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("error: the store failed and takes no more writes"), "{ran:?}");
    let server = Server::start(&program, "");
    let counted = counted(server.address());
    assert!(
        (writer.acknowledged * BATCH..=writer.sent * BATCH).contains(&counted),
        "{counted} {}",
        writer.acknowledged
    );
    stop(server);
}
