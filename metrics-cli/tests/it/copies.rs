//! Backups, what is restored from them, and exports.

use crate::http::Connection;
use crate::program::Program;
use crate::running::Server;

const DAY: &str = "query cpu --from 2024-02-02 --to 2024-02-03 --per day --agg count,sum,min,max --group-by host";
const DAY_BEFORE: &str = "time,name,host,count,sum,min,max\n\
    2024-02-02T00:00:00Z,cpu,a,300,44850,0,299\n\
    2024-02-02T00:00:00Z,cpu,b,300,74850,100,399\n";

/// Two series with a point a minute, most of them in chunks.
fn loaded() -> Program {
    let program = Program::new();
    let rows = (0..300).map(|minute| {
        let time = format!("2024-02-02T{:02}:{:02}:00Z", minute / 60, minute % 60);
        format!("{time},cpu,{minute},a\n{time},cpu,{},b\n", minute + 100)
    });
    program.file("cpu.csv", &format!("timestamp,name,value,host\n{}", rows.collect::<String>()));
    program.ok("ingest cpu.csv --head-points 50");
    program
}

/// Files of the folder that belong to no store at rest.
fn left_over(program: &Program) -> Vec<String> {
    let leftover = |name: &String| name.contains("restoring") || name.contains("partial") || name.contains(".wal");
    program.names().into_iter().filter(leftover).collect()
}

#[test]
fn a_restored_store_answers_as_the_one_that_was_backed_up() {
    let program = loaded();
    assert_eq!(program.ok(DAY), DAY_BEFORE);
    let backup = program.run("backup monday.duckdb");
    assert_eq!((backup.code, backup.stdout.as_str()), (Some(0), ""), "{backup:?}");
    assert!(backup.stderr.starts_with("600 points in monday.duckdb, "), "{backup:?}");
    program.ok("export before.csv");
    program.ok("post cpu 1000 --at 2024-02-02T12:00:00Z --label host=a");

    let refused = program.run("restore monday.duckdb");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("metrics.duckdb exists") && refused.stderr.contains("--force"), "{refused:?}");
    assert!(program.ok(DAY).contains("cpu,a,301,45850,0,1000"), "nothing was replaced");

    let forced = program.run("restore monday.duckdb --force");
    assert_eq!((forced.code, forced.stdout.as_str()), (Some(0), ""), "{forced:?}");
    assert!(forced.stderr.starts_with("600 points in metrics.duckdb from monday.duckdb in "), "{forced:?}");
    program.ok("restore monday.duckdb --db elsewhere.duckdb");
    for db in ["metrics.duckdb", "elsewhere.duckdb", "monday.duckdb"] {
        assert_eq!(program.ok(&format!("{DAY} --db {db}")), DAY_BEFORE, "{db}");
        program.ok(&format!("export {db}.csv --db {db}"));
        let exported = |file: &str| std::fs::read_to_string(program.path(file)).expect("it was exported");
        assert_eq!(exported(&format!("{db}.csv")), exported("before.csv"), "{db}");
        assert_eq!(program.json(&format!("check --format json --db {db}"))["differences"], 0, "{db}");
        program.ok(&format!("post cpu 5 --at 2024-02-03 --db {db}"));
    }
    assert_eq!(left_over(&program), [""; 0]);
}

#[test]
fn a_store_that_a_server_owns_is_not_replaced() {
    let program = loaded();
    program.ok("backup monday.duckdb");
    let server = Server::start(&program, "");
    for line in ["restore monday.duckdb", "restore monday.duckdb --force", "backup other.duckdb", "export x.csv"] {
        let ran = program.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("metrics.duckdb is in use by another process"), "{line}: {ran:?}");
    }
    assert_eq!(program.ok(&format!("{DAY} --url {}", server.url)), DAY_BEFORE);
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn what_is_no_backup_replaces_nothing() {
    let program = loaded();
    program.ok("backup whole.duckdb");
    let whole = std::fs::read(program.path("whole.duckdb")).expect("the backup");
    std::fs::write(program.path("half.duckdb"), &whole[..whole.len() / 2]).expect("writes");
    std::fs::write(program.path("live.duckdb"), &whole).expect("writes");
    program.file("live.duckdb.wal", "a log");
    program.file("text.duckdb", "timestamp,value\n");
    program.file("empty.duckdb", "");
    for (file, word) in [
        ("half.duckdb", "half.duckdb was not restored"),
        ("text.duckdb", "text.duckdb was not restored"),
        ("empty.duckdb", "empty.duckdb is no backup"),
        ("live.duckdb", "live.duckdb.wal stands beside"),
        ("nothing.duckdb", "cannot open nothing.duckdb"),
        ("metrics.duckdb", "is the store itself"),
    ] {
        for db in ["metrics.duckdb --force", "fresh.duckdb"] {
            if (file, db) == ("metrics.duckdb", "fresh.duckdb") {
                continue;
            }
            let ran = program.run(&format!("restore {file} --db {db}"));
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{file}: {ran:?}");
            assert!(ran.stderr.contains(word), "{file}: {ran:?}");
        }
    }
    assert_eq!(program.ok(DAY), DAY_BEFORE);
    assert!(!program.path("fresh.duckdb").exists());
    assert_eq!(left_over(&program), ["live.duckdb.wal"]);
}

#[test]
fn neither_an_old_log_nor_an_interrupted_restore_gets_into_the_restored_store() {
    let program = loaded();
    program.ok("backup monday.duckdb");
    let server = Server::start(&program, "");
    let mut connection = Connection::open(server.address()).expect("the server accepts");
    let point = r#"{"timestamp":"2024-02-02T12:00:00Z","name":"cpu","value":1,"labels":{"host":"a"}}"#;
    assert_eq!(connection.post("/v1/metrics", "k", point).expect("an answer").status, 201);
    server.kill();
    assert_eq!(left_over(&program), ["metrics.duckdb.wal"]);
    for ending in ["", ".wal", ".lock"] {
        program.file(&format!("metrics.duckdb.restoring{ending}"), "interrupted");
    }
    program.ok("restore monday.duckdb --force");
    assert_eq!(left_over(&program), [""; 0]);
    assert_eq!(program.ok(DAY), DAY_BEFORE);
}

#[cfg(unix)]
#[test]
fn a_restore_through_a_link_replaces_what_the_link_leads_to() {
    let program = loaded();
    program.ok("backup monday.duckdb");
    program.ok("post cpu 5 --at 2024-02-02T12:00:00Z --label host=a");
    std::os::unix::fs::symlink(program.path("metrics.duckdb"), program.path("link.duckdb")).expect("a link");
    program.ok("restore monday.duckdb --force --db link.duckdb");
    assert!(program.path("link.duckdb").is_symlink());
    assert_eq!(program.ok(&format!("{DAY} --db metrics.duckdb")), DAY_BEFORE);
}

#[test]
fn backups_and_exports_never_write_over_a_file() {
    let program = loaded();
    for file in ["here.duckdb", "here.csv"] {
        program.file(file, "mine");
    }
    for line in ["backup here.duckdb", "export here.csv"] {
        let ran = program.run(line);
        assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
        assert!(ran.stderr.contains("it exists already"), "{line}: {ran:?}");
    }
    for file in ["here.duckdb", "here.csv"] {
        assert_eq!(std::fs::read_to_string(program.path(file)).expect("it is there"), "mine");
    }
}

#[test]
fn an_export_holds_the_points_that_were_asked_for() {
    let program = loaded();
    program.ok("post mem 7 --at 2024-02-02T00:01:00Z");
    let ran = program.run("export some.csv cpu --where host=b --from 2024-02-02T00:01:00Z --to 2024-02-02T00:03:00Z");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("2 points written to some.csv in "), "{ran:?}");
    let read = |file: &str| std::fs::read(program.path(file)).expect("it was exported");
    assert_eq!(
        String::from_utf8(read("some.csv")).expect("UTF-8"),
        "timestamp,name,labels,value\n\
         2024-02-02T00:01:00Z,cpu,\"{\"\"host\"\":\"\"b\"\"}\",101\n\
         2024-02-02T00:02:00Z,cpu,\"{\"\"host\"\":\"\"b\"\"}\",102\n"
    );
    let all = program.run("export all.parquet");
    assert!(all.stderr.starts_with("601 points written to all.parquet in "), "{all:?}");
    let parquet = read("all.parquet");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let named = program.run("export data mem --format arrow");
    assert!(named.stderr.starts_with("1 point written to data in "), "{named:?}");
    // An encapsulated message of Arrow's IPC format begins with this mark; a stream ends with one of length zero.
    let arrow = read("data");
    assert!(arrow.starts_with(&[0xff; 4]) && arrow.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
    let unknown = program.run("export x.csv cpus");
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("did you mean \"cpu\"?"), "{unknown:?}");
    assert!(!program.path("x.csv").exists());
}
