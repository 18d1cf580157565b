//! What may be set elsewhere than on the command line, read off the definition of the command line itself: an option
//! that is added there has its variable and its key in the file without another word.

use std::error::Error;
use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

use crate::args::STORE_HEADING;

/// What is only ever said on the command line: what asks for a file or a text to be printed, and what takes the place
/// of a person who says yes.
const SAID_EACH_TIME: [&str; 6] = ["help", "version", "config", "print-config", "yes", "force"];
/// Between the values of a repeatable option in a variable: retention rules have commas in them.
const BETWEEN_VALUES: char = ';';

/// The name of an option, if it may be set elsewhere.
pub(super) fn name(arg: &Arg) -> Option<&str> {
    arg.get_long().filter(|long| !SAID_EACH_TIME.contains(long))
}

/// The environment variable of an option: `max-streams` is `METRICS_MAX_STREAMS`.
pub(super) fn variable(name: &str) -> String {
    format!("METRICS_{}", name.replace('-', "_").to_ascii_uppercase())
}

/// The options that a command takes: its own, then those of the whole program.
pub(super) fn options<'a>(program: &'a Command, command: &'a Command) -> impl Iterator<Item = (&'a str, &'a Arg)> {
    let all = command.get_arguments().chain(program.get_arguments());
    all.filter_map(|arg| Some((name(arg)?, arg)))
}

/// The options that count for every command that has them: the program's, and those of a store.
pub(super) fn shared(program: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let own =
        program.get_arguments().chain(program.get_subcommands().flat_map(Command::get_arguments).filter(is_store));
    own.filter_map(|arg| Some((name(arg)?, arg)))
}

/// Whether an option is about how a store's file is opened.
pub(super) fn is_store(arg: &&Arg) -> bool {
    arg.get_help_heading() == Some(STORE_HEADING)
}

/// Whether the value of an option is nobody's business.
pub(super) fn is_secret(name: &str) -> bool {
    ["token", "password", "secret"].iter().any(|word| name.ends_with(word))
}

/// Whether an option is there or not, without a value.
pub(super) fn is_flag(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse)
}

/// Whether an option may be given more than once.
pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The values in the text of a variable.
///
/// # Errors
/// What would be right.
pub(super) fn values_of_variable(arg: &Arg, text: &OsStr) -> Result<Vec<OsString>, String> {
    if is_flag(arg) {
        return match text.to_str().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "1" | "yes" | "on") => Ok(vec!["true".into()]),
            Some("false" | "0" | "no" | "off") => Ok(vec!["false".into()]),
            _ => Err("use true or false".into()),
        };
    }
    match text.to_str() {
        Some(text) if is_list(arg) => {
            let parts = text.split(BETWEEN_VALUES).map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(OsString::from).collect())
        }
        _ => Ok(vec![text.to_owned()]),
    }
}

/// Refuses a value that the option would refuse on the command line.
///
/// # Errors
/// What would be right.
pub(super) fn check(arg: &Arg, values: &[OsString]) -> Result<(), String> {
    if is_flag(arg) {
        return Ok(());
    }
    // The option by itself: its rules about other options are for the command line.
    let alone = Arg::new("value").long("value").action(ArgAction::Set).value_parser(arg.get_value_parser().clone());
    let command = Command::new("one").no_binary_name(true).arg(alone);
    values.iter().try_for_each(|value| {
        let mut line = OsString::from("--value=");
        line.push(value);
        command.clone().try_get_matches_from([line]).map(drop).map_err(|error| reason(arg, &error))
    })
}

fn reason(arg: &Arg, error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    let possible: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    match possible.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("use {} or {last}", rest.join(", ")),
        _ => "such a value is not taken here".into(),
    }
}
