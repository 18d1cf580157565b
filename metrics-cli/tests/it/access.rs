//! Servers that ask who asks: tokens made, used, revoked; certificates; and what a command does with both.

use std::process::Stdio;

use serde_json::json;

use crate::program::{Program, Ran};
use crate::running::Server;

/// Makes a token and gives its secret, which is all of stdout.
fn token(program: &Program, name: &str, scope: &str) -> String {
    let line = program.ok(&format!("token create --name {name} --scope {scope} --token-file tokens"));
    let secret = line.strip_suffix('\n').expect("one line").to_owned();
    assert!(secret.starts_with("mtk_") && secret.len() == 47 && !secret.contains('\n'), "{secret}");
    secret
}

fn run_as(program: &Program, token: &str, line: &str) -> Ran {
    program.command(line).env("METRICS_TOKEN", token).output().expect("the program starts").into()
}

/// A pair for 127.0.0.1: `cert.pem` and `key.pem`.
fn certificate(program: &Program) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    program.file("cert.pem", &made.cert.pem());
    program.file("key.pem", &made.signing_key.serialize_pem());
    restrict(program, "key.pem", 0o600);
}

#[cfg(unix)]
fn restrict(program: &Program, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(program.path(name), std::fs::Permissions::from_mode(mode)).expect("ours");
}

#[test]
fn a_token_is_made_listed_and_revoked() {
    let program = Program::new();
    let secret = token(&program, "grafana", "read");
    program.ok("token create --name loader --scope write,sql --expires 90d --token-file tokens");
    let kept = std::fs::read_to_string(program.path("tokens")).expect("readable");
    assert!(!kept.contains(&secret[4..]), "{kept}");
    let list = program.json("token list --token-file tokens --format json");
    assert_eq!(
        (&list[0]["name"], &list[0]["scopes"], &list[0]["expires"]),
        (&json!("grafana"), &json!("read"), &json!(null))
    );
    assert_eq!((&list[1]["scopes"], &list[1]["expired"]), (&json!("write,sql"), &json!(false)));
    let csv = program.ok("token list --token-file tokens");
    assert!(csv.starts_with("name,scopes,created,expires\ngrafana,\"read\",2"), "{csv}");
    program.ok("token revoke grafana --token-file tokens");
    assert_eq!(program.json("token list --token-file tokens --format json").as_array().map(Vec::len), Some(1));
    let twice = program.run("token create --name loader --scope read --token-file tokens");
    assert_eq!((twice.code, twice.stdout.as_str()), (Some(1), ""), "{twice:?}");
    let wrong = program.run("token create --name a/b --scope read --token-file tokens");
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[test]
fn commands_ask_with_the_token_of_the_environment_or_of_a_file() {
    let program = Program::new();
    let (reader, writer) = (token(&program, "reader", "read"), token(&program, "writer", "write"));
    let server = Server::start(&program, "--token-file tokens");
    let url = server.url.clone();
    let without = program.run(&format!("list --url {url}"));
    assert_eq!(without.code, Some(1), "{without:?}");
    assert!(without.stderr.contains("401") && without.stderr.contains("METRICS_TOKEN"), "{without:?}");
    assert_eq!(run_as(&program, &writer, &format!("post cpu 1 --url {url}")).code, Some(0));
    let beyond = run_as(&program, &reader, &format!("post cpu 1 --url {url}"));
    assert!(beyond.code == Some(1) && beyond.stderr.contains("\"reader\" has the scope read"), "{beyond:?}");
    assert!(run_as(&program, &reader, &format!("latest --url {url}")).stdout.contains("cpu"));
    program.file("secret", &format!("{reader}\nand a note\n"));
    assert!(program.ok(&format!("latest --url {url} --token-from secret")).contains("cpu"));
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn sighup_reads_tokens_again_and_a_bad_file_changes_nothing() {
    let program = Program::new();
    let secret = token(&program, "page", "read");
    let mut server = Server::start(&program, "--token-file tokens");
    let list = format!("list --url {}", server.url);
    assert_eq!(run_as(&program, &secret, &list).code, Some(0));
    let good = std::fs::read_to_string(program.path("tokens")).expect("readable");
    program.file("tokens", "page read 2026-01-01 never mtk_canary\n");
    server.signal("-HUP");
    let told = server.logs("tokens stay as they were");
    assert!(told.contains("line 1") && !told.contains("canary"), "{told}");
    assert_eq!(run_as(&program, &secret, &list).code, Some(0), "the old tokens are still good");
    program.file("tokens", &good);
    program.ok("token revoke page --token-file tokens");
    let other = token(&program, "other", "read");
    server.signal("-HUP");
    server.logs("tokens read again");
    assert_eq!(run_as(&program, &secret, &list).code, Some(1));
    assert_eq!(run_as(&program, &other, &list).code, Some(0));
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn a_server_does_not_start_with_what_is_bad() {
    let program = Program::new();
    certificate(&program);
    let started = |line: &str| {
        let ran = program.run(&format!("serve --listen 127.0.0.1:0 {line}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{line}: {ran:?}");
        ran.stderr
    };
    assert!(started("--token-file nowhere").contains("metrics-cli token create"));
    token(&program, "a", "read");
    restrict(&program, "tokens", 0o644);
    assert!(started("--token-file tokens").contains("chmod 600"));
    assert!(started("--tls-cert cert.pem --tls-key cert.pem").contains("cert.pem"));
    restrict(&program, "key.pem", 0o644);
    assert!(started("--tls-cert cert.pem --tls-key key.pem").contains("chmod 600"));
    assert!(!program.path("metrics.duckdb").exists(), "no store is made for a server that does not start");
    let open = program.run("serve --listen 0.0.0.0:0");
    assert!(open.code == Some(2) && open.stderr.contains("--token-file"), "{open:?}");
}

#[test]
fn commands_speak_tls_to_a_server_whose_authority_they_know() {
    let program = Program::new();
    certificate(&program);
    let secret = token(&program, "all", "admin");
    let mut authority = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    program.file("ca.pem", &authority.self_signed(&key).expect("a certificate").pem());
    program.file("ca-key.pem", &key.serialize_pem());
    restrict(&program, "ca-key.pem", 0o600);
    let mut server = Server::start(&program, "--token-file tokens --tls-cert cert.pem --tls-key key.pem");
    let url = server.url.clone();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let run = |line: &str| run_as(&program, &secret, &format!("{line} --url {url}"));
    let unknown = run("list");
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("certificate") || unknown.stderr.contains("trusts no authority"), "{unknown:?}");
    assert!(unknown.stderr.contains("--ca-cert"), "{unknown:?}");
    assert_eq!(run("post cpu 5 --ca-cert cert.pem").code, Some(0));
    let latest = run("latest --ca-cert cert.pem");
    assert!(latest.stdout.contains("cpu") && latest.code == Some(0), "{latest:?}");
    let plain = run_as(&program, &secret, &format!("list --url {}", url.replace("https", "http")));
    assert!(plain.code == Some(1) && plain.stderr.contains("https://"), "{plain:?}");

    // What people make first: a certificate of an authority.
    let other = Program::new();
    for name in ["ca.pem", "ca-key.pem"] {
        std::fs::copy(program.path(name), other.path(name)).expect("copied");
    }
    let misled = Server::start(&other, "--tls-cert ca.pem --tls-key ca-key.pem");
    let refused = program.run(&format!("list --url {} --ca-cert ca.pem", misled.url));
    assert!(refused.code == Some(1) && refused.stderr.contains("CA:FALSE"), "{refused:?}");

    // A new certificate, while the server runs.
    let old = std::fs::read_to_string(program.path("cert.pem")).expect("readable");
    program.file("old.pem", &old);
    certificate(&program);
    server.signal("-HUP");
    server.logs("certificate read again");
    assert_eq!(run("list --ca-cert old.pem").code, Some(1));
    assert_eq!(run("list --ca-cert cert.pem").code, Some(0));
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn there_is_no_option_that_holds_a_token() {
    let program = Program::new();
    let ran: Ran =
        program.command("list --token mtk_x").stdout(Stdio::piped()).output().expect("the program starts").into();
    assert!(ran.code == Some(2) && ran.stderr.contains("--token-from"), "{ran:?}");
}
