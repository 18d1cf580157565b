//! What can be wrong with tokens and their file.

use std::io;
use std::path::PathBuf;

/// Why a token file cannot be used, or a token in it cannot be made or revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file is not there.
    #[error("there is no token file {}: make a first token with `metrics-cli token create --token-file {} …`", .path.display(), .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the token file {} cannot be used", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Others than its owner may read or change the file.
    #[error("the token file {} is open to others than its owner (mode {mode:04o}): run `chmod 600 {}`", .path.display(), .path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file has more bytes than a token file may have.
    #[error("the token file {} has more than {limit_bytes} bytes: it is none, or its comments are too long", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file holds as many tokens as it may, or more.
    #[error("the token file {} would hold more than {limit} tokens: revoke some", .path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A line is no token. It is not shown.
    #[error("the token file {}, line {line}: {reason}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// There is a token of this name.
    #[error("there is a token \"{name}\" already: revoke it first, or choose another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// There is no token of this name.
    #[error("there is no token \"{name}\": `metrics-cli token list` shows those that there are")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error("\"{name}\" is not a token's name: use 1 to 64 letters, digits, dots, hyphens and underscores")]
    Name {
        /// The name, cut.
        name: String,
    },
    /// The word is no scope.
    #[error("\"{word}\" is not a scope: use read, write, sql or admin, with commas between them")]
    Scope {
        /// The word, cut.
        word: String,
    },
    /// The operating system gives no random bytes.
    #[error("no random bytes for a token: {reason}")]
    Random {
        /// What it says.
        reason: String,
    },
}
