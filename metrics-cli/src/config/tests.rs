//! Every option of the server by every way; what the file refuses; what is printed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};
use tempfile::TempDir;

use super::file::File;
use super::option::{is_flag, is_list, options, variable};
use super::{Invocation, Refused, command, read};
use crate::args::Command as Parsed;
use crate::args::RemoteArgs;
use crate::backend::Target;
use crate::output::WrongUsage;
use crate::remote::Remote;

/// What the repository ships.
const EXAMPLE: &str = "../packaging/metrics.toml";
/// Set, the test writes the example in place of comparing it.
const WRITE_EXAMPLE: &str = "METRICS_WRITE_EXAMPLE";

/// A value of an option, and another one.
fn samples(arg: &Arg) -> [String; 2] {
    if is_flag(arg) {
        return ["true", "false"].map(String::from);
    }
    let named = arg.get_value_names().and_then(|names| names.first()).expect("options have a value's name");
    let possible: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if let [first, second, ..] = &possible[..] {
        return [second.clone(), first.clone()];
    }
    match named.as_str() {
        "ADDR" => ["127.0.0.1:9000", "[::1]:80"],
        "SIZE" => ["256MiB", "1GiB"],
        "N" => ["7", "9"],
        "DURATION" | "TIME" => ["30s", "2h"],
        "FILE" | "FOLDER" | "DIR" => ["/var/lib/metrics/some", "other"],
        "RULE" => ["cpu*: raw=30d, minute=365d", "*: raw=90d"],
        "ORIGIN" => ["http://localhost:3000", "*"],
        "HOST" => ["metrics.example", "b"],
        "URL" => ["http://127.0.0.1:8080", "http://b"],
        "LEVEL" => ["info,metrics_http=debug", "warn"],
        other => panic!("say here what a {other} looks like: it is the value of {arg}"),
    }
    .map(String::from)
}

fn line(text: &str) -> Vec<OsString> {
    ["metrics-cli"].into_iter().chain(text.split_whitespace()).map(OsString::from).collect()
}

fn run(text: &str, variables: &[(&str, &str)]) -> Result<Invocation, String> {
    let variables: Vec<(OsString, OsString)> =
        variables.iter().map(|(key, value)| (OsString::from(key), OsString::from(value))).collect();
    read(&line(text), &variables).map_err(|refused| match refused {
        Refused::Line(error) => error.to_string(),
        Refused::Elsewhere(WrongUsage(error)) => error,
    })
}

/// A file with the option alone, in its command's table.
fn file(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("metrics.toml");
    std::fs::write(&path, text).expect("the folder can be written to");
    path.to_str().expect("UTF-8").to_owned()
}

/// The line of `--print-config` that sets an option.
fn printed(text: &str, variables: &[(&str, &str)], option: &str) -> String {
    let printed = run(&format!("serve --print-config {text}"), variables).unwrap_or_else(|error| panic!("{error}"));
    let printed = printed.printed.expect("it was asked for");
    let begins = |line: &&str| line.starts_with(&format!("{option} = ")) || line.starts_with(&format!("# {option} ="));
    printed.lines().find(begins).unwrap_or_else(|| panic!("no {option} in {printed}")).to_owned()
}

/// A sample as TOML.
fn toml(arg: &Arg, value: &str) -> String {
    let one = if is_flag(arg) || value.parse::<u32>().is_ok() { value.to_owned() } else { format!("{value:?}") };
    if is_list(arg) { format!("[{one}]") } else { one }
}

fn serve() -> (Command, Command) {
    let program = command();
    let serve = program.find_subcommand("serve").expect("it is a command").clone();
    (program, serve)
}

#[test]
fn every_option_of_the_server_is_set_by_variable_by_file_and_by_the_line_in_this_order() {
    let folder = TempDir::new().expect("a temporary folder");
    let (program, command) = serve();
    let mut seen = 0;
    for (name, arg) in options(&program, &command) {
        if name == "url" {
            continue; // The server itself takes none.
        }
        let [sample, other] = samples(arg);
        let (value, key) = (toml(arg, &sample), variable(name));
        let path = file(&folder, &format!("[serve]\n\n{name} = {value}\n"));
        let from_file = printed(&format!("--config {path}"), &[], name);
        assert_eq!(from_file, format!("{name} = {value} # {path}:3"));
        let by_variable = printed(&format!("--config {path}"), &[(&key, &other)], name);
        assert_eq!(by_variable, format!("{name} = {} # {key}", toml(arg, &other)));
        let empty = printed(&format!("--config {path}"), &[(&key, "")], name);
        assert_eq!(empty, from_file, "an empty variable says nothing");
        let said = if is_flag(arg) { format!("--{name}") } else { format!("--{name}={}", sample.replace(' ', "")) };
        let by_line = printed(&format!("--config {path} {said}"), &[(&key, &other)], name);
        assert!(by_line.ends_with(" # command line") && by_line.starts_with(name), "{by_line}");
        seen += 1;
    }
    assert!(seen > 15, "{seen} options");
}

#[test]
fn what_is_set_elsewhere_reaches_the_commands() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = file(&folder, "threads = 3\n[serve]\nlisten = \"127.0.0.1:81\"\nmax_streams = 5\nsimulate = true\n");
    let variables = [
        ("METRICS_CONFIG", path.as_str()),
        ("METRICS_MAX_STREAMS", "6"),
        ("METRICS_RETENTION", "a: raw=1d; b: day=2d"),
    ];
    let invocation = run("serve --collect", &variables).expect("valid");
    let Parsed::Serve(args) = invocation.cli.command else { panic!("a server") };
    assert_eq!(
        (args.listen.port(), args.limits.server().max_streams, args.simulate, args.collect, args.open),
        (81, 6, true, true, false)
    );
    let options = args.store.options();
    let patterns: Vec<&str> = options.retention.iter().map(metrics_core::RetentionRule::pattern).collect();
    assert_eq!((options.threads, patterns), (3, vec!["a", "b"]));
}

#[test]
fn the_nearer_target_counts() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = file(&folder, "db = \"f.duckdb\"\nurl = \"http://f\"\n");
    let server = |url: &str| Target::Server(Remote { url: url.into(), args: RemoteArgs::default() });
    let target = |text: &str, variables: &[(&str, &str)]| {
        let invocation = run(&format!("list --config {path} {text}"), variables).expect("valid");
        Target::of(invocation.cli.target).expect("one target")
    };
    assert_eq!(target("", &[]), server("http://f"));
    assert_eq!(target("", &[("METRICS_DB", "v.duckdb")]), Target::File("v.duckdb".into()));
    let both = [("METRICS_DB", "v.duckdb"), ("METRICS_URL", "http://v")];
    assert_eq!(target("", &both), server("http://v"));
    assert_eq!(target("--db l.duckdb", &both), Target::File("l.duckdb".into()));
    let file_only = run(&format!("check --config {path}"), &[]).expect("valid");
    assert_eq!(Target::file(file_only.cli.target).expect("a file"), Path::new("f.duckdb"));
}

#[test]
fn options_of_a_store_are_noticed_on_the_line_only() {
    let noticed =
        |text: &str, variables: &[(&str, &str)]| run(text, variables).expect("valid").cli.target.elsewhere.store_option;
    assert_eq!(noticed("list --url http://a", &[("METRICS_THREADS", "2")]), None);
    assert_eq!(noticed("list --url http://a --threads 2", &[]).as_deref(), Some("threads"));
}

#[test]
fn a_wrong_file_is_refused_with_the_line_and_what_would_be_right() {
    let (program, _) = serve();
    for (text, said) in [
        (
            "\n[serve]\nmax-serie = 3\n",
            "metrics.toml:3: serve has no option \"max-serie\": did you mean \"max-series\"?",
        ),
        ("[serv]\n", "metrics.toml:1: there is no command \"serv\": did you mean \"serve\"?"),
        ("# x\nlisten = \"127.0.0.1:1\"\n", "metrics.toml:2: \"listen\" is an option of serve: write it under [serve]"),
        ("therads = 2\n", "metrics.toml:1: no option is called \"therads\": did you mean \"threads\"?"),
        ("[serve]\nlisten = 8080\n", "metrics.toml:2: listen = 8080: invalid socket address syntax"),
        ("[serve]\nmax-streams = 0\n", "metrics.toml:2: max-streams = 0: a whole number from 1 on is required"),
        ("[serve]\nsimulate = \"yes\"\n", "metrics.toml:2: simulate = \"yes\": use true or false, without quotes"),
        ("threads = [2]\n", "metrics.toml:1: threads = [2]: one value is required, not a list"),
        ("log-format = \"xml\"\n", "metrics.toml:1: log-format = \"xml\": use text or json"),
        ("retention = [\"cpu*\"]\n", "metrics.toml:1: retention = [\"cpu*\"]: "),
        ("max-series = 1\nmax_series = 1\n", "metrics.toml:2: \"max-series\" is set twice"),
        ("threads = {a = 1}\n", "metrics.toml:1: there is no command \"threads\""),
        ("threads = \n", "metrics.toml:1: "),
        ("[serve]\nprint-config = true\n", "metrics.toml:2: serve has no option \"print-config\""),
        ("[restore]\nforce = true\n", "metrics.toml:2: restore has no option \"force\""),
    ] {
        let WrongUsage(error) = File::parse(Path::new("metrics.toml"), text, &program).expect_err(text);
        assert!(error.starts_with(said), "{error}\n{said}");
    }
    let error = run("list --config nowhere.toml", &[]).map(|_| ()).expect_err("no file");
    assert!(error.starts_with("--config nowhere.toml: No such file"), "{error}");
}

#[test]
fn a_wrong_variable_is_named() {
    for (key, value, said) in [
        ("METRICS_MEMORY_LIMIT", "1MiB", "METRICS_MEMORY_LIMIT=\"1MiB\": at least 64MiB is required"),
        ("METRICS_WAL_LIMIT", "99999999TiB", "METRICS_WAL_LIMIT=\"99999999TiB\": this is more than there are bytes"),
        ("METRICS_SIMULATE", "perhaps", "METRICS_SIMULATE=\"perhaps\": use true or false"),
        ("METRICS_RETENTION", "cpu*; b: raw=1d", "METRICS_RETENTION=\"cpu*; b: raw=1d\": "),
        ("METRICS_LOG_LEVEL", "inof", "METRICS_LOG_LEVEL=\"inof\": use error, warn"),
    ] {
        let error = run("serve", &[(key, value)]).map(|_| ()).expect_err(value);
        assert!(error.starts_with(said), "{error}");
    }
    assert!(run("completions bash", &[("METRICS_SIMULATE", "perhaps")]).is_ok(), "it is not asked");
}

#[test]
fn a_variable_that_is_nearly_right_is_told_and_a_stranger_s_is_not() {
    let variables = [("METRICS_MAX_SERIE", "1"), ("METRICS_SERVICE_HOST", "10.0.0.1"), ("METRICS_THREADS", "1")];
    let stray = run("list", &variables).expect("valid").stray;
    assert_eq!(stray, ["the variable METRICS_MAX_SERIE is no option's: did you mean METRICS_MAX_SERIES?"]);
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let folder = TempDir::new().expect("a temporary folder");
    let (program, command) = serve();
    let mut variables = HashMap::new();
    for (name, arg) in options(&program, &command) {
        variables.insert(variable(name), samples(arg)[0].clone());
    }
    variables.remove("METRICS_URL");
    let variables: Vec<(&str, &str)> = variables.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let first = run("serve --print-config", &variables).expect("valid").printed.expect("asked for");
    let path = file(&folder, &first);
    let second = run(&format!("serve --print-config --config {path}"), &[]).expect("valid").printed.expect("asked for");
    let values = |text: &str| -> Vec<String> {
        let set = text.lines().filter(|line| !line.starts_with('#'));
        set.map(|line| line.rsplit_once(" # ").map_or(line, |(value, _)| value).to_owned()).collect()
    };
    assert_eq!(values(&first), values(&second));
    assert!(values(&first).len() > 15);
}

#[test]
fn an_address_with_a_password_is_not_printed() {
    let text = run("list --print-config", &[("METRICS_URL", "http://me:hunter2@there")]).expect("valid").printed;
    let text = text.expect("asked for");
    assert!(text.contains("# url = \"...\" # METRICS_URL") && !text.contains("hunter2"), "{text}");
}

/// The example as the definitions have it: every option of the server in a comment, with its default or a sample.
fn example() -> String {
    let (program, command) = serve();
    let printed = run("serve --print-config", &[]).expect("valid").printed.expect("asked for");
    let all: HashMap<&str, &Arg> = options(&program, &command).collect();
    let mut text = String::from(
        "# A configuration of `metrics-cli serve --config FILE`. Every option stands here with what it does and its default\n\
         # or a sample: remove the # before those that are to differ. `metrics-cli serve --print-config` shows what counts.\n",
    );
    let lines = printed.lines().skip_while(|line| !line.is_empty());
    for line in lines {
        let set = line.strip_prefix("# ").unwrap_or(line);
        let key = set.split_once(" =").and_then(|(key, _)| all.get_key_value(key));
        match (key, set.strip_suffix(" # default")) {
            (Some(_), Some(set)) => text.push_str(&format!("#{set}\n")),
            (Some((name, arg)), None) if line.ends_with("# not set") => {
                text.push_str(&format!("#{name} = {}\n", toml(arg, &samples(arg)[0])));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

#[test]
fn the_example_names_every_option_of_the_server_and_parses_with_all_of_them() {
    let (program, command) = serve();
    let example = example();
    if std::env::var_os(WRITE_EXAMPLE).is_some() {
        std::fs::write(EXAMPLE, &example).expect("the repository can be written to");
    }
    let shipped = std::fs::read_to_string(EXAMPLE).expect("it is shipped");
    assert!(shipped == example, "options have changed: {WRITE_EXAMPLE}=1 with this test writes {EXAMPLE} anew");
    File::parse(Path::new(EXAMPLE), &shipped, &program).expect("it parses as it is");
    let uncommented: Vec<&str> = shipped
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty()).unwrap_or(line))
        .collect();
    let file = File::parse(Path::new(EXAMPLE), &uncommented.join("\n"), &program).expect("and with every option");
    for (name, _) in options(&program, &command) {
        assert!(file.get("serve", name).is_some(), "{name}");
    }
}
