//! A server in a process of its own, and the program as its client.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::program::Program;
use crate::running::Server;

#[test]
fn a_point_posted_to_a_server_is_in_the_file_after_sigterm() {
    let program = Program::new();
    let server = Server::start(&program, "");
    assert!(server.url.starts_with("http://127.0.0.1:") && !server.url.ends_with(":0"), "{}", server.url);
    let url = server.url.clone();
    program.ok(&format!("post temperature 30 --at 2024-02-02T11:43:02.099Z --label host=a --url {url}"));
    program
        .file("more.csv", "timestamp,name,value\n2024-02-02T12:00:00Z,humidity,40\n2024-02-02T12:30:00Z,humidity,50\n");
    program.ok(&format!("ingest more.csv --url {url}"));

    let query = "query humidity --from 2024-02-02 --to 2024-02-03 --per day --agg avg,count --format json";
    let over_http = program.json(&format!("{query} --url {url}"));
    assert_eq!(over_http["series"][0]["avg"], json!([45]));
    let list = program.ok(&format!("list --url {url}"));
    let latest = program.ok(&format!("latest --url {url}"));
    assert!(latest.contains("temperature,a,2024-02-02T11:43:02.099Z,30"), "{latest}");

    server.signal("-TERM");
    let ran = server.wait();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(program.json(query), over_http);
    assert_eq!(program.ok("list"), list);
    assert_eq!(program.ok("latest"), latest);
}

#[test]
fn a_second_owner_is_told_to_use_the_url() {
    let program = Program::new();
    let server = Server::start(&program, "");
    for line in ["list", "post cpu 1", "serve --listen 127.0.0.1:0"] {
        let ran = program.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("metrics.duckdb") && ran.stderr.contains("--url"), "{line}: {ran:?}");
    }
    server.signal("-INT");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let program = Program::new();
    let server = Server::start(&program, "");
    let address = server.url.strip_prefix("http://").expect("a URL").to_owned();
    // An idle connection ends when the first signal has arrived; a request that never ends makes the server wait.
    let mut idle = TcpStream::connect(&address).expect("the server accepts");
    let mut stuck = TcpStream::connect(&address).expect("the server accepts");
    let head = "POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    stuck.write_all(head.as_bytes()).expect("the server reads");
    let mut answer = [0; 12];
    stuck.read_exact(&mut answer).expect("the server asks for the body");
    assert_eq!(&answer, b"HTTP/1.1 100");

    server.signal("-INT");
    assert_eq!(idle.read(&mut answer).expect("an end"), 0);
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(143));
}

#[test]
fn a_server_simulates_and_its_points_are_kept() {
    let program = Program::new();
    let server = Server::start(&program, "--simulate");
    let url = server.url.clone();
    program.ok(&format!("simulate --metrics 2 --interval 10ms --duration 200ms --seed 1 --url {url}"));
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
    let stats = program.json("stats --format json");
    assert_eq!(stats["metrics"], json!(20));
    assert!(stats["points"].as_u64() > Some(20), "{stats}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let program = Program::new();
    let ran = program.run("list --url http://127.0.0.1:9");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("127.0.0.1:9"), "{ran:?}");
}

#[test]
fn a_taken_port_leaves_no_store_behind() {
    let program = Program::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let ran = program.run(&format!("serve --listen {address}"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(&format!("cannot listen on {address}")), "{ran:?}");
    assert_eq!(std::fs::read_dir(program.folder.path()).expect("the folder").count(), 0);
}
