use super::super::Scope;
use super::*;

fn place() -> (tempfile::TempDir, TokenFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = TokenFile::at(folder.path().join("tokens"));
    (folder, file)
}

fn write(file: &TokenFile, text: &str, _mode: u32) {
    fs::write(file.path(), text).expect("writable");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file.path(), fs::Permissions::from_mode(_mode)).expect("ours");
    }
}

const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn a_new_token_stands_in_a_file_of_its_owner_alone_without_its_secret() {
    let (_folder, file) = place();
    let expires = Timestamp::parse("2030-01-01").expect("a date");
    let secret = file.create("grafana", "read,sql".parse().expect("scopes"), Some(expires)).expect("made");
    let text = fs::read_to_string(file.path()).expect("readable");
    assert!(!text.contains(&secret.expose()[4..]), "{text}");
    assert!(text.contains("grafana read,sql 2") && text.contains("Z 2030-01-01T00:00:00Z sha256:"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(file.path()).expect("there").permissions().mode() & 0o7777, 0o600);
    }
    let [info] = &file.list().expect("readable")[..] else { panic!("one token") };
    assert_eq!((info.name.as_str(), info.expires), ("grafana", Some(expires)));
    let before = expires.saturating_add_micros(-1);
    assert!(info.has_expired(expires) && !info.has_expired(before));
}

#[test]
fn what_people_wrote_into_the_file_stays() {
    let (_folder, file) = place();
    let theirs =
        format!("# for the office\n\n  a  read\t2026-01-01 never {HASH}\n# b is gone\nb write 2026-01-01 never {HASH}");
    write(&file, &theirs, 0o600);
    file.create("c", Scope::Write.into(), None).expect("made");
    file.revoke("a").expect("there");
    let text = fs::read_to_string(file.path()).expect("readable");
    assert!(
        text.starts_with(&format!("# for the office\n\n# b is gone\nb write 2026-01-01 never {HASH}\nc write ")),
        "{text}"
    );
}

#[test]
fn names_are_taken_once_and_are_simple() {
    let (_folder, file) = place();
    file.create("a", Scope::Read.into(), None).expect("made");
    assert!(matches!(file.create("a", Scope::Read.into(), None), Err(TokenError::Taken { .. })));
    assert!(matches!(file.revoke("b"), Err(TokenError::Unknown { .. })));
    for name in ["", "a b", "ä", "a/b", "#a", &"x".repeat(65)] {
        assert!(matches!(file.create(name, Scope::Read.into(), None), Err(TokenError::Name { .. })), "{name}");
    }
    assert_eq!(file.list().expect("readable").len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_open_is_refused_with_the_way_out() {
    let (_folder, file) = place();
    for mode in [0o640, 0o604, 0o620, 0o644, 0o666] {
        write(&file, "", mode);
        let error = file.list().expect_err("refused").to_string();
        assert!(error.contains("chmod 600") && error.contains(&format!("{mode:04o}")), "{error}");
        assert!(matches!(file.create("a", Scope::Read.into(), None), Err(TokenError::Mode { .. })));
    }
    write(&file, "", 0o400);
    assert_eq!(file.list().expect("its owner may read it").len(), 0);
}

#[test]
fn a_bad_line_is_named_and_not_shown() {
    let (_folder, file) = place();
    for (line, reason) in [
        ("a read 2026-01-01 never", "five fields"),
        (&format!("a read 2026-01-01 never {HASH} more"), "five fields"),
        (&format!("a,b read 2026-01-01 never {HASH}"), "not a token's name"),
        (&format!("a reed 2026-01-01 never {HASH}"), "not a scope"),
        (&format!("a read yesterday never {HASH}"), "created"),
        (&format!("a read 2026-01-01 soon {HASH}"), "expires"),
        ("a read 2026-01-01 never mtk_canary", "64 hexadecimal digits"),
    ] {
        write(&file, &format!("# one\n{line}\n"), 0o600);
        let error = file.list().expect_err(line).to_string();
        assert!(error.contains("line 2") && error.contains(reason) && !error.contains("canary"), "{line}: {error}");
    }
    write(&file, &format!("a read 2026-01-01 never {HASH}\n").repeat(2), 0o600);
    assert!(file.list().expect_err("twice").to_string().contains("line 2"));
}

#[test]
fn a_file_is_bounded_in_bytes_and_tokens() {
    let (_folder, file) = place();
    write(&file, &"#\n".repeat(1 << 19), 0o600);
    assert!(file.list().expect("as much as may be").is_empty());
    write(&file, &"#\n".repeat((1 << 19) + 1), 0o600);
    assert!(matches!(file.list(), Err(TokenError::TooLarge { .. })));
    let many = |count: usize| (0..count).map(|at| format!("t{at} read 2026-01-01 never {HASH}\n")).collect::<String>();
    write(&file, &many(MAX_TOKENS), 0o600);
    assert_eq!(file.list().expect("as many as may be").len(), MAX_TOKENS);
    assert!(matches!(file.create("a", Scope::Read.into(), None), Err(TokenError::TooMany { .. })));
    write(&file, &many(MAX_TOKENS + 1), 0o600);
    assert!(matches!(file.list(), Err(TokenError::TooMany { .. })));
}

#[test]
fn tokens_made_at_the_same_time_are_all_kept() {
    let (_folder, file) = place();
    std::thread::scope(|scope| {
        for at in 0..8 {
            let file = &file;
            scope.spawn(move || file.create(&format!("t{at}"), Scope::Write.into(), None).expect("made"));
        }
    });
    assert_eq!(file.list().expect("readable").len(), 8);
}
