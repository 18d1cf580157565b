//! Who may ask: names under which the server may be called, and pages that may call it.

use std::io;
use std::net::IpAddr;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderValue, ORIGIN,
    VARY,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, StatusCode};

use crate::options::ServerOptions;
use crate::respond::{Failure, Reply, content};

/// Pages of other origins that may call the server.
enum Cors {
    Off,
    Any,
    Origin(HeaderValue),
}

/// The rules of a server.
pub(crate) struct Access {
    allow_hosts: Vec<String>,
    cors: Cors,
}

impl Access {
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the origin is none.
    pub(crate) fn new(options: &ServerOptions) -> io::Result<Self> {
        let cors = match options.cors_origin.as_deref() {
            None => Cors::Off,
            Some("*") => Cors::Any,
            Some(origin) => Cors::Origin(checked_origin(origin)?),
        };
        let allow_hosts = options.allow_hosts.iter().map(|host| normal_host(host)).collect();
        Ok(Self { allow_hosts, cors })
    }

    /// Refuses a request whose host is none of ours, and one that a page of another site sends.
    ///
    /// # Errors
    /// 400 without one readable host, else 403.
    pub(crate) fn check(&self, head: &Parts, local: IpAddr) -> Result<(), Failure> {
        let host = self.check_host(head, local)?;
        self.check_page(head, &host)
    }

    fn check_host(&self, head: &Parts, local: IpAddr) -> Result<Authority, Failure> {
        let mut lines = head.headers.get_all(HOST).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(Failure::malformed("exactly one header Host is required"));
        };
        let named: Option<Authority> = line.to_str().ok().and_then(|text| text.parse().ok());
        let Some(named) = named.filter(|authority| !authority.as_str().contains('@')) else {
            return Err(Failure::malformed("header Host is not a host name with an optional port"));
        };
        // The absolute form of a target has a host of its own, which must be ours too.
        for authority in head.uri.authority().into_iter().chain([&named]) {
            if !self.is_ours(authority.host(), local) {
                let host: String = authority.host().chars().take(255).collect();
                let message = format!(
                    "host \"{host}\" is not allowed: start the server with --allow-host {host} to serve under this name"
                );
                return Err(Failure::forbidden(message));
            }
        }
        Ok(named)
    }

    fn is_ours(&self, host: &str, local: IpAddr) -> bool {
        let host = normal_host(host);
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = address.to_canonical();
            if address.is_loopback() || address == local.to_canonical() {
                return true;
            }
        }
        host == "localhost" || self.allow_hosts.contains(&host)
    }

    /// A browser says where a page comes from; other clients say nothing. Reading counts too: a page that may not see an
    /// answer can still have the server work.
    fn check_page(&self, head: &Parts, host: &Authority) -> Result<(), Failure> {
        let headers = &head.headers;
        let origin = headers.get(ORIGIN);
        if origin.is_some_and(|origin| self.is_trusted(origin)) {
            return Ok(());
        }
        let says =
            |name: &str, value: &str| headers.get(name).is_some_and(|given| given.as_bytes() == value.as_bytes());
        // Who follows a link to here sees the answer in a window of its own.
        let follows =
            head.method == Method::GET && says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
        let cross_site = says("sec-fetch-site", "cross-site") && !follows;
        let foreign = origin.is_some_and(|origin| {
            let authority = origin.to_str().ok().and_then(|text| text.split_once("://")).map(|(_, rest)| rest);
            authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host.as_str()))
        });
        if cross_site || foreign {
            let message = "a page of another origin may not ask here: start the server with --cors-origin to allow it";
            return Err(Failure::forbidden(message));
        }
        Ok(())
    }

    /// Whether pages of this origin may call the server.
    fn is_trusted(&self, origin: &HeaderValue) -> bool {
        match &self.cors {
            Cors::Off => false,
            Cors::Any => true,
            Cors::Origin(trusted) => trusted.as_bytes().eq_ignore_ascii_case(origin.as_bytes()),
        }
    }

    /// The answer to a browser that asks before it sends, if this is one and it may.
    pub(crate) fn preflight(&self, head: &Parts, allow: &'static str) -> Option<Reply> {
        let asks = head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !head.headers.get(ORIGIN).is_some_and(|origin| self.is_trusted(origin)) {
            return None;
        }
        let mut reply = content(StatusCode::NO_CONTENT, "text/plain", "");
        let headers = reply.headers_mut();
        headers.clear();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "Authorization, Content-Type, Content-Encoding, Idempotency-Key, Accept, Range, If-Range, Last-Event-ID",
            ),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(reply)
    }

    /// Tells a browser whether the page that asked may read the answer.
    pub(crate) fn mark(&self, request: &HeaderMap, reply: &mut HeaderMap) {
        let allowed = match &self.cors {
            Cors::Off => {
                reply.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
                return;
            }
            Cors::Any => Some(HeaderValue::from_static("*")),
            Cors::Origin(trusted) => {
                reply.append(VARY, HeaderValue::from_static("Origin"));
                request.get(ORIGIN).filter(|origin| self.is_trusted(origin)).map(|_| trusted.clone())
            }
        };
        if let Some(allowed) = allowed {
            reply.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            let exposed = "Retry-After, Idempotency-Replayed, Accept-Ranges, Content-Range, ETag, WWW-Authenticate";
            reply.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        }
    }
}

/// A host without port, brackets, trailing dot and capitals.
fn normal_host(host: &str) -> String {
    let host = host.trim();
    let bare = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        // More than one colon is an address of version 6 without brackets.
        None => match host.split_once(':') {
            Some((name, port)) if !port.contains(':') => name,
            _ => host,
        },
    };
    bare.trim_end_matches('.').to_ascii_lowercase()
}

fn checked_origin(origin: &str) -> io::Result<HeaderValue> {
    let has_shape = origin.split_once("://").is_some_and(|(scheme, authority)| {
        !scheme.is_empty() && !authority.contains('/') && authority.parse::<Authority>().is_ok()
    });
    HeaderValue::from_str(origin).ok().filter(|_| has_shape).ok_or_else(|| {
        let message = format!("\"{origin}\" is not an origin: use scheme://host:port without a path, or *");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 5));

    fn access(cors: Option<&str>) -> Access {
        let allow_hosts = vec!["Metrics.Example:8080".into(), "[2001:db8::1]".into()];
        let options = ServerOptions { allow_hosts, cors_origin: cors.map(Into::into), ..ServerOptions::default() };
        Access::new(&options).expect("valid")
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/v1/metrics");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("valid").into_parts().0
    }

    fn status(cors: Option<&str>, method: &str, headers: &[(&str, &str)]) -> u16 {
        access(cors).check(&request(method, headers), LOCAL).map_or_else(|failure| failure.status().as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_names_are_served() {
        for host in [
            "localhost",
            "LOCALHOST.:8080",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "192.168.1.5:80",
            "metrics.example",
            "metrics.example:9999",
            "[2001:DB8::1]:1",
            "[::ffff:192.168.1.5]",
        ] {
            assert_eq!(status(None, "GET", &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.6",
            "evil.localhost",
            "0.0.0.0",
            "metrics.example.evil.example",
        ] {
            assert_eq!(status(None, "GET", &[("host", host)]), 403, "{host}");
        }
    }

    #[test]
    fn a_request_without_one_readable_host_is_refused() {
        assert_eq!(status(None, "GET", &[]), 400);
        assert_eq!(status(None, "GET", &[("host", "localhost"), ("host", "evil.example")]), 400);
        assert_eq!(status(None, "GET", &[("host", "user@localhost")]), 400);
        assert_eq!(status(None, "GET", &[("host", "")]), 400);
    }

    #[test]
    fn the_host_of_an_absolute_target_counts_too() {
        let mut head = request("GET", &[("host", "localhost")]);
        head.uri = "http://evil.example/v1/metrics".parse().expect("valid");
        assert_eq!(access(None).check(&head, LOCAL).expect_err("foreign").status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn foreign_pages_are_refused_and_links_are_followed() {
        let host = ("host", "localhost:8080");
        assert_eq!(status(None, "POST", &[host]), 200, "no browser");
        assert_eq!(status(None, "POST", &[host, ("origin", "http://localhost:8080")]), 200, "our own page");
        assert_eq!(status(None, "POST", &[host, ("origin", "http://localhost:3000")]), 403);
        assert_eq!(status(None, "POST", &[host, ("origin", "null")]), 403);
        assert_eq!(status(None, "POST", &[host, ("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(status(None, "POST", &[host, ("sec-fetch-site", "same-origin")]), 200);
        assert_eq!(status(None, "GET", &[host, ("origin", "http://localhost:3000")]), 403);
        let link =
            [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(status(None, "GET", &link[..2]), 403, "a picture in a foreign page");
        assert_eq!((status(None, "GET", &link), status(None, "POST", &link)), (200, 403));
        let frame = [link[0], link[1], link[2], ("sec-fetch-dest", "iframe")];
        assert_eq!(status(None, "GET", &frame), 403);
    }

    #[test]
    fn the_named_origin_may_write_and_no_other() {
        let host = ("host", "localhost:8080");
        let seed = Some("http://localhost:3000");
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(status(seed, "POST", &[host, cross, ("origin", "http://localhost:3000")]), 200);
        assert_eq!(status(seed, "POST", &[host, cross, ("origin", "http://evil.example")]), 403);
        assert_eq!(status(Some("*"), "POST", &[host, cross, ("origin", "http://evil.example")]), 200);
    }

    #[test]
    fn preflight_is_answered_for_the_named_origin_only() {
        let ask = ("access-control-request-method", "POST");
        let trusted = request("OPTIONS", &[("origin", "http://localhost:3000"), ask]);
        let other = request("OPTIONS", &[("origin", "http://evil.example"), ask]);
        let access = access(Some("http://localhost:3000"));
        let reply = access.preflight(&trusted, "GET, HEAD, POST").expect("answered");
        assert_eq!(reply.status(), StatusCode::NO_CONTENT);
        assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_METHODS], "GET, HEAD, POST");
        assert!(access.preflight(&other, "GET").is_none());
        let mut headers = HeaderMap::new();
        access.mark(&other.headers, &mut headers);
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        access.mark(&trusted.headers, &mut headers);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:3000");
    }

    #[test]
    fn an_origin_that_is_none_stops_the_start() {
        for origin in ["localhost:3000", "http://localhost:3000/", "http://", "://x", "http://a b"] {
            let options = ServerOptions { cors_origin: Some(origin.into()), ..ServerOptions::default() };
            let error = Access::new(&options).err().expect(origin);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{origin}");
        }
    }
}
