//! What a command is told, and by whom: the command line goes before the environment, that before the file of
//! `--config`, and that before what is usual.
//!
//! The definitions of the command line are the only list of options. What the environment and the file say becomes
//! the default of an option before the line is parsed, so that whatever reads an option need not know where its value
//! comes from.

mod file;
mod option;
mod print;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::args::{Cli, Elsewhere};
use crate::output::WrongUsage;
use crate::remote::TOKEN_VARIABLE;
use crate::suggest::nearest;
use file::File;
use option::{check, is_store, options, values_of_variable, variable};

/// Names the file where `--config` does not.
const FILE_VARIABLE: &str = "METRICS_CONFIG";
/// What the program's variables begin with.
const PREFIX: &str = "METRICS_";

/// The values of an option that stand in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    values: Vec<OsString>,
    origin: Origin,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Variable(String),
    File { path: PathBuf, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// A command with all that it is told.
pub(crate) struct Invocation {
    pub(crate) cli: Cli,
    /// What `--print-config` prints, if it is given.
    pub(crate) printed: Option<String>,
    /// Variables that look like an option's and are none.
    pub(crate) stray: Vec<String>,
}

/// Why there is no [`Invocation`].
#[derive(Debug)]
pub(crate) enum Refused {
    /// The line is wrong, or asks for help.
    Line(clap::Error),
    /// A variable or the file is wrong.
    Elsewhere(WrongUsage),
}

impl From<clap::Error> for Refused {
    fn from(error: clap::Error) -> Self {
        Self::Line(error)
    }
}

impl From<WrongUsage> for Refused {
    fn from(error: WrongUsage) -> Self {
        Self::Elsewhere(error)
    }
}

/// The program's definition, where every option that may be set elsewhere names its variable.
pub(crate) fn command() -> Command {
    // Variables are read here and nowhere else: an empty one says nothing, and a wrong one is named.
    let told = |arg: Arg| {
        let Some(variable) = option::name(&arg).map(variable) else { return arg };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let arg = arg.env(Resettable::Reset);
        if help.contains(&format!("[env: {variable}")) { arg } else { arg.help(format!("{help} [env: {variable}]")) }
    };
    let names: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.iter().fold(Cli::command().mut_args(told), |program, name| {
        program.mut_subcommand(name, |command| command.mut_args(told))
    })
}

/// Reads a command line, in the light of the environment and of the file that they name.
///
/// # Errors
/// [`Refused`] tells who is wrong.
pub(crate) fn read(line: &[OsString], variables: &[(OsString, OsString)]) -> Result<Invocation, Refused> {
    let program = command();
    let given = program.clone().try_get_matches_from(line)?;
    let (name, _) = given.subcommand().expect("a command is required");
    let command = program.find_subcommand(name).expect("it was parsed");
    let named = |key: &str| {
        let value = variables.iter().find(|(name, value)| name == key && !value.is_empty());
        value.map(|(_, value)| value.clone())
    };
    let path = given.get_one::<PathBuf>("config").cloned().or_else(|| named(FILE_VARIABLE).map(PathBuf::from));
    let file = path.as_deref().map(|path| File::read(path, &program)).transpose()?;

    let mut settings = settings(&program, command, named, file.as_ref())?;
    let matches = with_defaults(program.clone(), name, &settings).try_get_matches_from(line)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let own = matches.subcommand_matches(name).expect("it was parsed");
    hide_other_target(&mut settings);
    cli.target.elsewhere = elsewhere(command, own, &settings);
    let printed = cli.print_config.then(|| print::text(&program, command, own, &settings));
    Ok(Invocation { cli, printed, stray: stray(&program, variables) })
}

/// What the environment and the file say of a command's options.
fn settings(
    program: &Command,
    command: &Command,
    named: impl Fn(&str) -> Option<OsString>,
    file: Option<&File>,
) -> Result<BTreeMap<String, Setting>, WrongUsage> {
    let mut settings = BTreeMap::new();
    for (name, arg) in options(program, command) {
        let key = variable(name);
        let setting = match named(&key) {
            Some(text) => {
                let values = values_of_variable(arg, &text);
                let values = values.and_then(|values| check(arg, &values).map(|()| values));
                let wrong = |reason| WrongUsage(format!("{key}=\"{}\": {reason}", text.to_string_lossy()));
                Some(Setting { values: values.map_err(wrong)?, origin: Origin::Variable(key) })
            }
            None => file.and_then(|file| file.get(command.get_name(), name)).cloned(),
        };
        settings.extend(setting.map(|setting| (name.to_owned(), setting)));
    }
    Ok(settings)
}

/// The program, with what was said elsewhere in the place of its defaults. (A target is a choice between two options,
/// which [`crate::backend::Target`] makes.)
fn with_defaults(program: Command, command: &str, settings: &BTreeMap<String, Setting>) -> Command {
    let set = |arg: Arg| match arg.get_long().and_then(|long| settings.get(long)) {
        Some(setting) if !is_target(&arg) => arg.default_values(setting.values.clone()),
        _ => arg,
    };
    program.mut_args(set).mut_subcommand(command, |command| command.mut_args(set))
}

fn is_target(arg: &Arg) -> bool {
    matches!(arg.get_long(), Some("db" | "url"))
}

/// Of a file and a server in different places the nearer counts; in one place both may stand, for different commands.
fn hide_other_target(settings: &mut BTreeMap<String, Setting>) {
    let is_variable = |name: &str| settings.get(name).map(|setting| matches!(setting.origin, Origin::Variable(_)));
    if let (Some(true), Some(false)) = (is_variable("db"), is_variable("url")) {
        settings.remove("url");
    }
}

fn elsewhere(command: &Command, own: &ArgMatches, settings: &BTreeMap<String, Setting>) -> Elsewhere {
    let first = |name: &str| settings.get(name).and_then(|setting| setting.values.first()).cloned();
    let on_line = |arg: &&Arg| own.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let store_option = command.get_arguments().filter(is_store).find(on_line).and_then(Arg::get_long);
    Elsewhere {
        db: first("db").map(PathBuf::from),
        url: first("url").map(|url| url.to_string_lossy().into_owned()),
        store_option: store_option.map(String::from),
    }
}

/// Variables with the program's prefix that are nearly, but not, those of an option. Others may well be somebody
/// else's: an orchestrator that calls a service `metrics` names its address so.
fn stray(program: &Command, variables: &[(OsString, OsString)]) -> Vec<String> {
    let all = program.get_subcommands().flat_map(|command| options(program, command));
    let known: Vec<String> =
        all.map(|(name, _)| variable(name)).chain([FILE_VARIABLE.into(), TOKEN_VARIABLE.into()]).collect();
    let of_program = variables.iter().filter_map(|(key, _)| key.to_str()).filter(|key| key.starts_with(PREFIX));
    let unknown = of_program.filter(|key| !known.iter().any(|known| known == key));
    unknown
        .filter_map(|key| {
            let names = known.iter().map(|known| &known[PREFIX.len()..]);
            let near = *nearest(&key[PREFIX.len()..], names).first()?;
            Some(format!("the variable {key} is no option's: did you mean {PREFIX}{near}?"))
        })
        .collect()
}
