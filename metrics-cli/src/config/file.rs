//! The file of `--config`: TOML, with the options of all commands at its top and those of one command in a table of its
//! name. All of it is checked, whatever command runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File as OpenFile;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use toml::de::{DeTable, DeValue};

use super::option::{check, is_flag, is_list, options, shared};
use super::{Origin, Setting};
use crate::output::WrongUsage;
use crate::suggest::nearest;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What a file sets, by the options' names.
#[derive(Debug)]
pub(super) struct File {
    shared: BTreeMap<String, Setting>,
    commands: BTreeMap<String, BTreeMap<String, Setting>>,
}

impl File {
    /// # Errors
    /// [`WrongUsage`] names the line and what would be right there.
    pub(super) fn read(path: &Path, program: &Command) -> Result<Self, WrongUsage> {
        let failed = |error: &dyn std::fmt::Display| WrongUsage(format!("--config {}: {error}", path.display()));
        let mut text = String::new();
        let file = OpenFile::open(path).map_err(|error| failed(&error))?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed(&format_args!("more than {MAX_BYTES} bytes are no configuration")));
        }
        Self::parse(path, &text, program)
    }

    /// # Errors
    /// As [`File::read`].
    pub(super) fn parse(path: &Path, text: &str, program: &Command) -> Result<Self, WrongUsage> {
        let reader = Reader { path, text };
        let table = DeTable::parse(text)
            .map_err(|error| reader.wrong(error.span().unwrap_or_default(), error.message().trim()))?;
        let known: Vec<(&str, &Arg)> = shared(program).collect();
        let mut file = Self { shared: BTreeMap::new(), commands: BTreeMap::new() };
        for (key, value) in table.get_ref() {
            let name = key.get_ref().replace('_', "-");
            if let DeValue::Table(inner) = value.get_ref() {
                let command = program.find_subcommand(&name).ok_or_else(|| {
                    let names = program.get_subcommands().map(Command::get_name);
                    reader.wrong(key.span(), &format!("there is no command \"{name}\"{}", near(&name, names)))
                })?;
                let known: Vec<(&str, &Arg)> = options(program, command).collect();
                let set = reader.settings(inner.iter(), &known, |name| {
                    let names = known.iter().map(|(known, _)| *known);
                    format!("{} has no option \"{name}\"{}", command.get_name(), near(name, names))
                })?;
                file.commands.insert(name, set);
            } else {
                let one = reader.settings([(key, value)].into_iter(), &known, |name| misplaced(program, name))?;
                for (name, setting) in one {
                    reader.insert(&mut file.shared, name, setting, key.span())?;
                }
            }
        }
        Ok(file)
    }

    /// What it says of an option of a command.
    pub(super) fn get(&self, command: &str, option: &str) -> Option<&Setting> {
        self.commands.get(command).and_then(|set| set.get(option)).or_else(|| self.shared.get(option))
    }
}

/// Why a key at the top is none.
fn misplaced(program: &Command, name: &str) -> String {
    let of = |command: &&Command| command.get_arguments().any(|arg| arg.get_long() == Some(name));
    if let Some(command) = program.get_subcommands().find(of) {
        let command = command.get_name();
        return format!("\"{name}\" is an option of {command}: write it under [{command}]");
    }
    let names = program.get_subcommands().flat_map(|command| options(program, command)).map(|(name, _)| name);
    format!("no option is called \"{name}\"{}", near(name, names))
}

fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    match nearest(name, known).first() {
        Some(near) => format!(": did you mean \"{near}\"?"),
        None => String::new(),
    }
}

type Key<'i> = toml::Spanned<std::borrow::Cow<'i, str>>;

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, span: Range<usize>, message: &str) -> WrongUsage {
        WrongUsage(format!("{}:{}: {message}", self.path.display(), self.line(&span)))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.text.as_bytes().iter().take(span.start).filter(|&&byte| byte == b'\n').count() + 1
    }

    fn settings<'a, 'i: 'a>(
        &self,
        pairs: impl Iterator<Item = (&'a Key<'i>, &'a toml::Spanned<DeValue<'i>>)>,
        known: &[(&str, &Arg)],
        unknown: impl Fn(&str) -> String,
    ) -> Result<BTreeMap<String, Setting>, WrongUsage> {
        let mut set = BTreeMap::new();
        for (key, value) in pairs {
            let name = key.get_ref().replace('_', "-");
            let Some((_, arg)) = known.iter().find(|(known, _)| *known == name) else {
                return Err(self.wrong(key.span(), &unknown(&name)));
            };
            let values = values(arg, value.get_ref());
            let values = values.and_then(|values| check(arg, &values).map(|()| values));
            let values = values.map_err(|reason| {
                let given = &self.text[value.span()];
                self.wrong(value.span(), &format!("{name} = {}: {reason}", given.lines().next().unwrap_or_default()))
            })?;
            let origin = Origin::File { path: PathBuf::from(self.path), line: self.line(&key.span()) };
            self.insert(&mut set, name, Setting { values, origin }, key.span())?;
        }
        Ok(set)
    }

    /// `a-b` and `a_b` are one option: both together would hide one of them.
    fn insert(
        &self,
        set: &mut BTreeMap<String, Setting>,
        name: String,
        setting: Setting,
        at: Range<usize>,
    ) -> Result<(), WrongUsage> {
        if set.contains_key(&name) {
            return Err(self.wrong(at, &format!("\"{name}\" is set twice")));
        }
        set.insert(name, setting);
        Ok(())
    }
}

fn values(arg: &Arg, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    match value {
        DeValue::Boolean(value) if is_flag(arg) => Ok(vec![value.to_string().into()]),
        _ if is_flag(arg) => Err("use true or false, without quotes".into()),
        DeValue::Array(elements) if is_list(arg) => elements.iter().map(|element| scalar(element.get_ref())).collect(),
        DeValue::Array(_) => Err("one value is required, not a list".into()),
        value => scalar(value).map(|value| vec![value]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<OsString, String> {
    Ok(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            read.map_err(|_| "this number is too large")?.to_string().into()
        }
        DeValue::Float(number) => number.as_str().into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Boolean(_) => return Err("a text or a number is required".into()),
        DeValue::Array(_) | DeValue::Table(_) => return Err("a text or a number is required".into()),
    })
}
