//! The chart page: `/` and its files under `/page/`.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::http::request::Parts;

use crate::figures::Reason;
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::page::{Asset, asset};
use crate::respond::{Failure, Reply, content};

/// Scripts, styles and data come from this server alone; nothing is inline but the icon, nothing is framed, no form goes
/// anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
    img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(crate) const INDEX: Operation = Operation {
    method: "GET",
    id: "page",
    group: Group::Server,
    needs: None,
    summary: "The chart page.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[Answer { status: 200, text: "The page.", kinds: &[("text/html", Schema::Text)] }],
};

pub(crate) const FILE: Operation = Operation {
    method: "GET",
    id: "page_file",
    group: Group::Server,
    needs: None,
    summary: "A file of the chart page.",
    text: "",
    params: &[Param::path("file", "Name of the file.")],
    takes: &[],
    gives: &[Answer {
        status: 200,
        text: "The file.",
        kinds: &[("text/html", Schema::Text), ("text/css", Schema::Text), ("text/javascript", Schema::Text)],
    }],
};

/// `GET /`.
pub(crate) fn index(head: &Parts) -> Result<Reply, Failure> {
    file(head, "index.html")
}

/// `GET /page/{file}`.
pub(crate) fn file(head: &Parts, name: &str) -> Result<Reply, Failure> {
    let Some(asset) = asset(name) else {
        return Err(Failure::new(StatusCode::NOT_FOUND, Reason::NotFound, "the page has no such file"));
    };
    let known = head.headers.get_all(IF_NONE_MATCH).iter().any(|tags| names_tag(tags, asset));
    let mut reply = if known {
        content(StatusCode::NOT_MODIFIED, asset.content_type, "")
    } else {
        content(StatusCode::OK, asset.content_type, asset.bytes)
    };
    let headers = reply.headers_mut();
    headers.insert(ETAG, HeaderValue::from_str(&asset.tag).expect("a tag is hexadecimal"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(reply)
}

fn names_tag(tags: &HeaderValue, asset: &Asset) -> bool {
    let strong = asset.tag.trim_start_matches("W/");
    let mut tags = tags.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == strong)
}
