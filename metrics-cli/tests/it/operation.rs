//! How a server is run: configured, logged, told of to the service manager, backed up.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::program::Program;
use crate::running::Server;

#[test]
fn a_file_configures_the_server_and_what_counts_is_printed() {
    let program = Program::new();
    program.file("metrics.toml", "db = \"named.duckdb\"\n[serve]\nlisten = \"127.0.0.1:0\"\nmax-series = 1\n");
    let server = Server::start_with(&program, "serve --config metrics.toml", &[]);
    program.ok(&format!("post cpu 1 --url {}", server.url));
    let refused = program.run(&format!("post mem 1 --url {}", server.url));
    assert!(refused.code == Some(1) && refused.stderr.contains("429"), "{refused:?}");
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
    assert_eq!(program.ok("list --db named.duckdb").lines().count(), 2);

    let printed = program.ok("serve --config metrics.toml --print-config --listen 127.0.0.1:81");
    assert!(printed.contains("\nlisten = \"127.0.0.1:81\" # command line\n"), "{printed}");
    assert!(printed.contains("\nmax-series = 1 # metrics.toml:4\n"), "{printed}");
    program.file("metrics.toml", "[serve]\nlisten = \"127.0.0.1:0\"\nmax-serie = 1\n");
    let refused = program.run("serve --config metrics.toml");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
    assert!(refused.stderr.contains("metrics.toml:3") && refused.stderr.contains("\"max-series\""), "{refused:?}");
}

/// The messages of a server in JSON, after a few requests.
fn messages(options: &str) -> Vec<Value> {
    let program = Program::new();
    let server = Server::start(&program, &format!("--log-format json {options}"));
    program.ok(&format!("post secret_metric 1 --label host=a --url {}", server.url));
    let bad = program.run(&format!("query secret_metric --per fortnight --url {}", server.url));
    assert_ne!(bad.code, Some(0));
    server.signal("-TERM");
    let ran = server.wait();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(!ran.stderr.contains("secret_metric") && !ran.stderr.contains("fortnight"), "{}", ran.stderr);
    ran.stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn messages_are_json_and_tell_of_requests_when_asked() {
    let told = messages("--log-level info,metrics_http=debug");
    let requests: Vec<&Value> = told.iter().filter(|message| message["message"] == "request answered").collect();
    let posted = requests.iter().find(|request| request["method"] == "POST").expect("a write");
    assert_eq!((&posted["path"], &posted["status"]), (&"/v1/metrics".into(), &201.into()), "{posted}");
    assert_eq!((&posted["level"], &posted["client"]), (&"DEBUG".into(), &"127.0.0.1".into()), "{posted}");
    assert!(posted["ms"].as_f64() > Some(0.0) && posted["bytes"].as_u64() > Some(0), "{posted}");
    assert!(posted["span"]["id"].as_str().is_some_and(|id| id.len() == 15), "{posted}");
    assert!(told.iter().all(|message| message["level"] != "ERROR" && message["level"] != "WARN"), "{told:?}");
}

#[test]
fn by_itself_a_server_tells_nothing_of_requests_that_go_well() {
    let told = messages("");
    assert!(told.iter().any(|message| message["message"] == "listening"), "{told:?}");
    assert!(told.iter().all(|message| message["message"] != "request answered"), "{told:?}");
}

#[test]
fn a_service_manager_is_told_and_its_watchdog_fed() {
    let program = Program::new();
    let socket = UnixDatagram::bind(program.path("notify")).expect("binds");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("sets");
    let path = program.path("notify");
    let variables = [("NOTIFY_SOCKET", path.to_str().expect("UTF-8")), ("WATCHDOG_USEC", "400000")];
    let server = Server::start_with(&program, "serve --listen 127.0.0.1:0", &variables);
    let next = || {
        let mut buffer = [0; 512];
        let read = socket.recv(&mut buffer).expect("the server tells something");
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    };
    assert_eq!(next().trim_end(), format!("READY=1\nSTATUS=listening on {}", server.url));
    assert_eq!([next(), next(), next()].map(|said| said.trim_end().to_owned()), ["WATCHDOG=1"; 3]);
    server.signal("-TERM");
    let stopping = std::iter::repeat_with(next).find(|said| !said.starts_with("WATCHDOG=1")).expect("endless");
    assert!(stopping.starts_with("STOPPING=1\n"), "{stopping}");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn a_server_makes_backups_in_its_folder_and_they_restore() {
    let program = Program::new();
    let server = Server::start(&program, "--backup-dir copies --backup-keep 2 --backup-check --allow-sql");
    program.ok(&format!("post cpu 5 --at 2024-02-02 --url {}", server.url));
    let made = program.run(&format!("backup --url {}", server.url));
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stderr.contains("1 point checked"), "{made:?}");
    let file = made.stdout.trim_end();
    assert!(file.starts_with("metrics-") && file.ends_with("Z.duckdb"), "{file}");
    let named = program.run(&format!("backup mine.duckdb --url {}", server.url));
    assert!(named.code == Some(2) && named.stderr.contains("leave the file out"), "{named:?}");
    program.ok(&format!("post cpu 6 --at 2024-02-02 --url {}", server.url));
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
    program.ok(&format!("check --db copies/{file}"));
    program.ok(&format!("restore copies/{file} --force"));
    assert_eq!(program.json("stats --format json")["points"], 1);
}

#[test]
fn health_is_an_exit_code() {
    let program = Program::new();
    let server = Server::start(&program, "");
    assert_eq!(program.ok(&format!("health --url {}", server.url)), "up\n");
    assert_eq!(program.ok(&format!("health --ready --url {}", server.url)), "ready\n");
    let url = server.url.clone();
    server.kill();
    let ran = program.run(&format!("health --url {url}"));
    assert!(ran.code == Some(1) && ran.stderr.contains("no connection"), "{ran:?}");
    let ran = program.run("health");
    assert!(ran.code == Some(2) && ran.stderr.contains("--url"), "{ran:?}");
}

#[test]
fn a_variable_that_is_nearly_right_is_warned_of() {
    let program = Program::new();
    let mut command = program.command("serve --listen 127.0.0.1:0");
    command.env("METRICS_MAX_SERIE", "5").stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut line).expect("UTF-8");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(line.contains("WARN") && line.contains("did you mean METRICS_MAX_SERIES?"), "{line}");
}
