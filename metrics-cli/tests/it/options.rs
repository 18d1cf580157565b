//! Options of the store, and which commands work where.

use crate::program::Program;

fn loaded() -> Program {
    let program = Program::new();
    let rows: String = (0..10).map(|second| format!("2024-02-02T00:00:0{second}Z,cpu,{second}\n")).collect();
    program.file("cpu.csv", &format!("timestamp,name,value\n{rows}"));
    program.ok("ingest cpu.csv");
    program
}

const RAW: &str = "query cpu --from 2024-02-02 --to 2024-02-03 --per raw";

#[test]
fn bounds_that_are_given_are_kept() {
    let program = loaded();
    let ran = program.run(&format!("{RAW} --max-points-per-query 9"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("more than 9 points"), "{ran:?}");
    assert_eq!(program.ok(&format!("{RAW} --max-points-per-query 10")).lines().count(), 11);
    let ran = program.run("post mem 1 --max-series 1");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("series"), "{ran:?}");
    program.ok("post cpu 1 --max-series 1");
    program.ok("post mem 1 --max-series 2 --threads 1 --memory-limit 64MiB --wal-limit 1MiB --temp-directory spill");
    assert_eq!(program.ok("list").lines().count(), 3);
}

#[test]
fn the_environment_gives_the_same_bounds_and_options_go_before_it() {
    let program = loaded();
    let run = |line: &str, value: &str| {
        let mut command = program.command(line);
        let output = command.env("METRICS_MAX_POINTS_PER_QUERY", value).output().expect("starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, said) = run(RAW, "9");
    assert!(code == Some(1) && said.contains("more than 9 points"), "{said}");
    assert_eq!(run(&format!("{RAW} --max-points-per-query 10"), "9").0, Some(0));
    assert_eq!(run(RAW, "").0, Some(0));
    let (code, said) = run(RAW, "many");
    assert!(code == Some(2) && said.contains("METRICS_MAX_POINTS_PER_QUERY=\"many\""), "{said}");
}

#[test]
fn every_command_that_opens_a_store_takes_the_options() {
    let program = Program::new();
    for command in [
        "serve", "ingest", "post", "simulate", "list", "latest", "query", "plot", "stats", "check", "backup",
        "restore", "export", "delete", "retain", "sql",
    ] {
        let help = program.ok(&format!("{command} --help"));
        let (_, options) = help.split_once("Store options:").unwrap_or_else(|| panic!("{command}: {help}"));
        for option in ["--memory-limit <SIZE>", "--threads <N>", "--retention <RULE>", "METRICS_WAL_LIMIT"] {
            assert!(options.contains(option), "{command}: {option} is not in {options}");
        }
    }
    assert!(!program.ok("completions --help").contains("Store options"));
}

#[test]
fn a_server_s_store_is_not_for_options_of_a_client() {
    let program = Program::new();
    let ran = program.run("list --threads 2 --url http://127.0.0.1:9");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("error: --threads is about a store's file"), "{ran:?}");
}

#[test]
fn commands_for_a_file_refuse_a_server() {
    let program = Program::new();
    for line in ["check", "restore b.duckdb", "delete cpu --yes", "retain --retention *:raw=1d"] {
        let ran = program.run(&format!("{line} --url http://127.0.0.1:9"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("this command works on a file"), "{line}: {ran:?}");
    }
    for line in ["export b.txt", "export csv", "export b.csv --format xml", "export b.csv --from then"] {
        let ran = program.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
    }
    assert_eq!(program.names(), [""; 0]);
}

#[test]
fn explaining_is_a_table_on_stderr() {
    let program = loaded();
    let ran = program.run(&format!("{RAW} --explain"));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], " tier    rows read  chunks", "{ran:?}");
    assert_eq!(lines[2], " memory         10       0", "{ran:?}");
    assert!(lines[3].starts_with(" 10 rows of 1 series in ") && lines[3].ends_with(" ms"), "{ran:?}");
    assert_eq!((lines.len(), ran.stdout.lines().count()), (4, 11), "{ran:?}");
}
