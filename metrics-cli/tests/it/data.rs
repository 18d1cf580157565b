//! Points in, answers out, on a file.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::program::Program;

/// Half-hourly values over two days: `20 + minute of the day / 60`, the second day ten higher.
fn two_days() -> String {
    let rows = (0..96).map(|half_hour| {
        let (day, half_hour) = (half_hour / 48, half_hour % 48);
        let value = 20.0 + f64::from(half_hour) / 2.0 + 10.0 * f64::from(day);
        format!("2024-02-0{} {:02}:{:02}:00,{value}\n", day + 2, half_hour / 2, half_hour % 2 * 30)
    });
    format!("timestamp,value\n{}", rows.collect::<String>())
}

fn loaded() -> Program {
    let program = Program::new();
    program.file("room.csv", &two_days());
    let ran = program.run("ingest room.csv --name temperature --label room=attic");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("96 points stored in "), "{ran:?}");
    program
}

#[test]
fn averages_of_a_csv_are_those_computed_by_hand() {
    let program = loaded();
    let frame = program
        .json("query temperature --from 2024-02-02 --to 2024-02-04 --per day --agg avg,min,max,count --format json");
    // The mean of 0, 0.5, … 23.5 is 11.75.
    let series = &frame["series"][0];
    assert_eq!(series["time"], json!(["2024-02-02T00:00:00Z", "2024-02-03T00:00:00Z"]));
    assert_eq!((&series["avg"], &series["count"]), (&json!([31.75, 41.75]), &json!([48, 48])));
    assert_eq!((&series["min"], &series["max"]), (&json!([20, 30]), &json!([43.5, 53.5])));

    let hours = program.json("query temperature --from 2024-02-03 --to 2024-02-03T03:00:00Z --per hour --format json");
    assert_eq!(hours["series"][0]["avg"], json!([30.25, 31.25, 32.25]));
}

#[test]
fn pipes_get_csv_and_every_format_can_be_asked_for() {
    let program = loaded();
    let query = "query temperature --from 2024-02-02 --to 2024-02-04 --per day --group-by room";
    let csv = "time,name,room,avg\n2024-02-02T00:00:00Z,temperature,attic,31.75\n2024-02-03T00:00:00Z,temperature,attic,41.75\n";
    assert_eq!(program.ok(query), csv);
    let ndjson = program.ok(&format!("{query} --format ndjson"));
    let first: serde_json::Value = serde_json::from_str(ndjson.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        first,
        json!({"time": "2024-02-02T00:00:00Z", "name": "temperature", "labels": {"room": "attic"}, "avg": 31.75})
    );
    let table = program.ok(&format!("{query} --format table"));
    assert!(
        table.lines().nth(2).is_some_and(|row| row.trim_start().starts_with("2024-02-02") && row.ends_with("31.75")),
        "{table}"
    );
}

#[test]
fn days_follow_the_zone() {
    let program = loaded();
    let frame = program.json(
        "query temperature --from 2024-02-02 --to 2024-02-04 --per day --tz Asia/Tokyo --agg count --format json",
    );
    assert_eq!(
        frame["series"][0]["time"],
        json!(["2024-02-01T15:00:00Z", "2024-02-02T15:00:00Z", "2024-02-03T15:00:00Z"])
    );
    assert_eq!(frame["series"][0]["count"], json!([30, 48, 18]));
}

#[test]
fn bad_lines_are_told_and_the_good_ones_are_stored() {
    let program = Program::new();
    let bad: String = (0..30).map(|_| "2024-02-02T00:00:00Z,a,x\n").collect();
    program
        .file("mixed.csv", &format!("timestamp,name,value\n2024-02-02T00:00:00Z,a,1\n{bad}2024-02-02T00:01:00Z,a,2\n"));
    let ran = program.run("ingest mixed.csv");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.stderr.matches("mixed.csv: line ").count(), 20, "{ran:?}");
    assert!(ran.stderr.contains("mixed.csv: line 3: value") && ran.stderr.contains("10 more bad lines"), "{ran:?}");
    assert!(ran.stderr.contains("30 bad lines left out") && ran.stderr.contains("2 points stored"), "{ran:?}");
    assert!(program.ok("list a").contains("\na,2,"));
}

#[test]
fn line_protocol_is_known_by_its_ending_and_told_by_an_option() {
    let program = Program::new();
    let lines =
        "cpu,host=a user=1.5,idle=98i,state=\"ok\" 1706874182\ncpu,host=a user=\ncpu,host=b user=2 1706874183\n";
    program.file("agent.lp", lines);
    let ran = program.run("ingest agent.lp --precision s");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("agent.lp: line 2: user: the value is missing"), "{ran:?}");
    assert!(ran.stderr.contains("3 points stored") && ran.stderr.contains("1 text field "), "{ran:?}");
    let ran = program.run_with_input("ingest - --format line --label host=c", "cpu user=3 1706874184000000000\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        program.ok("latest"),
        "name,host,timestamp,value\ncpu_idle,a,2024-02-02T11:43:02Z,98\ncpu_user,a,2024-02-02T11:43:02Z,1.5\n\
         cpu_user,b,2024-02-02T11:43:03Z,2\ncpu_user,c,2024-02-02T11:43:04Z,3\n"
    );
    let ran = program.run("ingest agent.lp --precision d");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let ran = program.run("ingest agent.lp --format csv --precision s");
    assert!(ran.code == Some(2) && ran.stderr.contains("--precision is for line protocol"), "{ran:?}");
}

#[test]
fn strict_stops_at_the_first_bad_line() {
    let program = Program::new();
    program.file("mixed.ndjson", "{\"name\":\"a\",\"value\":1}\n{\"name\":\"a\"}\n{\"name\":\"a\",\"value\":2}\n");
    let ran = program.run("ingest --strict mixed.ndjson");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("mixed.ndjson: line 2: value") && ran.stderr.contains("0 points stored"), "{ran:?}");
    assert_eq!(program.ok("list --format json").trim(), "[]");
}

#[test]
fn a_refused_pipe_is_not_read_to_its_end() {
    let program = Program::new();
    let mut command = program.command("ingest --strict -");
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // One batch and a line: the program has seen enough, and its reader waits for more from the open pipe.
    let lines = format!("timestamp,name,value\n{}", "0,a,x\n".repeat(10_001));
    let writer = std::thread::spawn(move || {
        let _ = pipe.write_all(lines.as_bytes());
        pipe
    });
    assert_eq!(child.wait().expect("ends").code(), Some(1));
    drop(writer.join().expect("the writer ends"));
}

#[test]
fn a_file_that_is_not_there_makes_no_store() {
    let program = Program::new();
    let ran = program.run("ingest nothing.csv");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.starts_with("error: cannot open nothing.csv: "), "{ran:?}");
    assert_eq!(std::fs::read_dir(program.folder.path()).expect("the folder").count(), 0);
}

#[test]
fn stdin_is_read_and_its_format_found_out() {
    let program = Program::new();
    for input in [
        "timestamp,name,value\n2024-02-02T00:00:00Z,a,1\n",
        "{\"timestamp\":\"2024-02-02T00:00:00Z\",\"name\":\"a\",\"value\":2}\n",
        "[{\"timestamp\":\"2024-02-02T00:00:00Z\",\"name\":\"a\",\n\"value\":3}]",
    ] {
        let ran = program.run_with_input("ingest -", input);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(
        program.ok("query a --from 2024-02-02 --to 2024-02-03 --per day --agg sum,count"),
        "time,name,sum,count\n2024-02-02T00:00:00Z,a,6,3\n"
    );
}

#[test]
fn a_csv_without_names_says_which_option_gives_one() {
    let program = Program::new();
    program.file("cpu.csv", "timestamp,value\n2024-02-02T00:00:00Z,1\n");
    let ran = program.run("ingest cpu.csv");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("cpu.csv") && ran.stderr.contains("--name cpu"), "{ran:?}");
}

#[test]
fn unknown_metrics_get_a_suggestion_and_exit_1() {
    let program = loaded();
    for command in ["query temprature", "list temprature", "latest Temperature", "plot temprature"] {
        let ran = program.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{command}: {ran:?}");
        assert!(ran.stderr.contains("did you mean \"temperature\"?"), "{command}: {ran:?}");
    }
}

#[test]
fn an_empty_window_says_where_the_data_lies() {
    let program = loaded();
    let ran = program.run("query temperature");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("its data lies from 2024-02-02T00:00:00Z to 2024-02-03T23:30:00Z"), "{ran:?}");
    let filtered = program.run("query temperature --where room=cellar --from 2024-02-02 --to 2024-02-04");
    assert!(filtered.stderr.contains("no series of \"temperature\" passes"), "{filtered:?}");
}

#[test]
fn post_list_latest_and_stats_agree() {
    let program = loaded();
    program.ok("post temperature 19.25 --at 2024-02-05T06:00:00Z --label room=attic");
    program.ok("post humidity -4 --at 2024-02-05T06:00:00Z");
    assert_eq!(
        program.ok("list"),
        "name,room,points,first,last\n\
         humidity,,1,2024-02-05T06:00:00Z,2024-02-05T06:00:00Z\n\
         temperature,attic,97,2024-02-02T00:00:00Z,2024-02-05T06:00:00Z\n"
    );
    assert_eq!(program.ok("latest temp*"), "name,room,timestamp,value\ntemperature,attic,2024-02-05T06:00:00Z,19.25\n");
    assert_eq!(program.ok("list *midit?").lines().count(), 2);
    assert_eq!(program.ok("list --where room=attic").lines().count(), 2);
    let stats = program.json("stats --format json");
    assert_eq!((&stats["points"], &stats["series"], &stats["metrics"]), (&json!(98), &json!(2), &json!(2)));
    assert!(stats["file_bytes"].as_u64() > Some(0), "{stats}");
}

#[test]
fn a_sound_store_passes_the_check() {
    let program = loaded();
    let ran = program.run("check --format json");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "every rollup equals its points\n"), "{ran:?}");
    let figures: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&figures["differences"], &figures["repaired_chunks"]), (&json!(0), &json!(0)));
    assert_eq!(program.run("check --repair").code, Some(0));
}

#[test]
fn wrong_usage_is_exit_2_and_touches_nothing() {
    let program = Program::new();
    for line in [
        "query",
        "query cpu --agg mode",
        "query cpu --from then",
        "query cpu --tz Mars",
        "list --where host",
        "post cpu NaN",
        "list --db a.duckdb --url http://127.0.0.1:1",
        "--db a.duckdb list --url http://127.0.0.1:1",
        "serve --url http://127.0.0.1:1",
        "serve --listen 0.0.0.0:0",
        "list --url ftp://x",
        "man nothing",
        "frobnicate",
    ] {
        let ran = program.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{line}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(program.folder.path()).expect("the folder").count(), 0);
}

#[test]
fn reading_makes_no_new_store() {
    let program = Program::new();
    for line in
        ["list", "latest", "query cpu", "plot cpu", "stats", "check", "backup b", "export x.csv", "delete cpu --yes"]
    {
        let ran = program.run(line);
        assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
        assert!(ran.stderr.contains("metrics.duckdb does not exist"), "{line}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(program.folder.path()).expect("the folder").count(), 0);
}

#[test]
fn a_plot_has_the_size_that_was_asked_for() {
    let program = loaded();
    for (width, height) in [(80, 20), (61, 9), (33, 5), (7, 3), (1, 1)] {
        let plot = program
            .ok(&format!("plot temperature --from 2024-02-02 --to 2024-02-04 --width {width} --height {height}"));
        assert_eq!(plot.lines().count(), height, "{plot}");
        assert!(plot.lines().all(|line| line.chars().count() <= width), "{plot}");
        assert!(!plot.contains('\x1b') && plot.chars().any(|c| ('⠁'..='⣿').contains(&c)), "{plot}");
    }
}

#[test]
fn history_is_simulated_at_the_interval() {
    let program = Program::new();
    program.ok("simulate --metrics 3 --interval 1s --backfill 2m --duration 0s --seed 7");
    let list = program.ok("list");
    let counts: Vec<&str> = list.lines().skip(1).map(|row| row.split(',').nth(1).expect("points")).collect();
    assert_eq!(counts, ["120", "120", "120"], "{list}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let program = loaded();
    let mut command = program.command("query temperature --from 2024-02-02 --to 2024-02-04 --per 30m --format json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn packagers_get_completions_and_manual_pages() {
    let program = Program::new();
    assert!(program.ok("completions bash").contains("metrics-cli"));
    assert!(program.ok("man").starts_with(".ie"), "roff");
    assert!(program.ok("man query").contains("metrics\\-cli\\-query"));
}
