//! Points that go: deletion and retention.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::Connection;
use crate::program::Program;
use crate::running::Server;

/// Rows of two hosts, a point a minute over two days of 2024; the value is 1.
fn loaded() -> Program {
    let program = Program::new();
    let rows = (0..2 * 1_440).map(|minute| {
        let (day, hour, minute) = (minute / 1_440 + 2, minute / 60 % 24, minute % 60);
        let time = format!("2024-02-{day:02}T{hour:02}:{minute:02}:00Z");
        format!("{time},cpu,1,a\n{time},cpu,1,b\n")
    });
    program.file("cpu.csv", &format!("timestamp,name,value,host\n{}", rows.collect::<String>()));
    program.ok("ingest cpu.csv --head-points 1000");
    program
}

const DAYS: &str = "query cpu --from 2024-02-01 --to 2024-02-05 --per day --agg count --group-by host";
const ALL_DAYS: &str = "time,name,host,count\n\
    2024-02-02T00:00:00Z,cpu,a,1440\n2024-02-03T00:00:00Z,cpu,a,1440\n\
    2024-02-02T00:00:00Z,cpu,b,1440\n2024-02-03T00:00:00Z,cpu,b,1440\n";

#[test]
fn deleted_points_are_gone_from_every_window_and_the_others_stay() {
    let program = loaded();
    let ran = program.run("delete cpu --where host=a --from 2024-02-02T22:30:00Z --to 2024-02-03T01:00:00Z --yes");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("150 points deleted in "), "{ran:?}");
    assert_eq!(
        program.ok(DAYS),
        ALL_DAYS
            .replace("02T00:00:00Z,cpu,a,1440", "02T00:00:00Z,cpu,a,1350")
            .replace("03T00:00:00Z,cpu,a,1440", "03T00:00:00Z,cpu,a,1380")
    );
    let hours = "query cpu --from 2024-02-02T22:00:00Z --to 2024-02-03T02:00:00Z --per hour --agg count --where host=a";
    assert_eq!(program.ok(hours), "time,name,count\n2024-02-02T22:00:00Z,cpu,30\n2024-02-03T01:00:00Z,cpu,60\n");
    assert_eq!(program.json("check --format json")["differences"], json!(0));
    let none = program.run("delete cpu --where host=c --yes");
    assert!(none.code == Some(0) && none.stderr.starts_with("0 points deleted in "), "{none:?}");
    let rest = program.run("delete cpu --yes");
    assert!(rest.stderr.starts_with("5,610 points deleted in "), "{rest:?}");
    assert_eq!(program.ok("list --format json"), "[]\n");
}

#[test]
fn where_nobody_can_be_asked_nothing_is_deleted_without_yes() {
    let program = loaded();
    let ran = program.run("delete cpu");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("--yes"), "{ran:?}");
    let unknown = program.run("delete cpus --yes");
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("did you mean \"cpu\"?"), "{unknown:?}");
    let span = program.run("delete cpu --yes --from 2024-02-03 --to 2024-02-02");
    assert_eq!(span.code, Some(2), "{span:?}");
    assert_eq!(program.ok(DAYS), ALL_DAYS);
}

#[test]
fn retention_drops_what_the_rules_do_not_keep() {
    let program = loaded();
    program.ok("post mem 5 --at 2024-02-02");
    let points = "query cpu --from 2024-02-01 --to 2024-02-05 --per raw";
    assert_eq!(program.ok(points).lines().count(), 1 + 4 * 1_440);
    let hours = DAYS.replace("per day", "per hour");
    let by_hour = program.ok(&hours);
    let raw = program.json("retain --retention cpu*:raw=30d --format json");
    assert_eq!((&raw["points_before"], &raw["points_after"]), (&json!(5_761), &json!(5_761)), "rollups sum them up");
    assert_eq!(program.ok(points), "time,name\n", "the points themselves are gone");
    assert_eq!((program.ok(DAYS), program.ok(&hours)), (ALL_DAYS.to_owned(), by_hour));

    let ran = program.run("retain --retention cpu*:raw=1d,minute=1d,quarter=1d,hour=1d,day=1d");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("figure,value\npoints_before,5761\npoints_after,1\nfile_bytes_before,"), "{ran:?}");
    assert!(ran.stderr.starts_with("5,760 points gone from every tier"), "{ran:?}");
    assert!(program.ok("list").lines().skip(1).eq(["mem,1,2024-02-02T00:00:00Z,2024-02-02T00:00:00Z"]));
}

#[test]
fn retention_without_a_rule_is_wrong_usage() {
    let program = loaded();
    for (line, word) in [("retain", "--retention 'cpu*"), ("retain --retention cpu:year=1d", "tier")] {
        let ran = program.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains(word), "{line}: {ran:?}");
    }
    assert_eq!(program.ok(DAYS), ALL_DAYS);
}

#[test]
fn a_server_with_rules_applies_them_by_itself() {
    let program = loaded();
    let server = Server::start(&program, "--head-points 10 --retention *:raw=1d,minute=1d,quarter=1d,hour=1d,day=1d");
    let mut connection = Connection::open(server.address()).expect("the server accepts");
    // A full head is what lets the store tidy up at once; else it looks every ten minutes.
    let point = |value: u32| format!(r#"{{"timestamp":"2024-02-04","name":"cpu","value":{value}}}"#);
    for part in 0..3 {
        let points: Vec<String> = (0..20).map(|value| point(part * 20 + value)).collect();
        let answer = connection.post("/v1/metrics", &format!("k{part}"), &format!("[{}]", points.join(",")));
        assert_eq!(answer.expect("an answer").status, 201);
    }
    let began = Instant::now();
    let held = loop {
        let series = connection.get("/v1/series").expect("an answer").body;
        let series: serde_json::Value = serde_json::from_str(&series).expect("JSON");
        let held: u64 =
            series.as_array().expect("a list").iter().map(|one| one["count"].as_u64().expect("a count")).sum();
        if held < 60 || began.elapsed() > Duration::from_secs(30) {
            break held;
        }
    };
    assert!(held < 60, "{held} points are left of 5,820, all of them older than a day");
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}
