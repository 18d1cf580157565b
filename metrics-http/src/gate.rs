//! Whether the token of a request allows what its route does.

use std::net::IpAddr;
use std::time::Instant;

use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use metrics_core::Timestamp;

use crate::credentials::Credentials;
use crate::figures::Reason;
use crate::options::ServerOptions;
use crate::respond::Failure;
use crate::throttle::{PERIOD, Throttle};
use crate::tokens::{Grant, Scope, TokenInfo, Tokens};

/// Parameters in which clients of other servers put a secret.
const IN_ADDRESS: [&str; 5] = ["token", "access_token", "api_key", "u", "p"];

/// Lets requests through by their tokens; all of them where a server has none.
pub(crate) struct Gate {
    tokens: Option<Tokens>,
    throttle: Throttle,
}

impl Gate {
    pub(crate) fn new(options: &ServerOptions) -> Self {
        let throttle = Throttle::new(options.max_wrong_tokens, Instant::now());
        Self { tokens: options.tokens.clone(), throttle }
    }

    /// Whether this server asks for tokens.
    pub(crate) fn is_closed(&self) -> bool {
        self.tokens.is_some()
    }

    /// Refuses a request whose token does not allow what it asks for; gives what it does allow, if it needed one.
    ///
    /// # Errors
    /// 401 without a good token, 403 for one that may do other things, 429 for a sender that keeps sending wrong ones.
    pub(crate) fn check(&self, head: &Parts, needs: Option<Scope>, sender: IpAddr) -> Result<Option<Grant>, Failure> {
        let (Some(tokens), Some(scope)) = (&self.tokens, needs) else { return Ok(None) };
        let secret = match Credentials::of(&head.headers) {
            Credentials::Secret(secret) => secret,
            Credentials::Absent => return Err(absent(head)),
            Credentials::Unreadable => {
                let message =
                    "header Authorization: use Bearer TOKEN, Token TOKEN, or Basic with the token as password";
                return Err(unauthorized(message.to_owned(), INVALID));
            }
        };
        let Some(grant) = tokens.find(&secret) else {
            let message = "this token is not known here: it was revoked, belongs to another server, or is mistyped";
            return Err(self.wrong(message.to_owned(), sender));
        };
        let now = Timestamp::now();
        if grant.info.has_expired(now) {
            let expires = grant.info.expires.unwrap_or(now);
            let message = format!("the token \"{}\" expired at {expires}: ask for a new one", grant.info.name);
            return Err(self.wrong(message, sender));
        }
        match grant.info.scopes.allow(scope) {
            true => Ok(Some(grant)),
            false => Err(beyond(&grant.info, scope)),
        }
    }

    fn wrong(&self, message: String, sender: IpAddr) -> Failure {
        if self.throttle.count(sender, Instant::now()) {
            return unauthorized(message, INVALID);
        }
        let message = "too many wrong tokens from this address: wait before the next";
        Failure::new(StatusCode::TOO_MANY_REQUESTS, Reason::Unauthorized, message)
            .with(RETRY_AFTER, HeaderValue::from(PERIOD.as_secs()))
            .with(CONNECTION, HeaderValue::from_static("close"))
    }
}

/// What a 401 asks for (RFC 6750, section 3). Not `Basic`, for which browsers would show a window of their own.
const CHALLENGE: &str = "Bearer realm=\"metrics\"";
/// The same after a token that is not good.
const INVALID: &str = "Bearer realm=\"metrics\", error=\"invalid_token\"";

fn unauthorized(message: String, challenge: &'static str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, Reason::Unauthorized, message)
        .with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn absent(head: &Parts) -> Failure {
    let mut message = "a token is required: send it as the header Authorization: Bearer TOKEN".to_owned();
    let query = head.uri.query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(key, _)| IN_ADDRESS.contains(&&*key)) {
        message.push_str("; none is read from an address, which logs and histories keep");
    }
    unauthorized(message, CHALLENGE)
}

fn beyond(info: &TokenInfo, scope: Scope) -> Failure {
    let (word, TokenInfo { name, scopes, .. }) = (scope.word(), info);
    let message = format!("the token \"{name}\" has the scope {scopes}, and this needs {word}");
    let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{word}\"");
    Failure::forbidden(message)
        .with(WWW_AUTHENTICATE, HeaderValue::from_str(&challenge).expect("a scope is a word of ours"))
}
