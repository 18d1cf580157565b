//! Who may do what: every route, with every scope.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metrics_core::{Options, SqlLimits, Timestamp};
use metrics_http::{BackupOptions, Scope, Scopes, ServerOptions, TokenFile, Tokens};
use tempfile::TempDir;

use crate::harness::{Answer, Server, request};

const POINT: &[u8] = br#"{"name":"cpu","value":1}"#;

/// Method, path, the scope that it needs, and content type and body of what is sent to it.
type Operation = (&'static str, &'static str, Option<Scope>, &'static str, &'static [u8]);

/// Every operation there is: one that is not in here fails the test below.
const OPERATIONS: &[Operation] = &[
    ("GET", "/", None, "", b""),
    ("GET", "/page/{file}", None, "", b""),
    ("GET", "/ping", None, "", b""),
    ("GET", "/health", None, "", b""),
    ("GET", "/ready", None, "", b""),
    ("GET", "/openapi.json", None, "", b""),
    ("GET", "/docs", None, "", b""),
    ("GET", "/metrics", Some(Scope::Read), "", b""),
    ("GET", "/v1/metrics", Some(Scope::Read), "", b""),
    ("GET", "/v1/metrics/{name}/{granularity}/{start}/{end}", Some(Scope::Read), "", b""),
    ("GET", "/v1/query", Some(Scope::Read), "", b""),
    ("GET", "/v1/export.parquet", Some(Scope::Read), "", b""),
    ("GET", "/v1/series", Some(Scope::Read), "", b""),
    ("GET", "/v1/latest", Some(Scope::Read), "", b""),
    ("GET", "/v1/stream", Some(Scope::Read), "", b""),
    ("GET", "/v1/chart.svg", Some(Scope::Read), "", b""),
    ("GET", "/v1/labels", Some(Scope::Read), "", b""),
    ("GET", "/v1/labels/{label}", Some(Scope::Read), "", b""),
    ("GET", "/api/v1/query", Some(Scope::Read), "", b""),
    ("POST", "/api/v1/query", Some(Scope::Read), FORM, b"query=1"),
    ("GET", "/api/v1/query_range", Some(Scope::Read), "", b""),
    ("POST", "/api/v1/query_range", Some(Scope::Read), FORM, b"query=1&start=0&end=1&step=1"),
    ("GET", "/api/v1/query_exemplars", Some(Scope::Read), "", b""),
    ("POST", "/api/v1/query_exemplars", Some(Scope::Read), FORM, b"query=1"),
    ("GET", "/api/v1/series", Some(Scope::Read), "", b""),
    ("POST", "/api/v1/series", Some(Scope::Read), FORM, b"match[]=cpu"),
    ("GET", "/api/v1/labels", Some(Scope::Read), "", b""),
    ("POST", "/api/v1/labels", Some(Scope::Read), FORM, b"match[]=cpu"),
    ("GET", "/api/v1/label/{name}/values", Some(Scope::Read), "", b""),
    ("GET", "/api/v1/metadata", Some(Scope::Read), "", b""),
    ("GET", "/api/v1/rules", Some(Scope::Read), "", b""),
    ("GET", "/api/v1/status/buildinfo", Some(Scope::Read), "", b""),
    ("POST", "/v1/backup", Some(Scope::Admin), "", b""),
    ("POST", "/v1/sql", Some(Scope::Sql), "application/sql", b"SELECT 1"),
    ("POST", "/v1/metrics", Some(Scope::Write), "application/json", POINT),
    ("POST", "/write", Some(Scope::Write), "text/plain", b"cpu value=1"),
    ("POST", "/api/v2/write", Some(Scope::Write), "text/plain", b"cpu value=1"),
    ("GET", "/query", Some(Scope::Write), "", b""),
    ("POST", "/query", Some(Scope::Write), FORM, b"q=CREATE+DATABASE+a"),
    ("POST", "/api/v1/write", Some(Scope::Write), "application/x-protobuf", b""),
];
const FORM: &str = "application/x-www-form-urlencoded";

/// A server that asks for tokens, with one of each scope.
struct Guarded {
    server: Server,
    file: TokenFile,
    tokens: Tokens,
    _folder: TempDir,
}

impl Guarded {
    async fn start() -> Self {
        Self::with(ServerOptions::default()).await
    }

    async fn with(options: ServerOptions) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("tokens");
        let file = TokenFile::at(&path);
        file.create("first", Scope::Admin.into(), None).expect("made");
        let tokens = Tokens::load(&path).expect("readable");
        let backups = folder.path().join("backups");
        let options = ServerOptions {
            tokens: Some(tokens.clone()),
            sql: Some(SqlLimits::default()),
            backups: Some(BackupOptions::new(&backups)),
            ..options
        };
        let store = Options { sql: true, backup_directory: Some(backups), ..Options::default() };
        let server = Server::with_store(options, store).await;
        Self { server, file, tokens, _folder: folder }
    }

    /// The header of a new token.
    fn bearer(&self, name: &str, scopes: impl Into<Scopes>) -> String {
        let secret = self.file.create(name, scopes.into(), None).expect("made");
        self.tokens.reload().expect("readable");
        format!("Bearer {}", secret.expose())
    }

    async fn get(&self, target: &str, authorization: &str) -> Answer {
        self.server.send("GET", target, &[("authorization", authorization)], b"").await
    }
}

fn filled(pattern: &str) -> String {
    [
        ("{file}", "main.js"),
        ("{name}", "cpu"),
        ("{granularity}", "hour"),
        ("{start}", "2024-02-02"),
        ("{end}", "2024-02-03"),
        ("{label}", "host"),
    ]
    .iter()
    .fold(pattern.to_owned(), |path, (part, value)| path.replace(part, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_own_scope_and_no_other_is_enough() {
    let guarded = Guarded::start().await;
    let document = guarded.server.get("/openapi.json").await.json();
    let told: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(|key| (key.to_uppercase(), path.clone()))
        })
        .collect();
    let listed: BTreeSet<(String, String)> =
        OPERATIONS.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(told, listed, "every operation stands in this test with the scope that it is meant to need");

    let with_each = Scope::ALL.map(|scope| (scope, guarded.bearer(scope.word(), scope)));
    for (method, pattern, needs, content_type, body) in OPERATIONS {
        let path = filled(pattern);
        let ask = async |authorization: Option<&str>| {
            let mut headers = vec![("content-type", *content_type)];
            headers.extend(authorization.map(|value| ("authorization", value)));
            guarded.server.send(method, &path, &headers, body).await
        };
        let without = ask(None).await;
        let public = document["paths"][pattern][method.to_lowercase()]["security"].is_array();
        assert_eq!(public, needs.is_none(), "{method} {pattern} is described as it is");
        let Some(needs) = needs else {
            assert_eq!(without.status, 200, "{method} {pattern} is everybody's");
            continue;
        };
        assert_eq!(without.status, 401, "{method} {pattern} without a token");
        assert_eq!(without.header("www-authenticate"), Some("Bearer realm=\"metrics\""), "{method} {pattern}");
        for (scope, bearer) in &with_each {
            let answer = ask(Some(bearer)).await;
            let enough = scope == needs || *scope == Scope::Admin;
            assert_eq!(answer.status != 403, enough, "{method} {pattern} with {scope:?}: {answer:?}");
            assert_ne!(answer.status, 401, "{method} {pattern} with {scope:?}");
            if !enough {
                let challenge = answer.header("www-authenticate").expect("told what is missing");
                assert!(challenge.ends_with(&format!("scope=\"{}\"", needs.word())), "{challenge}");
            }
        }
        if *method == "GET" {
            assert_eq!(guarded.server.send("HEAD", &path, &[], b"").await.status, 401, "HEAD {pattern}");
        }
    }
    let stored = guarded.server.points();
    assert_eq!(stored, 3 * 2, "three writes each with the scope and as administrator; refused ones stored nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_read_in_every_form_that_clients_send() {
    let guarded = Guarded::start().await;
    let bearer = guarded.bearer("telegraf", "read,write".parse::<Scopes>().expect("scopes"));
    let secret = bearer.strip_prefix("Bearer ").expect("a bearer");
    let basic = STANDARD.encode(format!("telegraf:{secret}"));
    for value in [bearer.clone(), format!("Token {secret}"), format!("Basic {basic}"), format!("bearer {secret}")] {
        assert_eq!(guarded.get("/v1/metrics", &value).await.status, 200, "{}", &value[..8]);
    }
    for value in [secret.to_owned(), format!("Digest {secret}"), "Bearer".to_owned(), "Basic !".to_owned()] {
        let answer = guarded.get("/v1/metrics", &value).await;
        assert_eq!(answer.status, 401);
        assert!(!answer.text().contains(secret) && answer.message().contains("Bearer TOKEN"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_in_the_words_of_each_protocol() {
    let guarded = Guarded::start().await;
    let v2 = guarded.server.post_as("/api/v2/write", "text/plain", b"cpu value=1").await;
    assert_eq!((v2.status, v2.json()["code"].as_str()), (401, Some("unauthorized")));
    let v1 = guarded.server.post_as("/write", "text/plain", b"cpu value=1").await;
    assert!(v1.json()["error"].as_str().is_some_and(|text| text.contains("a token is required")), "{v1:?}");
    let prometheus = guarded.server.get("/api/v1/query?query=1").await;
    assert_eq!((prometheus.status, prometheus.json()["status"].as_str()), (401, Some("error")));
    let otlp = guarded.server.post_as("/v1/metrics", "application/x-protobuf", b"").await;
    assert_eq!((otlp.status, otlp.body[..2].to_vec()), (401, vec![0x08, 16]), "google.rpc.Code UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_an_address_is_not_read_and_that_is_said() {
    let guarded = Guarded::start().await;
    let bearer = guarded.bearer("a", Scope::Admin);
    let secret = bearer.strip_prefix("Bearer ").expect("a bearer");
    for target in [
        format!("/v1/metrics?token={secret}"),
        format!("/v1/metrics?access_token={secret}"),
        format!("/query?u=a&p={secret}&q=CREATE+DATABASE+a"),
    ] {
        let answer = guarded.server.get(&target).await;
        assert_eq!(answer.status, 401, "{}", &target[..12]);
        assert!(answer.message().contains("none is read from an address"), "{}", answer.message());
        assert!(!answer.text().contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_expired_tokens_are_refused_and_a_reload_takes_new_ones() {
    let guarded = Guarded::start().await;
    let bearer = guarded.bearer("a", Scope::Read);
    assert_eq!(guarded.get("/v1/metrics", &bearer).await.status, 200);
    guarded.file.revoke("a").expect("there");
    assert_eq!(guarded.get("/v1/metrics", &bearer).await.status, 200, "until it is read again");
    guarded.tokens.reload().expect("readable");
    let answer = guarded.get("/v1/metrics", &bearer).await;
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (401, Some("Bearer realm=\"metrics\", error=\"invalid_token\""))
    );

    let soon = Timestamp::now().saturating_add_micros(-1);
    let secret = guarded.file.create("old", Scope::Read.into(), Some(soon)).expect("made");
    guarded.tokens.reload().expect("readable");
    let answer = guarded.get("/v1/metrics", &format!("Bearer {}", secret.expose())).await;
    assert_eq!(answer.status, 401);
    assert!(answer.message().contains("\"old\" expired at"), "{}", answer.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_token_is_revoked() {
    let keep_alive = Duration::from_millis(50);
    let guarded = Guarded::with(ServerOptions { stream_keep_alive: keep_alive, ..ServerOptions::default() }).await;
    let bearer = guarded.bearer("page", Scope::Read);
    let mut client = guarded.server.connect().await;
    let headers = [("authorization", bearer.as_str()), ("connection", "close")];
    client.write(&request("GET", "/v1/stream?name=cpu", &headers, b"")).await;
    assert_eq!(client.answer(true).await.status, 200);
    guarded.file.revoke("page").expect("there");
    guarded.tokens.reload().expect("readable");
    // Panics unless the end comes.
    client.closed().await;
    assert_eq!(guarded.get("/v1/stream?name=cpu", &bearer).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_wrong_tokens_is_told_to_wait_and_good_ones_pass() {
    let guarded = Guarded::with(ServerOptions { max_wrong_tokens: 3, ..ServerOptions::default() }).await;
    let good = guarded.bearer("good", Scope::Read);
    for _ in 0..3 {
        assert_eq!(guarded.get("/v1/metrics", "Bearer mtk_guess").await.status, 401);
    }
    let answer = guarded.get("/v1/metrics", "Bearer mtk_guess").await;
    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.header("connection")),
        (429, Some("10"), Some("close"))
    );
    assert_eq!(guarded.get("/v1/metrics", &good).await.status, 200);
    assert_eq!(guarded.server.get("/v1/metrics").await.status, 401, "none at all is no guess");
    let figures = guarded.get("/metrics", &good).await;
    assert!(figures.text().contains("route=\"/v1/metrics\",status=\"401\"} 4"), "{}", figures.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_may_see_is_kept_by_nobody_else() {
    let guarded = Guarded::start().await;
    let bearer = guarded.bearer("a", Scope::Read);
    assert_eq!(guarded.get("/v1/metrics", &bearer).await.header("cache-control"), Some("no-store"));
    assert_eq!(guarded.server.get("/page/main.js").await.header("cache-control"), Some("no-cache"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_file_any_token_is_taken_as_before() {
    let server = Server::start().await;
    let answer = server.send("GET", "/v1/metrics", &[("authorization", "Token any")], b"").await;
    assert_eq!(answer.status, 200);
}
