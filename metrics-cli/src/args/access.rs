//! Who may ask a server, and as whom a command asks one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use metrics_http::Scopes;

use super::PrintArgs;
use super::values::{expiry, scopes};

/// What `serve` takes about its clients.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessArgs {
    /// Ask every client for a token of this file, made by `metrics-cli token create`; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Speak TLS with this certificate: PEM, the server's own first, then the chain; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// What commands take that ask a server.
#[derive(Debug, Default, Clone, PartialEq, Eq, Args)]
pub(crate) struct RemoteArgs {
    /// File whose first line is the token for the server [env: METRICS_TOKEN holds the token itself]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) token_from: Option<PathBuf>,
    /// Certificate of the authority that signed the server's, PEM, in place of those that this machine trusts
    /// [env: METRICS_CA_CERT]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) ca_cert: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print its secret, this once; its hash is added to the file
    Create {
        /// What it is called in lists and refusals
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What it allows: read, write, sql, or admin (all), with commas between them
        #[arg(long, value_name = "SCOPES", value_parser = scopes)]
        scope: Scopes,
        /// When it ends: a duration from now on such as 90d, a date, or a time; without it never
        #[arg(long, value_name = "WHEN", value_parser = expiry)]
        expires: Option<metrics_core::Timestamp>,
        #[command(flatten)]
        file: TokenFileArgs,
    },
    /// List the tokens of the file: names, scopes and times
    List {
        #[command(flatten)]
        file: TokenFileArgs,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Take a token out of the file
    Revoke {
        /// Its name
        name: String,
        #[command(flatten)]
        file: TokenFileArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TokenFileArgs {
    /// The token file, which its owner alone may read
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
}
