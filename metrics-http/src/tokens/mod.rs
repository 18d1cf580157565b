//! The tokens of a server: who has one may ask for what its scopes allow.

mod error;
mod file;
mod scope;
mod secret;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics_core::Timestamp;
use subtle::{Choice, ConditionallySelectable};

pub use error::TokenError;
pub use file::{TokenFile, TokenInfo};
pub use scope::{Scope, Scopes};
pub use secret::Secret;

use file::Record;
use secret::Digest;

/// The tokens that a server knows, read from a [`TokenFile`]. Clones share what they know: a [`reload`](Self::reload) of
/// one is seen by all.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    file: TokenFile,
    known: ArcSwap<Vec<Record>>,
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TokenError`]: the file is not there, others may read it, or a line in it is no token.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let file = TokenFile::at(path);
        let known = ArcSwap::from_pointee(file.read()?);
        Ok(Self(Arc::new(Shared { file, known })))
    }

    /// Reads the file again; gives how many tokens there are now. Streams of a token that is gone end within
    /// [`stream_keep_alive`](crate::ServerOptions::stream_keep_alive).
    ///
    /// # Errors
    /// [`TokenError`]; the tokens are then those of before.
    pub fn reload(&self) -> Result<usize, TokenError> {
        self.0.known.store(Arc::new(self.0.file.read()?));
        Ok(self.count())
    }

    /// How many tokens there are, expired ones too.
    pub fn count(&self) -> usize {
        self.0.known.load().len()
    }

    /// The file that they are read from.
    pub fn path(&self) -> &Path {
        self.0.file.path()
    }

    /// The token with this secret. Every token is compared, and each in the same time, so that nothing is learned from how
    /// long the answer takes.
    pub(crate) fn find(&self, secret: &[u8]) -> Option<Grant> {
        let digest = Digest::of(secret);
        Some(Grant { info: self.info(&digest)?, digest, tokens: self.clone() })
    }

    fn info(&self, digest: &Digest) -> Option<TokenInfo> {
        let known = self.0.known.load();
        let (mut place, mut found) = (0_u64, Choice::from(0));
        for (at, record) in known.iter().enumerate() {
            let same = record.digest.matches(digest);
            place.conditional_assign(&(at as u64), same);
            found |= same;
        }
        let place = usize::try_from(place).ok()?;
        bool::from(found).then(|| known[place].info.clone())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("path", &self.path()).field("count", &self.count()).finish()
    }
}

/// What the token of a request allows, for as long as it does.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) info: TokenInfo,
    digest: Digest,
    tokens: Tokens,
}

impl Grant {
    /// Whether the token is still there, has not expired, and allows `scope`.
    pub(crate) fn still_allows(&self, scope: Scope, now: Timestamp) -> bool {
        self.tokens.info(&self.digest).is_some_and(|info| info.scopes.allow(scope) && !info.has_expired(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_finds_its_own_token_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TokenFile::at(folder.path().join("tokens"));
        let secrets: Vec<Secret> = ["a", "b", "c"]
            .map(|name| file.create(name, Scope::Read.into(), None).expect("made"))
            .into_iter()
            .collect();
        let tokens = Tokens::load(file.path()).expect("readable");
        for (secret, name) in secrets.iter().zip(["a", "b", "c"]) {
            assert_eq!(tokens.find(secret.expose().as_bytes()).expect("known").info.name, name);
        }
        let text = secrets[0].expose();
        for wrong in ["", "mtk_", &text[..text.len() - 1], &format!("{text} "), &text.to_uppercase()] {
            assert!(tokens.find(wrong.as_bytes()).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_reload_is_seen_by_grants_and_a_bad_file_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TokenFile::at(folder.path().join("tokens"));
        let [kept, gone] = ["kept", "gone"].map(|name| file.create(name, Scope::Read.into(), None).expect("made"));
        let tokens = Tokens::load(file.path()).expect("readable");
        let [kept, gone] = [kept, gone].map(|secret| tokens.find(secret.expose().as_bytes()).expect("known"));
        let now = Timestamp::now();
        file.revoke("gone").expect("there");
        assert!(gone.still_allows(Scope::Read, now), "nobody asked for a reload");
        let text = std::fs::read_to_string(file.path()).expect("readable");
        std::fs::write(file.path(), "nonsense\n").expect("writable");
        assert!(matches!(tokens.reload(), Err(TokenError::Line { line: 1, .. })));
        assert!(gone.still_allows(Scope::Read, now), "the old tokens stay");
        std::fs::write(file.path(), text).expect("writable");
        assert_eq!(tokens.reload().expect("readable"), 1);
        assert!(!gone.still_allows(Scope::Read, now) && kept.still_allows(Scope::Read, now));
        assert!(!kept.still_allows(Scope::Write, now));
    }
}
