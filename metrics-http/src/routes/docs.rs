//! `/openapi.json` and `/docs`: what the server takes and gives, for programs and for people.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};

use crate::openapi::{self, Answer, Group, Operation, Schema};
use crate::respond::{JSON, Reply, content};

/// Styles come from this server; nothing runs and nothing is framed.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'none'";

static DOCUMENT: LazyLock<(Bytes, Bytes)> = LazyLock::new(|| {
    let document = openapi::document();
    (document.to_string().into(), openapi::html(&document).into())
});

pub(crate) const OPENAPI: Operation = Operation {
    method: "GET",
    id: "openapi",
    group: Group::Server,
    needs: None,
    summary: "This interface as OpenAPI 3.1.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[Answer { status: 200, text: "The document.", kinds: &[(JSON, Schema::Named("Document"))] }],
};

pub(crate) const DOCS: Operation = Operation {
    method: "GET",
    id: "docs",
    group: Group::Server,
    needs: None,
    summary: "This interface as a page to read.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[Answer { status: 200, text: "The page.", kinds: &[("text/html", Schema::Text)] }],
};

/// `GET /openapi.json`.
pub(crate) fn openapi() -> Reply {
    revalidated(content(StatusCode::OK, JSON, DOCUMENT.0.clone()))
}

/// `GET /docs`.
pub(crate) fn page() -> Reply {
    let mut reply = revalidated(content(StatusCode::OK, "text/html; charset=utf-8", DOCUMENT.1.clone()));
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    reply
}

/// Another version of the program may describe itself in another way.
fn revalidated(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}
