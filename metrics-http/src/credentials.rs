//! The secret that a request carries in its header `Authorization`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// Most bytes of a value that are looked at; a secret of ours has 47.
const MAX_BYTES: usize = 1_024;

/// What stands in the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// There is no such header.
    Absent,
    /// There is one that holds no secret in a form that is read here.
    Unreadable,
    /// Bytes that may be a token's secret.
    Secret(Zeroizing<Vec<u8>>),
}

impl Credentials {
    /// Reads `Bearer SECRET` (RFC 6750), `Token SECRET` (InfluxDB 2), and `Basic`, whose password is the secret and whose
    /// user is anyone (InfluxDB 1 and its clients; RFC 7617).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return if headers.contains_key(AUTHORIZATION) { Self::Unreadable } else { Self::Absent };
        };
        let line = line.as_bytes().trim_ascii();
        let Some(blank) = line.iter().position(|&byte| byte == b' ').filter(|_| line.len() <= MAX_BYTES) else {
            return Self::Unreadable;
        };
        let (scheme, rest) = (&line[..blank], line[blank..].trim_ascii());
        let secret = if scheme.eq_ignore_ascii_case(b"bearer") || scheme.eq_ignore_ascii_case(b"token") {
            Some(Zeroizing::new(rest.to_vec()))
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            password(rest)
        } else {
            None
        };
        secret.filter(|secret| !secret.is_empty()).map_or(Self::Unreadable, Self::Secret)
    }
}

fn password(encoded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let pair = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let colon = pair.iter().position(|&byte| byte == b':')?;
    Some(Zeroizing::new(pair[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Credentials {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        }
        Credentials::of(&headers)
    }

    #[test]
    fn a_secret_is_read_in_each_form_that_clients_send() {
        let basic = format!("Basic {}", STANDARD.encode("telegraf:se:cret"));
        assert_eq!(read(&[&basic]), Credentials::Secret(Zeroizing::new(b"se:cret".to_vec())));
        for value in ["Bearer abc", "bearer   abc ", "BEARER abc", "Token abc", "token abc"] {
            assert_eq!(read(&[value]), Credentials::Secret(Zeroizing::new(b"abc".to_vec())), "{value}");
        }
    }

    #[test]
    fn anything_else_holds_no_secret() {
        assert_eq!(read(&[]), Credentials::Absent);
        let no_colon = format!("Basic {}", STANDARD.encode("telegraf"));
        let no_password = format!("Basic {}", STANDARD.encode("telegraf:"));
        let long = format!("Bearer {}", "x".repeat(MAX_BYTES));
        for value in ["", "Bearer", "Bearer ", "abc", "Digest abc", "Basic !", &no_colon, &no_password, &long] {
            assert_eq!(read(&[value]), Credentials::Unreadable, "{value}");
        }
        assert_eq!(read(&["Bearer abc", "Bearer abd"]), Credentials::Unreadable);
    }
}
