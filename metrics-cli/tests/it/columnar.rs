//! Parquet and Arrow files out and in, from a file and from a server, and SQL over both.

use crate::program::Program;
use crate::running::Server;

fn loaded(options: &str) -> Program {
    let program = Program::new();
    let rows = (0..300).map(|minute| {
        let time = format!("2024-02-02T{:02}:{:02}:00Z", minute / 60, minute % 60);
        format!("{time},cpu,{minute},a\n{time},mem,{}.5,\n", minute + 100)
    });
    program.file("data.csv", &format!("timestamp,name,value,host\n{}", rows.collect::<String>()));
    program.ok(&format!("ingest data.csv {options}"));
    program
}

const QUERY: &str = "query cpu mem --from 2024-02-02 --to 2024-02-03 --per hour --agg avg,count --group-by host";

#[test]
fn what_was_exported_is_loaded_as_it_was() {
    let program = loaded("--head-points 100");
    let expected = program.ok(QUERY);
    for file in ["points.parquet", "points.arrow"] {
        program.ok(&format!("export {file}"));
        let ran = program.run(&format!("ingest {file} --db {file}.duckdb"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.stderr.starts_with("600 points stored in "), "{ran:?}");
        assert_eq!(program.ok(&format!("{QUERY} --db {file}.duckdb")), expected, "{file}");
    }
    // Told by its first bytes, with a label that is added, and with what cannot be.
    std::fs::rename(program.path("points.parquet"), program.path("points")).expect("renames");
    program.ok("ingest points --label dc=eu --db labelled.duckdb");
    assert!(program.ok("list --db labelled.duckdb").contains("cpu,eu,a,300,"), "the label is on every point");
    for (line, words) in [
        ("ingest points --name x", "use only one"),
        ("ingest points --precision s", "--precision is for line protocol"),
        ("ingest data.csv --format parquet", "Parquet file cannot be read"),
        ("ingest data.csv --format arrow", "no Arrow IPC stream"),
        ("ingest - --format parquet", "give a file's name"),
    ] {
        let ran = program.run(&format!("{line} --db refused.duckdb"));
        assert!(matches!(ran.code, Some(1 | 2)) && ran.stderr.contains(words), "{line}: {ran:?}");
    }
}

#[test]
fn a_server_exports_and_runs_statements() {
    let program = loaded("");
    let before = program.ok(QUERY);
    let sql =
        "SELECT name, labels->>'host' AS host, count(*) AS n, max(value) AS most FROM points GROUP BY ALL ORDER BY ALL";
    let expected = "name,host,n,most\ncpu,a,300,299\nmem,,300,399.5\n";
    let ran = program.run_with_input("sql - --format csv", sql);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected), "{ran:?}");
    let server = Server::start(&program, "--allow-sql");
    let url = server.url.clone();
    let ran = program.run_with_input(&format!("sql - --format csv --url {url}"), sql);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected), "{ran:?}");
    let refused = program.run_with_input(&format!("sql - --url {url}"), "DROP VIEW points");
    assert!(refused.code == Some(1) && refused.stderr.contains("only one SELECT is allowed"), "{refused:?}");
    let ran = program.run(&format!("export cpu.parquet cpu --from 2024-02-02T01:00:00Z --url {url}"));
    assert!(ran.code == Some(0) && ran.stderr.contains(" bytes written to cpu.parquet in "), "{ran:?}");
    program.ok("ingest cpu.parquet --db copy.duckdb");
    assert!(program.ok("list --db copy.duckdb").contains("cpu,a,240,"), "an hour was left out");
    let again = program.run(&format!("export cpu.parquet cpu --url {url}"));
    assert!(again.code == Some(1) && again.stderr.contains("it exists already"), "{again:?}");
    let csv = program.run(&format!("export cpu.csv --url {url}"));
    assert!(csv.code == Some(2) && csv.stderr.contains("a server exports Parquet"), "{csv:?}");
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
    assert_eq!(program.ok(QUERY), before);
    assert!(!program.names().iter().any(|name| name.contains("exports")), "{:?}", program.names());
}

#[test]
fn a_server_without_the_option_runs_no_statement() {
    let program = loaded("");
    let server = Server::start(&program, "");
    let ran = program.run_with_input(&format!("sql - --url {}", server.url), "SELECT 1");
    assert!(ran.code == Some(1) && ran.stderr.contains("--allow-sql"), "{ran:?}");
    let ran = program.run("sql SELECT");
    assert!(ran.code == Some(1) && ran.stderr.contains("in use by another process"), "{ran:?}");
}
