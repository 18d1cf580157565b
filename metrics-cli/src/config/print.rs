//! `--print-config`: what counts, as a file that `--config` reads.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use toml::Value;

use super::Setting;
use super::option::{check, is_flag, is_list, is_secret, name};

/// Width at which comments are broken.
const WIDTH: usize = 100;

/// The configuration of one command.
pub(super) fn text(
    program: &Command,
    command: &Command,
    matches: &ArgMatches,
    settings: &BTreeMap<String, Setting>,
) -> String {
    let mut text = Text(String::new());
    text.comment(&format!(
        "What counts for `{} {}`. Each option stands under what it means, with its variable; behind it, where its value \
         comes from. Options that have none stand in comments.",
        program.get_name(),
        command.get_name()
    ));
    for arg in program.get_arguments() {
        text.option(arg, matches, settings);
    }
    text.line(&format!("\n[{}]", command.get_name()));
    for arg in command.get_arguments() {
        text.option(arg, matches, settings);
    }
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        writeln!(self.0, "{line}").expect("a String takes everything");
    }

    fn comment(&mut self, words: &str) {
        let mut line = String::from("#");
        for word in words.split_whitespace() {
            if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    fn option(&mut self, arg: &Arg, matches: &ArgMatches, settings: &BTreeMap<String, Setting>) {
        let Some(name) = name(arg) else { return };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        self.line("");
        self.comment(&help);
        let (values, origin) = effective(arg, name, &help, matches, settings);
        let line = match values {
            Some(_) if is_secret(name) => format!("# {name} = \"...\""),
            // A name and a password in an address are nobody's business either.
            Some(values) if values.iter().any(has_credentials) => format!("# {name} = \"...\""),
            Some(values) => match written(arg, &values) {
                Some(written) => format!("{name} = {written}"),
                None => format!("# {name} = {values:?}"),
            },
            None => format!("# {name} ="),
        };
        self.line(&format!("{line} # {origin}"));
    }
}

/// The values of an option that count, and whence they are.
fn effective(
    arg: &Arg,
    name: &str,
    help: &str,
    matches: &ArgMatches,
    settings: &BTreeMap<String, Setting>,
) -> (Option<Vec<OsString>>, String) {
    let id = arg.get_id().as_str();
    let values = || matches.get_raw(id).map(|values| values.map(OsString::from).collect::<Vec<_>>());
    if matches.value_source(id) == Some(ValueSource::CommandLine) {
        // A flag has no text of its own.
        let values = if is_flag(arg) { Some(vec![matches.get_flag(id).to_string().into()]) } else { values() };
        return (values, "command line".into());
    }
    if let Some(setting) = settings.get(name) {
        return (Some(setting.values.clone()), setting.origin.to_string());
    }
    if is_flag(arg) {
        return (Some(vec![matches.get_flag(id).to_string().into()]), "default".into());
    }
    match values().or_else(|| default_of_help(arg, help)) {
        Some(values) => (Some(values), "default".into()),
        None => (None, "not set".into()),
    }
}

/// A default that only the help names, where it is one word that the option takes.
fn default_of_help(arg: &Arg, help: &str) -> Option<Vec<OsString>> {
    let (_, rest) = help.rsplit_once("[default: ")?;
    let word = rest.trim_end_matches(']');
    let values = vec![OsString::from(word)];
    (!word.contains(char::is_whitespace) && check(arg, &values).is_ok()).then_some(values)
}

fn has_credentials(value: &OsString) -> bool {
    let text = value.to_string_lossy();
    let authority = text.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    authority.is_some_and(|authority| authority.contains('@'))
}

/// Values as TOML; none where they are not text.
fn written(arg: &Arg, values: &[OsString]) -> Option<String> {
    let one = |value: &OsString| {
        let text = value.to_str()?;
        Some(match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Value::Integer(number),
            _ if is_flag(arg) => Value::Boolean(text == "true"),
            _ => Value::String(text.to_owned()),
        })
    };
    let values: Option<Vec<Value>> = values.iter().map(one).collect();
    let values = values?;
    match <[Value; 1]>::try_from(values) {
        Ok([value]) if !is_list(arg) => Some(value.to_string()),
        Ok(one) => Some(Value::Array(one.into()).to_string()),
        Err(many) => Some(Value::Array(many).to_string()),
    }
}
