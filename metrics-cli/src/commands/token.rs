//! `token`: who may ask a server that has a token file.

use metrics_core::Timestamp;
use metrics_http::{TokenError, TokenFile, TokenInfo};
use serde::Serialize;

use super::query::{format, terminal_columns};
use crate::args::{Format, PrintArgs, TokenCommand};
use crate::output::{WrongUsage, colours, note, print};
use crate::table::{TableColumn, render};

/// Runs the command.
pub(crate) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { name, scope, expires, file } => {
            let secret = TokenFile::at(&file.token_file).create(&name, scope, expires).map_err(usage)?;
            // The secret alone is data: `TOKEN=$(metrics-cli token create …)` takes it.
            print(format!("{}\n", secret.expose()).as_bytes())?;
            let until = expires.map_or_else(|| "for good".to_owned(), |expires| format!("until {expires}"));
            note(format_args!(
                "the token \"{name}\" allows {scope}, {until}; this is shown once, and {} holds only its hash",
                file.token_file.display()
            ));
            note("a server that runs already knows it after SIGHUP");
            Ok(())
        }
        TokenCommand::List { file, print: args } => {
            let tokens = TokenFile::at(file.token_file).list()?;
            print(&text(&tokens, &args, Timestamp::now()))
        }
        TokenCommand::Revoke { name, file } => {
            TokenFile::at(file.token_file).revoke(&name).map_err(usage)?;
            note(format_args!("the token \"{name}\" is revoked; a server that runs already refuses it after SIGHUP"));
            Ok(())
        }
    }
}

/// A name or a word that cannot be one is a matter of the command line.
fn usage(error: TokenError) -> anyhow::Error {
    match error {
        TokenError::Name { .. } | TokenError::Scope { .. } => WrongUsage(error.to_string()).into(),
        error => error.into(),
    }
}

/// One token as it is printed.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    scopes: String,
    created: String,
    expires: Option<String>,
    expired: bool,
}

impl<'a> Row<'a> {
    fn of(info: &'a TokenInfo, now: Timestamp) -> Self {
        Self {
            name: &info.name,
            scopes: info.scopes.to_string(),
            created: info.created.to_string(),
            expires: info.expires.map(|time| time.to_string()),
            expired: info.has_expired(now),
        }
    }

    fn expires(&self) -> String {
        match &self.expires {
            None => "never".to_owned(),
            Some(time) if self.expired => format!("{time} (over)"),
            Some(time) => time.clone(),
        }
    }
}

fn text(tokens: &[TokenInfo], args: &PrintArgs, now: Timestamp) -> Vec<u8> {
    let rows: Vec<Row<'_>> = tokens.iter().map(|info| Row::of(info, now)).collect();
    match format(args) {
        Format::Json => json(&rows),
        Format::Ndjson => rows.iter().flat_map(json).collect(),
        Format::Csv => {
            let line = |row: &Row<'_>| {
                format!("{},\"{}\",{},{}\n", row.name, row.scopes, row.created, row.expires.as_deref().unwrap_or(""))
            };
            format!("name,scopes,created,expires\n{}", rows.iter().map(line).collect::<String>()).into_bytes()
        }
        Format::Table => {
            let column = |heading: &str, cell: fn(&Row<'_>) -> String| {
                TableColumn::words(heading, rows.iter().map(cell).collect())
            };
            let columns = vec![
                column("name", |row| row.name.to_owned()),
                column("scopes", |row| row.scopes.clone()),
                column("created", |row| row.created.clone()),
                column("expires", |row| row.expires()),
            ];
            render(columns, terminal_columns(), colours()).into_bytes()
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("rows are plain texts");
    text.push(b'\n');
    text
}
