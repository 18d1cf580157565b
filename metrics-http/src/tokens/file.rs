//! The token file: one token a line, read and written by people too.
//!
//! ```text
//! # name scopes created expires sha256:HASH
//! grafana read 2026-02-02T10:00:00Z never sha256:2c26…
//! ```
//!
//! Fields stand apart by blanks; empty lines and those that begin with `#` are kept as they are. A file is written anew
//! beside itself and put in its place, so that a server never reads half of one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use metrics_core::Timestamp;
use tempfile::NamedTempFile;

use super::secret::{Digest, Secret};
use super::{Scopes, TokenError};

/// Most bytes of a token file.
const LIMIT_BYTES: u64 = 1 << 20;
/// Most tokens of a file.
const MAX_TOKENS: usize = 1_000;
/// Most characters of a name.
const MAX_NAME: usize = 64;
/// What stands in place of a time where a token does not expire.
const NEVER: &str = "never";
/// What a new file begins with.
const HEADING: &str = "# Tokens of a metrics server; made by metrics-cli token create. A server reads this again at SIGHUP.\n\
    # name scopes created expires sha256:HASH\n";

/// One token as it is known: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Its name, which is told in refusals and in lists.
    pub name: String,
    /// What it allows.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is refused; none if it does not expire.
    pub expires: Option<Timestamp>,
}

impl TokenInfo {
    /// Whether it is refused at that time.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A token with what its secret is told by.
pub(super) struct Record {
    pub(super) info: TokenInfo,
    pub(super) digest: Digest,
}

/// A file of tokens that a person changes; a server reads it by [`Tokens`](super::Tokens).
///
/// ```
/// use metrics_http::{Scope, TokenFile, Tokens};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tokens");
/// let file = TokenFile::at(&path);
/// let secret = file.create("grafana", Scope::Read.into(), None)?;
/// assert!(secret.expose().starts_with("mtk_"));
/// assert_eq!(file.list()?[0].name, "grafana");
/// assert_eq!(Tokens::load(&path)?.count(), 1);
/// file.revoke("grafana")?;
/// assert!(file.list()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file of that path, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Makes a token and keeps its hash in the file, which is made if it is not there. The secret is nowhere but in what
    /// this returns.
    ///
    /// # Errors
    /// [`TokenError`]; the file is then as it was.
    pub fn create(&self, name: &str, scopes: Scopes, expires: Option<Timestamp>) -> Result<Secret, TokenError> {
        check_name(name)?;
        let _turn = self.turn()?;
        let mut text = match self.text() {
            Err(TokenError::Missing { .. }) => HEADING.to_owned(),
            text => text?,
        };
        let records = self.records(&text)?;
        if records.iter().any(|record| record.info.name == name) {
            return Err(TokenError::Taken { name: name.to_owned() });
        }
        if records.len() >= MAX_TOKENS {
            return Err(TokenError::TooMany { path: self.path.clone(), limit: MAX_TOKENS });
        }
        let secret = Secret::random()?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let created = whole_seconds(Timestamp::now());
        let expires = expires.map_or_else(|| NEVER.to_owned(), |expires| expires.to_string());
        text.push_str(&format!("{name} {scopes} {created} {expires} sha256:{}\n", secret.digest().hex()));
        self.save(&text)?;
        Ok(secret)
    }

    /// Takes a token out of the file.
    ///
    /// # Errors
    /// [`TokenError::Unknown`] when there is none of that name, or what else is wrong with the file.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        let _turn = self.turn()?;
        let text = self.text()?;
        if !self.records(&text)?.iter().any(|record| record.info.name == name) {
            return Err(TokenError::Unknown { name: name.chars().take(MAX_NAME).collect() });
        }
        let kept = text.split_inclusive('\n').filter(|line| is_rest(line) || fields(line).next() != Some(name));
        self.save(&kept.collect::<String>())
    }

    /// The tokens in the order of the file.
    ///
    /// # Errors
    /// [`TokenError`] when the file cannot be used.
    pub fn list(&self) -> Result<Vec<TokenInfo>, TokenError> {
        Ok(self.read()?.into_iter().map(|record| record.info).collect())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All tokens, of a file that nobody but its owner may open.
    pub(super) fn read(&self) -> Result<Vec<Record>, TokenError> {
        self.records(&self.text()?)
    }

    fn text(&self) -> Result<String, TokenError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(TokenError::Missing { path: self.path.clone() });
            }
            file => file.map_err(|error| self.io(error))?,
        };
        self.check_mode(&file.metadata().map_err(|error| self.io(error))?)?;
        let mut text = String::new();
        file.take(LIMIT_BYTES + 1).read_to_string(&mut text).map_err(|error| self.io(error))?;
        if text.len() as u64 > LIMIT_BYTES {
            return Err(TokenError::TooLarge { path: self.path.clone(), limit_bytes: LIMIT_BYTES });
        }
        Ok(text)
    }

    #[cfg(unix)]
    fn check_mode(&self, metadata: &fs::Metadata) -> Result<(), TokenError> {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        match mode & 0o077 {
            0 => Ok(()),
            _ => Err(TokenError::Mode { path: self.path.clone(), mode }),
        }
    }

    #[cfg(not(unix))]
    fn check_mode(&self, _: &fs::Metadata) -> Result<(), TokenError> {
        Ok(())
    }

    fn records(&self, text: &str) -> Result<Vec<Record>, TokenError> {
        let mut records: Vec<Record> = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !is_rest(line)) {
            let wrong = |reason: String| TokenError::Line { path: self.path.clone(), line: at + 1, reason };
            let record = record(line).map_err(wrong)?;
            if records.iter().any(|other| other.info.name == record.info.name) {
                return Err(wrong(format!("the name \"{}\" stands in an earlier line too", record.info.name)));
            }
            records.push(record);
            if records.len() > MAX_TOKENS {
                return Err(TokenError::TooMany { path: self.path.clone(), limit: MAX_TOKENS });
            }
        }
        Ok(records)
    }

    /// Puts a new file of mode 0600 in the place of the old one, with the same owner.
    fn save(&self, text: &str) -> Result<(), TokenError> {
        self.replace(text).map_err(|error| self.io(error))
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        // What a link names is replaced, not the link.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut new = NamedTempFile::new_in(folder_of(&path))?;
        new.write_all(text.as_bytes())?;
        keep_owner(&path, new.as_file())?;
        new.as_file().sync_all()?;
        new.persist(&path).map_err(|error| error.error)?;
        sync_folder(&path)
    }

    /// One writer at a time: two that read the same file would lose what one of them adds.
    #[cfg(unix)]
    fn turn(&self) -> Result<File, TokenError> {
        let folder = File::open(folder_of(&self.path)).map_err(|error| self.io(error))?;
        folder.lock().map_err(|error| self.io(error))?;
        Ok(folder)
    }

    /// Folders cannot be locked here.
    #[cfg(not(unix))]
    fn turn(&self) -> Result<(), TokenError> {
        Ok(())
    }

    fn io(&self, source: io::Error) -> TokenError {
        TokenError::Io { path: self.path.clone(), source }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that root changes stays the server's.
#[cfg(unix)]
fn keep_owner(old: &Path, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    match (fs::metadata(old), new.metadata()?) {
        (Ok(old), new_one) if (old.uid(), old.gid()) != (new_one.uid(), new_one.gid()) => {
            fchown(new, Some(old.uid()), Some(old.gid()))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// Until its folder is synced, a name may be lost with the power.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether a line holds no token.
fn is_rest(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace()
}

fn record(line: &str) -> Result<Record, String> {
    let fields: Vec<&str> = fields(line).take(6).collect();
    let [name, scopes, created, expires, hash] = fields[..] else {
        return Err("a token is five fields: name scopes created expires sha256:HASH".to_owned());
    };
    check_name(name).map_err(|error| error.to_string())?;
    let time = |field: &str, text: &str| Timestamp::parse(text).map_err(|error| format!("{field}: {error}"));
    let digest = hash.strip_prefix("sha256:").and_then(Digest::from_hex);
    Ok(Record {
        info: TokenInfo {
            name: name.to_owned(),
            scopes: scopes.parse().map_err(|error: TokenError| error.to_string())?,
            created: time("created", created)?,
            expires: (expires != NEVER).then(|| time("expires", expires)).transpose()?,
        },
        // What stands there may be a secret that someone put in its place.
        digest: digest.ok_or("the last field is not sha256: and 64 hexadecimal digits")?,
    })
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(TokenError::Name { name: name.chars().take(MAX_NAME).collect() })
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::clamped(time.micros().div_euclid(1_000_000) * 1_000_000)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
