//! The bounds' defaults in the help, in the libraries and in README are the same.

use std::collections::BTreeMap;

use clap::Parser;

use super::*;
use crate::args::StoreArgs;

const README: &str = include_str!("../../../README.md");

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    limits: LimitArgs,
}

fn parsed(line: &str) -> LimitArgs {
    Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace())).expect(line).limits
}

#[test]
fn the_defaults_are_those_of_the_libraries() {
    let limits = parsed("");
    assert_eq!(format!("{:?}", limits.server()), format!("{:?}", ServerOptions::default()));
    assert_eq!(limits.sql(), SqlLimits::default());
    assert_eq!(format!("{:?}", limits.store(Options::default())), format!("{:?}", Options::default()));
}

#[test]
fn each_bound_reaches_what_keeps_it() {
    let limits = parsed(
        "--body-limit 1MiB --inflated-limit 2MiB --body-memory 3MiB --header-limit 4KiB --header-timeout 1s \
         --body-timeout 2s --body-rate 5KiB --answer-timeout 3s --answer-rate 6KiB --idle-timeout 4s --max-connections 7 \
         --max-requests 8 --max-streams 9 --max-queries 10 --queue-timeout 5s --query-timeout 6s --max-windows 11 \
         --max-promql-values 12 --sql-timeout 7s --sql-rows 13 --sql-memory 14KiB --max-statements 15 --max-exports 16 \
         --export-limit 17KiB --export-lifetime 8s --queue-points 18 --batch-points 19 --commit-timeout 9s \
         --max-labels 20 --max-keys 21 --health-timeout 10s --grace 11s --max-wrong-tokens 22",
    );
    let server = limits.server();
    let sizes = [server.body_limit_bytes, server.inflated_limit_bytes, server.body_memory_bytes];
    assert_eq!((sizes, server.header_limit_bytes), ([1 << 20, 2 << 20, 3 << 20], 4 << 10));
    assert_eq!((server.body_rate_min_bytes_per_s, server.answer_rate_min_bytes_per_s), (5 << 10, 6 << 10));
    let counts = [server.max_connections, server.max_requests, server.max_streams, server.max_queries];
    assert_eq!((counts, server.max_statements, server.max_exports), ([7, 8, 9, 10], 15, 16));
    assert_eq!((server.export_limit_bytes, server.max_wrong_tokens), (17 << 10, 22));
    let times = [
        server.header_timeout,
        server.body_timeout,
        server.answer_timeout,
        server.idle_timeout,
        server.queue_timeout,
        server.query_timeout,
        limits.sql().timeout,
        server.export_lifetime,
        server.commit_timeout,
        server.health_timeout,
        server.grace,
    ];
    assert!(times.iter().zip(1..).all(|(time, seconds)| *time == Duration::from_secs(seconds)), "{times:?}");
    assert_eq!((limits.sql().max_rows, limits.sql().max_bytes), (13, 14 << 10));
    let store = limits.store(Options::default());
    assert_eq!((store.max_cells, store.max_promql_values, store.query_timeout), (11, 12, Duration::from_secs(6)));
    assert_eq!((store.queue_points, store.batch_points, store.max_labels, store.max_keys), (18, 19, 20, 21));
}

#[test]
fn a_bound_of_nothing_is_wrong_usage() {
    for line in ["--body-limit 0", "--max-requests 0", "--header-timeout 0s", "--max-labels 33", "--grace x"] {
        Line::try_parse_from(["x"].into_iter().chain(line.split(' '))).expect_err(line);
    }
}

/// The rows of the table that follows a heading: the first cells without their code marks.
fn table(heading: &str) -> BTreeMap<&'static str, Vec<&'static str>> {
    let (_, after) = README.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading} is missing"));
    let rows = after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &'static str| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>();
    rows.skip(2).map(|row| (cells(row)[1], cells(row)[2..].to_vec())).collect()
}

#[test]
fn readme_lists_every_bound_with_its_default() {
    let told = table("### Limits of a server");
    let serve = crate::config::command().find_subcommand("serve").expect("a command").clone();
    let bounds: Vec<_> = serve.get_arguments().filter(|arg| arg.get_help_heading() == Some("Limits")).collect();
    for arg in &bounds {
        let option = format!("--{}", arg.get_long().expect("a name"));
        let row = told.get(option.as_str()).unwrap_or_else(|| panic!("README does not tell of {option}"));
        let usual = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
        assert_eq!(row[0], usual.as_deref().unwrap_or("the cores, at least 4"), "{option}");
        let variable = format!("METRICS_{}", option[2..].to_uppercase().replace('-', "_"));
        let help = arg.get_help().expect("a help text").to_string();
        assert!(help.contains(&format!("[env: {variable}]")), "{option}: {help}");
    }
    assert_eq!(told.len(), bounds.len(), "README tells of bounds that are none: {:?}", told.keys());
}

#[test]
fn readme_lists_every_setting_of_a_store_with_its_default() {
    let told = table("## Settings");
    let command = StoreArgs::augment_args(clap::Command::new("x"));
    let options: Vec<_> = command.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg.get_help()?))).collect();
    for (name, help) in &options {
        let row = told.get(format!("--{name}").as_str()).unwrap_or_else(|| panic!("README does not tell of --{name}"));
        let help = help.to_string();
        let inside = |start: &str| help.split_once(start).and_then(|(_, rest)| rest.split([']', ',']).next());
        assert_eq!(inside("[env: "), Some(row[0]), "--{name}");
        let usual = inside("[default: ").expect("a default");
        if usual.starts_with(|first: char| first.is_ascii_digit()) {
            assert_eq!(usual, row[1], "--{name}");
        }
    }
    assert_eq!(told.len(), options.len(), "README tells of settings that are none: {:?}", told.keys());
}
