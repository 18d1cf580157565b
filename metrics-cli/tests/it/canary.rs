//! Secrets stay where they are put: a server that writes down as much as it can is driven through every route and many
//! ways to fail, and then its log, its figures and all its answers are searched.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::Program;

/// In statements; what comes back to their sender may hold it, nothing else may.
const LITERAL: &str = "canary_of_a_statement_7d1f";
/// In a line of the token file that is none.
const MISPLACED: &str = "mtk_canary_in_the_wrong_place";
/// A token that this server does not know.
const WRONG: &str = "mtk_canary_of_another_server_41c9";

/// A server at its most talkative, with its log in a file.
struct Talkative {
    child: std::process::Child,
    address: String,
    program: Program,
    secret: String,
}

impl Talkative {
    fn start() -> Self {
        let program = Program::new();
        let made = program.ok("token create --name canary --scope admin --token-file tokens");
        let secret = made.trim().to_owned();
        program.ok("token create --name reader --scope read --token-file tokens");
        let log = File::create(program.path("log")).expect("a log");
        let mut command =
            program.command("serve --listen 127.0.0.1:0 --token-file tokens --allow-sql --max-wrong-tokens 40");
        command.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("the server is ready");
        let address = line.trim().strip_prefix("listening on http://").expect("an address").to_owned();
        Self { child, address, program, secret }
    }

    /// Everything that comes back, head and body; of a stream what comes at once.
    fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server accepts");
        let patience =
            if target.starts_with("/v1/stream") { Duration::from_millis(300) } else { Duration::from_secs(30) };
        stream.set_read_timeout(Some(patience)).expect("a time");
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).expect("the server reads");
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(count) => answer.extend_from_slice(&part[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionReset
                    ) =>
                {
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.program.path("log")).expect("a log")
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill is here");
        assert!(status.success());
    }
}

impl Drop for Talkative {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Method and path of every operation, as the server describes itself.
fn operations(server: &Talkative) -> Vec<(String, String)> {
    let answer = server.ask("GET", "/openapi.json", "", "");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let document: Value = serde_json::from_str(body).expect("JSON");
    let filled = |path: &str| path.replace("{granularity}", "hour").replace(['{', '}'], "");
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods").keys().map(move |method| (method.to_uppercase(), filled(path)))
    });
    all.collect()
}

#[test]
fn secrets_are_in_no_log_no_figure_and_no_answer() {
    let mut server = Talkative::start();
    let secret = server.secret.clone();
    let mut answers = Vec::new();
    let operations = operations(&server);
    assert!(operations.len() > 30, "{operations:?}");
    for (method, path) in &operations {
        for authorization in [
            format!("Authorization: Bearer {secret}\r\n"),
            format!("Authorization: Token {WRONG}\r\n"),
            format!("Authorization: {secret}\r\n"),
            format!("Authorization: Bearer {secret}\r\nAuthorization: Bearer {WRONG}\r\n"),
        ] {
            answers.push(server.ask(method, path, &authorization, "{"));
        }
        answers.push(server.ask(method, &format!("{path}?token={secret}&p={secret}"), "", ""));
    }
    let good = format!("Authorization: Bearer {secret}\r\n");
    for body in ["{\"name\":\"cpu\",\"value\":1}", "[", "null"] {
        answers.push(server.ask("POST", "/v1/metrics", &format!("{good}Content-Type: application/json\r\n"), body));
    }
    answers.push(server.ask("GET", "/v1/metrics", &format!("{good}Host: elsewhere\r\n"), ""));
    answers.push(server.ask("GET", "/v1/metrics", &format!("{good}Origin: http://evil.example\r\n"), ""));
    answers.push(server.ask("PATCH", "/v1/metrics", &good, ""));
    answers.push(server.ask("GET", "/v1/metrics", &format!("{good}Filler: {}\r\n", "x".repeat(64 << 10)), ""));
    let stored: Vec<&String> = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 201")).collect();
    assert!(!stored.is_empty(), "the token works, or nothing is shown by this");

    let sql = format!("{good}Content-Type: application/sql\r\n");
    let long = format!("SELECT '{LITERAL}' || repeat('x', 10000000) FROM range(1000000)");
    let statements = [
        format!("SELECT '{LITERAL}' AS x"),
        format!("SELECT '{LITERAL}"),
        format!("SELECT '{LITERAL}'::INTEGER"),
        format!("SELECT * FROM {LITERAL}"),
        format!("SELECT {LITERAL}(1)"),
        format!("COPY points TO '/tmp/{LITERAL}'"),
        format!("SELECT error('{LITERAL}')"),
        long,
    ];
    for statement in &statements {
        let answer = server.ask("POST", "/v1/sql", &sql, statement);
        assert!(!answer.contains(&secret) && answer.starts_with("HTTP/1.1 "), "{answer}");
    }

    // A file that is none, read again.
    let file = server.program.path("tokens");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, format!("{text}{MISPLACED}\nx read 2026-01-01 never {MISPLACED}\n")).expect("writable");
    server.signal("-HUP");
    answers.push(server.ask("GET", "/v1/metrics", &good, ""));
    let figures = server.ask("GET", "/metrics", &good, "");
    assert!(figures.contains("metrics_http_requests_total"), "{figures}");

    let asked: std::process::Output = server
        .program
        .command(&format!("latest --log-level trace --url http://{}", server.address))
        .env("METRICS_TOKEN", &secret)
        .output()
        .expect("the program starts");
    assert!(asked.status.success(), "{asked:?}");
    let told = String::from_utf8_lossy(&asked.stderr).into_owned();

    server.signal("-TERM");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    let log = server.log();
    assert!(log.contains("request answered") && log.contains("tokens stay as they were"), "{log}");
    for (name, text) in [("the log", &log), ("the figures", &figures), ("a command's messages", &told)] {
        for canary in [&secret[4..], LITERAL, MISPLACED, WRONG] {
            let line = text.lines().find(|line| line.contains(canary));
            assert_eq!(line, None, "{name} hold a secret");
        }
    }
    for answer in &answers {
        for canary in [&secret[4..], MISPLACED, WRONG] {
            assert!(!answer.contains(canary), "an answer holds a secret: {answer}");
        }
    }
}
