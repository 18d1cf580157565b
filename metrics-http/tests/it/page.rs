//! The chart page as a browser gets it.

use std::io::Read;

use crate::harness::Server;

const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
    img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_only_files_that_are_there() {
    let server = Server::start().await;
    let page = server.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("content-security-policy"), Some(POLICY));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let files: Vec<&str> =
        page.text().split('"').filter(|text| text.starts_with("/page/") || text.starts_with("page/")).collect();
    assert!(!files.is_empty(), "the page has a script and a style");
    for file in files {
        let answer = server.get(&format!("/{}", file.trim_start_matches('/'))).await;
        assert_eq!(answer.status, 200, "{file}");
        let kind = answer.header("content-type").expect("typed");
        let expected = if file.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert!(kind.starts_with(expected), "{file}: {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_known_is_not_sent_again() {
    let server = Server::start().await;
    let tag = server.get("/").await.header("etag").expect("tagged").to_owned();
    for known in [tag.as_str(), "*", &format!("\"other\", {tag}")] {
        let again = server.send("GET", "/", &[("if-none-match", known)], b"").await;
        assert_eq!((again.status, again.header("etag")), (304, Some(tag.as_str())), "{known}");
    }
    let other = server.send("GET", "/", &[("if-none-match", "\"other\"")], b"").await;
    assert_eq!(other.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_for_those_who_can_read_them() {
    let server = Server::start().await;
    let plain = server.get("/metrics").await;
    let packed = server.send("GET", "/", &[("accept-encoding", "gzip, br")], b"").await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, server.get("/").await.text());
    let small = server.send("GET", "/ping", &[("accept-encoding", "gzip")], b"").await;
    assert_eq!((small.header("content-encoding"), small.text()), (None, r#"{"status":"up"}"#));
}
