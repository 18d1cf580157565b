//! What a token allows.

use std::fmt;
use std::str::FromStr;

use super::TokenError;

/// One thing that a token may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Ask: queries, series, streams, pictures, exports, Prometheus' and Influx' query interfaces, `/metrics`.
    Read,
    /// Write points, in whichever format.
    Write,
    /// Send statements to `/v1/sql`.
    Sql,
    /// All of these, and what administers the server.
    Admin,
}

impl Scope {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Sql, Self::Admin];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Sql => "sql",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What one token allows: one scope at least.
///
/// ```
/// use metrics_http::{Scope, Scopes};
/// let scopes: Scopes = "write,read".parse()?;
/// assert_eq!(scopes.to_string(), "read,write");
/// assert!(scopes.allow(Scope::Write) && !scopes.allow(Scope::Sql));
/// assert!("admin".parse::<Scopes>()?.allow(Scope::Sql), "who administers may do everything");
/// # Ok::<(), metrics_http::TokenError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether a token with these scopes may do what needs `scope`.
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl FromStr for Scopes {
    type Err = TokenError;

    /// Words with commas between them.
    fn from_str(text: &str) -> Result<Self, TokenError> {
        let mut bits = 0;
        for word in text.split(',') {
            let found = Scope::ALL.into_iter().find(|scope| scope.word() == word.trim());
            bits |= found.ok_or_else(|| TokenError::Scope { word: word.chars().take(32).collect() })?.bit();
        }
        Ok(Self(bits))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for scope in Scope::ALL.into_iter().filter(|scope| self.0 & scope.bit() != 0) {
            write!(f, "{between}{}", scope.word())?;
            between = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_itself_alone_and_admin_allows_all() {
        for scope in Scope::ALL {
            for asked in Scope::ALL {
                let allowed = scope == asked || scope == Scope::Admin;
                assert_eq!(Scopes::from(scope).allow(asked), allowed, "{scope:?} for {asked:?}");
            }
        }
    }

    #[test]
    fn words_that_are_no_scope_are_named() {
        for text in ["", "read,", "Read", "read;write", "owner"] {
            assert!(matches!(text.parse::<Scopes>(), Err(TokenError::Scope { .. })), "{text:?}");
        }
        assert_eq!(" sql , read,read".parse::<Scopes>().expect("valid").to_string(), "read,sql");
    }
}
