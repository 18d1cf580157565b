//! A running server: its address, and what it is to be told of who asks.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use metrics_sdk::{Client, ClientBuilder, ClientError};
use zeroize::Zeroizing;

use crate::args::RemoteArgs;
use crate::output::WrongUsage;

/// The variable that holds the token itself; no file of options does.
pub(crate) const TOKEN_VARIABLE: &str = "METRICS_TOKEN";
/// Most bytes of the file that a token is read from.
const TOKEN_BYTES: u64 = 4 << 10;
/// Most bytes of the authorities' certificates.
const CA_BYTES: u64 = 4 << 20;

/// A server that a command asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) url: String,
    pub(crate) args: RemoteArgs,
}

impl Remote {
    /// A client of it.
    ///
    /// # Errors
    /// As [`Remote::client_with`].
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        self.client_with(|builder| builder, |key| env::var_os(key))
    }

    /// A client with settings of one's own. There is no option that holds the token itself: everybody on a machine sees
    /// the options of what runs on it.
    ///
    /// # Errors
    /// [`WrongUsage`] for an address or a token that cannot be one; what the system says of the files.
    pub(crate) fn client_with(
        &self,
        set: impl FnOnce(ClientBuilder) -> ClientBuilder,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<Client> {
        let mut builder = set(Client::builder(self.url.as_str()));
        let token = match &self.args.token_from {
            Some(file) => Some(first_line(file)?),
            None => env(TOKEN_VARIABLE)
                .filter(|token| !token.is_empty())
                .map(|token| Zeroizing::new(token.to_string_lossy().trim().to_owned())),
        };
        if let Some(token) = token {
            builder = builder.token(token.as_str());
        }
        if let Some(file) = &self.args.ca_cert {
            builder = builder.ca_certs(certificates(file)?);
        }
        Ok(builder.build().map_err(|error| match error {
            ClientError::Token => WrongUsage(format!("{TOKEN_VARIABLE}, --token-from: {error}")),
            ClientError::Trust { .. } => WrongUsage(format!("--ca-cert: {error}")),
            error => WrongUsage(format!("--url: {error}")),
        })?)
    }
}

/// What would help a command that a server refused, or could not be believed.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    match error.downcast_ref()? {
        ClientError::Refused { status: 401, .. } => {
            Some("put the token into the variable METRICS_TOKEN, or name a file that holds it with --token-from")
        }
        ClientError::Connect { reason, .. } if reason.contains("must be named to be trusted") => {
            Some("name the certificate of the authority that signed the server's with --ca-cert")
        }
        _ => None,
    }
}

fn first_line(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let cannot = || format!("--token-from: {} cannot be read", path.display());
    let file = File::open(path).with_context(cannot)?;
    let mut line = Zeroizing::new(String::new());
    BufReader::new(file.take(TOKEN_BYTES)).read_line(&mut line).with_context(cannot)?;
    let token = Zeroizing::new(line.trim().to_owned());
    match token.is_empty() {
        true => Err(WrongUsage(format!("--token-from: the first line of {} is empty", path.display())).into()),
        false => Ok(token),
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("--ca-cert: {} cannot be read", path.display());
    let length = fs::metadata(path).with_context(cannot)?.len();
    if length > CA_BYTES {
        return Err(WrongUsage(format!("--ca-cert: {} has more than {CA_BYTES} bytes", path.display())).into());
    }
    fs::read(path).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn refusal(args: RemoteArgs, token: Option<&str>) -> String {
        let remote = Remote { url: "http://127.0.0.1:1".into(), args };
        let env = |key: &str| token.filter(|_| key == "METRICS_TOKEN").map(OsString::from);
        format!("{:#}", remote.client_with(|builder| builder, env).expect_err("refused"))
    }

    #[test]
    fn a_token_that_cannot_be_one_is_not_shown() {
        let message = refusal(RemoteArgs::default(), Some("k\u{e4}nari"));
        assert!(message.contains("METRICS_TOKEN") && !message.contains("nari"), "{message}");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "\nmtk_second line\n").expect("writable");
        let message = refusal(RemoteArgs { token_from: Some(file), ca_cert: None }, None);
        assert!(message.contains("first line") && !message.contains("second"), "{message}");
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let gone = PathBuf::from("/nowhere/at/all");
        let message = refusal(RemoteArgs { token_from: Some(gone.clone()), ca_cert: None }, None);
        assert!(message.contains("--token-from: /nowhere/at/all"), "{message}");
        let message = refusal(RemoteArgs { token_from: None, ca_cert: Some(gone) }, None);
        assert!(message.contains("--ca-cert: /nowhere/at/all"), "{message}");
    }
}
