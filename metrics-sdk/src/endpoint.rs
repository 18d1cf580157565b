//! The server's address, and the addresses of its calls.

use hyper::Uri;

use crate::ClientError;

/// Where the server is: `http://host[:port][/prefix]`, or `https://…`, without a slash at the end.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint(String);

impl Endpoint {
    /// Checks an address.
    pub(crate) fn new(url: &str) -> Result<Self, ClientError> {
        let refuse = |reason: &str| {
            // What stands before an @ may be a password.
            let shown = url.rsplit('@').next().unwrap_or(url);
            Err(ClientError::Url { url: shown.chars().take(256).collect(), reason: reason.to_owned() })
        };
        let uri: Uri = match url.trim().parse() {
            Ok(uri) => uri,
            Err(error) => return refuse(&format!("{error}; use one such as http://127.0.0.1:8080")),
        };
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => {}
            (Some("http" | "https"), Some(_)) => {
                return refuse("it holds a user name; give a token to the client's builder instead");
            }
            _ => return refuse("it must begin with http:// or https://, such as http://127.0.0.1:8080"),
        }
        if uri.query().is_some() || url.contains('#') {
            return refuse("it must end before ? or #");
        }
        Ok(Self(uri.to_string().trim_end_matches('/').to_owned()))
    }

    /// The address in words.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is spoken to through TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The address of a call with its parameters, which are escaped here.
    pub(crate) fn uri(&self, path: &str, pairs: &[(&str, String)]) -> Result<Uri, ClientError> {
        let mut text = format!("{}{path}", self.0);
        if !pairs.is_empty() {
            text.push('?');
            let start = text.len();
            text = form_urlencoded::Serializer::for_suffix(text, start).extend_pairs(pairs).finish();
        }
        text.parse().map_err(|error| ClientError::Url {
            url: text.chars().take(256).collect(),
            reason: format!("{error} ({} bytes with all parameters)", text.len()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        Endpoint::new(url).expect_err(url).to_string()
    }

    #[test]
    fn calls_keep_the_prefix_and_escape_parameters() {
        let endpoint = Endpoint::new("http://localhost:8080/metrics/").expect("valid");
        let uri =
            endpoint.uri("/v1/query", &[("name", "a b&c".into()), ("where", "host=~web.*".into())]).expect("valid");
        assert_eq!(uri.to_string(), "http://localhost:8080/metrics/v1/query?name=a+b%26c&where=host%3D%7Eweb.*");
        let bare = Endpoint::new("http://[::1]:8080").expect("valid").uri("/ping", &[]).expect("valid");
        assert_eq!(bare.to_string(), "http://[::1]:8080/ping");
    }

    #[test]
    fn addresses_that_cannot_work_say_what_would() {
        assert!(Endpoint::new("HTTPS://metrics.example/").expect("valid").is_https());
        for url in ["127.0.0.1:8080", "localhost", "/v1", "ftp://localhost"] {
            assert!(refusal(url).contains("http://127.0.0.1:8080"), "{}", refusal(url));
        }
        assert!(refusal("http://localhost/?a=b").contains("?"));
        assert!(refusal("").contains("http://127.0.0.1:8080"));
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_shown() {
        let message = refusal("http://user:secret@localhost");
        assert!(message.contains("token") && !message.contains("secret"), "{message}");
    }

    #[test]
    fn parameters_that_do_not_fit_into_an_address_are_refused() {
        let endpoint = Endpoint::new("http://localhost").expect("valid");
        let long = endpoint.uri("/v1/query", &[("name", "x".repeat(70_000))]);
        assert!(matches!(long, Err(ClientError::Url { reason, .. }) if reason.contains("70")));
    }
}
