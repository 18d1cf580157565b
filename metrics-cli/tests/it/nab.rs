//! Five real series, loaded from their files: averages over the file and over HTTP against plain arithmetic.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::http::Connection;
use crate::program::Program;
use crate::running::Server;

/// Metric, file in `examples/data`, rows.
const SERIES: [(&str, &str, usize); 5] = [
    ("cpu", "ec2_cpu_utilization_5f5533.csv", 4_032),
    ("network_in", "ec2_network_in_257a54.csv", 4_032),
    ("requests", "elb_request_count_8c0756.csv", 4_032),
    ("machine_temperature", "machine_temperature_system_failure.csv", 22_695),
    ("database_cpu", "rds_cpu_utilization_cc0c53.csv", 4_032),
];
/// Windows and their seconds.
const WIDTHS: [(&str, i64); 3] = [("minute", 60), ("hour", 3_600), ("day", 86_400)];

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "examples", "data", file].iter().collect()
}

/// Seconds since 1970 of `2014-02-14 14:27:00` or `2014-02-14T14:27:00Z`, counted in days since the last February
/// 29 of a year that 400 divides.
fn seconds(time: &str) -> i64 {
    let part = |from: usize, to: usize| time[from..to].parse::<i64>().unwrap_or_else(|_| panic!("a time: {time}"));
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    // March is the first month of such a year, and February 29 its last day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    days * 86_400 + part(11, 13) * 3_600 + part(14, 16) * 60 + part(17, 19)
}

fn rows(file: &str) -> Vec<(i64, f64)> {
    let text = std::fs::read_to_string(path(file)).expect("the data is there");
    let row = |line: &str| {
        let (time, value) = line.split_once(',').expect("two fields");
        (seconds(time), value.parse().expect("a number"))
    };
    text.lines().skip(1).map(row).collect()
}

fn averages(rows: &[(i64, f64)], width: i64) -> BTreeMap<i64, f64> {
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (time, value) in rows {
        let window = sums.entry(time.div_euclid(width) * width).or_default();
        *window = (window.0 + value, window.1 + 1.0);
    }
    sums.into_iter().map(|(start, (sum, count))| (start, sum / count)).collect()
}

fn assert_equal(frame: &Value, expected: &BTreeMap<i64, f64>, place: &str) {
    let column = |name: &str| frame["series"][0][name].as_array().unwrap_or_else(|| panic!("{place}: no {name}"));
    let times: Vec<i64> = column("time").iter().map(|time| seconds(time.as_str().expect("a time"))).collect();
    assert_eq!(times, expected.keys().copied().collect::<Vec<_>>(), "{place}");
    assert_eq!(column("avg").len(), expected.len(), "{place}");
    for (average, (start, expected)) in column("avg").iter().zip(expected) {
        let average = average.as_f64().expect("a number");
        let most = 1e-9 * expected.abs();
        assert!((average - expected).abs() <= most, "{place} at {start}: {average}, not {expected}");
    }
}

fn loaded() -> Program {
    let program = Program::new();
    for (name, file, rows) in SERIES {
        let mut command = program.command(&format!("ingest --name {name} --db nab.duckdb"));
        let output = command.arg(path(file)).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let digits: String = said.split(' ').next().expect("a number").replace(',', "");
        assert_eq!((output.status.code(), digits.parse()), (Some(0), Ok(rows)), "{file}: {said}");
    }
    program
}

#[test]
fn averages_of_five_files_equal_plain_arithmetic_over_the_file_and_over_http() {
    let program = loaded();
    let mut frames = BTreeMap::new();
    for (name, file, count) in SERIES {
        let rows = rows(file);
        assert_eq!(rows.len(), count, "{file}");
        for (per, width) in WIDTHS {
            let query = format!("query {name} --db nab.duckdb --from 2013-01-01 --to 2015-01-01 --per {per}");
            let frame = program.json(&format!("{query} --format json"));
            assert_equal(&frame, &averages(&rows, width), &format!("{name} per {per}"));
            frames.insert((name, per), frame);
        }
    }
    let server = Server::start(&program, "--db nab.duckdb");
    let mut connection = Connection::open(server.address()).expect("the server accepts");
    for (name, file, _) in SERIES {
        let rows = rows(file);
        for (per, width) in WIDTHS {
            let place = format!("/v1/query?name={name}&from=2013-01-01&to=2015-01-01&per={per}&agg=avg");
            let answer = connection.get(&place).expect("an answer");
            assert_eq!(answer.status, 200, "{place}: {}", answer.body);
            let frame: Value = serde_json::from_str(&answer.body).expect("JSON");
            assert_equal(&frame, &averages(&rows, width), &place);
            assert_eq!(frame, frames[&(name, per)], "{place}");
        }
    }
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn the_arithmetic_of_times_is_right() {
    assert_eq!(seconds("1970-01-01 00:00:00"), 0);
    assert_eq!(seconds("2000-02-29T23:59:59Z"), 951_868_799);
    assert_eq!(seconds("2014-02-14 14:27:00"), 1_392_388_020);
    assert_eq!(averages(&[(-1, 1.0), (0, 2.0), (59, 4.0)], 60), BTreeMap::from([(-60, 1.0), (0, 3.0)]));
}
