//! Backups that a running server makes.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use metrics_core::{Engine, Options};
use metrics_http::{BackupOptions, ServerOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::harness::{PATIENCE, Server};

fn kept_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".duckdb")).collect();
    names.sort_unstable();
    names
}

fn options(folder: &TempDir) -> BackupOptions {
    BackupOptions::new(folder.path().join("copies"))
}

async fn with(backups: BackupOptions) -> Server {
    Server::with(ServerOptions { backups: Some(backups), ..ServerOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_asked_for_holds_what_was_acknowledged() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut backups = options(&folder);
    backups.check = true;
    let server = with(backups).await;
    assert_eq!(server.post(r#"[{"name":"a","value":1},{"name":"a","value":2}]"#).await.status, 201);
    let made = server.send("POST", "/v1/backup", &[], b"").await;
    assert_eq!((made.status, &made.json()["checked_points"]), (201, &2.into()), "{}", made.text());
    let file = made.json()["file"].as_str().expect("a name").to_owned();
    assert_eq!(kept_in(&folder.path().join("copies")), [file.as_str()]);
    let copy = Engine::open(folder.path().join("copies").join(&file)).expect("a backup is a store");
    let series = copy.series(Some("a"), &[]);
    assert_eq!((series[0].count, series[0].last_value), (2, 2.0));
    let figures = server.get("/metrics").await;
    assert!(figures.text().contains("\nmetrics_backups_made_total 1\n"), "{}", figures.text());
    assert!(!figures.text().contains("\nmetrics_backup_newest_timestamp_seconds 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_there_are_no_backups() {
    let server = Server::start().await;
    let refused = server.send("POST", "/v1/backup", &[], b"").await;
    assert_eq!((refused.status, refused.message().contains("--backup-dir")), (403, true));
    assert!(!server.get("/metrics").await.text().contains("\nmetrics_backup"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_makes_them_and_drops_the_oldest() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut backups = options(&folder);
    (backups.every, backups.keep) = (Some(Duration::from_secs(1)), NonZeroUsize::new(2).expect("two"));
    let server = with(backups).await;
    let copies = folder.path().join("copies");
    let begun = Instant::now();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 4 {
        assert!(begun.elapsed() < PATIENCE, "{seen:?}");
        seen.extend(kept_in(&copies));
        sleep(Duration::from_millis(20)).await;
    }
    drop(server);
    let kept = kept_in(&copies);
    assert!(kept.len() <= 3 && kept.last() >= seen.last(), "{kept:?} of {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_goes_on_over_a_restart() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut backups = options(&folder);
    backups.every = Some(Duration::from_secs(3_600));
    let mut first = with(backups.clone()).await;
    let copies = folder.path().join("copies");
    let begun = Instant::now();
    while kept_in(&copies).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the first is due at once");
        sleep(Duration::from_millis(20)).await;
    }
    let made = kept_in(&copies);
    first.ask_to_stop();
    first.ended().await;
    let second = with(backups).await;
    // The folder was not given back before the first server was gone, and is read once the second answers.
    assert!(second.get("/metrics").await.text().contains("\nmetrics_backups_made_total 0\n"));
    sleep(Duration::from_millis(300)).await;
    assert_eq!(kept_in(&copies), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_counted_and_tells_the_client_nothing_of_it() {
    let folder = TempDir::new().expect("a temporary folder");
    // The store was opened for SQL, and was not told of the folder.
    let store = Options { sql: true, ..Options::default() };
    let server =
        Server::with_store(ServerOptions { backups: Some(options(&folder)), ..ServerOptions::default() }, store).await;
    let failed = server.send("POST", "/v1/backup", &[("x-request-id", "b-1")], b"").await;
    assert_eq!((failed.status, failed.json()["request_id"].as_str()), (500, Some("b-1")));
    assert!(!failed.text().contains("SQL") && !failed.text().contains("copies"), "{}", failed.text());
    assert!(server.get("/metrics").await.text().contains("\nmetrics_backups_failed_total 1\n"));
    assert!(kept_in(&folder.path().join("copies")).is_empty());
}
