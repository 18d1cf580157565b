//! Arrow in and out, exports by URL, and answers in every coding.

use std::io::Read;
use std::time::Duration;

use metrics_core::{Batch, Point, Timestamp, encode, wire};
use metrics_http::ServerOptions;

use crate::harness::{Answer, Server};

const ARROW: &str = "application/vnd.apache.arrow.stream";
const EXPORT: &str = "/v1/export.parquet";

fn points(count: i64) -> Batch {
    let point = |at: i64| Point::new("load", Timestamp::clamped(at * 1_000_000), at as f64 / 4.0).expect("valid");
    (0..count)
        .map(|at| point(at).with_labels([("host", if at % 2 == 0 { "a" } else { "b" })]).expect("valid"))
        .collect()
}

async fn filled(options: ServerOptions) -> Server {
    let server = Server::with(options).await;
    let answer = server.post_as("/v1/metrics", ARROW, &encode::arrow::batch(&points(2_000))).await;
    assert_eq!((answer.status, answer.json()["points"].as_u64()), (201, Some(2_000)));
    server
}

fn read(body: &[u8]) -> Batch {
    wire::arrow::decode(body, None, 1 << 20).expect("an Arrow stream of points")
}

#[tokio::test(flavor = "multi_thread")]
async fn points_come_back_as_the_arrow_stream_that_they_were_and_may_be_posted_again() {
    let server = filled(ServerOptions::default()).await;
    let target = "/v1/query?name=load&from=1970-01-01&to=1970-01-02&per=raw";
    let answer = server.send("GET", target, &[("accept", ARROW)], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(ARROW)));
    let back = read(&answer.body);
    assert_eq!((back.len(), back.series().len()), (2_000, 2));
    let mut told: Vec<_> = back.points().map(|(key, at, value)| (key.to_string(), at, value.to_bits())).collect();
    let sent = points(2_000);
    let mut sent: Vec<_> = sent.points().map(|(key, at, value)| (key.to_string(), at, value.to_bits())).collect();
    told.sort_unstable();
    sent.sort_unstable();
    assert!(told == sent);
    assert_eq!(server.post_as("/v1/metrics", ARROW, &answer.body).await.status, 201);
    assert_eq!(server.points(), 4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_arrow_body_stores_nothing_and_says_what_is_wrong() {
    let server = Server::start().await;
    let whole = encode::arrow::batch(&points(10));
    for (body, words) in
        [(&whole[..whole.len() / 2], "cut"), (&b"timestamp,name,value\n"[..], "no Arrow IPC stream"), (b"", "empty")]
    {
        let answer = server.post_as("/v1/metrics", ARROW, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["message"].as_str().expect("a message").contains(words), "{:?}", answer.json());
    }
    let named = server.post_as("/v1/metrics?name=cpu", ARROW, &whole).await;
    assert!(named.json()["message"].as_str().expect("a message").contains("use only one"), "{:?}", named.json());
    assert_eq!(server.points(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_the_coding_that_is_liked_best() {
    let server = filled(ServerOptions::default()).await;
    let target = "/v1/query?name=load&from=1970-01-01&to=1970-01-02&per=raw";
    let plain = server.get(target).await;
    for (accept, coding) in [("gzip, deflate, zstd", "zstd"), ("gzip;q=1, zstd;q=0.5", "gzip"), ("deflate", "deflate")]
    {
        let answer = server.send("GET", target, &[("accept-encoding", accept)], b"").await;
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert!(answer.body.len() < plain.body.len() / 2, "{coding}");
        let mut text = Vec::new();
        match coding {
            "gzip" => flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut text).expect("gzip"),
            "deflate" => flate2::read::ZlibDecoder::new(&answer.body[..]).read_to_end(&mut text).expect("zlib"),
            _ => {
                zstd::stream::read::Decoder::new(&answer.body[..]).expect("zstd").read_to_end(&mut text).expect("zstd")
            }
        };
        assert!(text == plain.body, "{coding}");
    }
}

async fn part(server: &Server, range: &str) -> Answer {
    server.send("GET", EXPORT, &[("range", range)], b"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_an_export_make_the_whole_whatever_is_written_meanwhile() {
    let server = filled(ServerOptions::default()).await;
    let head = server.send("HEAD", EXPORT, &[], b"").await;
    assert_eq!((head.status, head.header("accept-ranges"), head.body.len()), (200, Some("bytes"), 0));
    let length: usize = head.header("content-length").expect("a length").parse().expect("a number");
    let tag = head.header("etag").expect("a tag").to_owned();
    let mut whole = Vec::new();
    for start in (0..length).step_by(1_000) {
        let answer = part(&server, &format!("bytes={start}-{}", start + 999)).await;
        assert_eq!((answer.status, answer.header("etag")), (206, Some(&*tag)));
        let end = (start + 1_000).min(length);
        assert_eq!(answer.header("content-range"), Some(&*format!("bytes {start}-{}/{length}", end - 1)));
        whole.extend_from_slice(&answer.body);
        // Another point between any two parts.
        assert_eq!(server.post(r#"{"name":"load","value":1}"#).await.status, 201);
    }
    assert!(whole.starts_with(b"PAR1") && whole.ends_with(b"PAR1"));
    let suffix = part(&server, "bytes=-8").await;
    assert_eq!((suffix.status, &suffix.body[..]), (206, &whole[length - 8..]));
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &whole).expect("writes");
    let mut reader = wire::parquet::ParquetReader::new(file.reopen().expect("opens"), None).expect("Parquet");
    assert_eq!(reader.next_batch(usize::MAX).expect("intact").expect("rows").batch.len(), 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_all_gets_what_is_there_now() {
    let server = filled(ServerOptions::default()).await;
    let first = server.get(EXPORT).await;
    let again = server.get(EXPORT).await;
    assert_eq!((first.status, first.header("content-type")), (200, Some("application/vnd.apache.parquet")));
    assert_eq!(first.header("etag"), again.header("etag"), "nothing was written in between");
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(server.send("GET", EXPORT, &[("if-none-match", &tag)], b"").await.status, 304);
    assert_eq!(server.post(r#"{"name":"load","value":1}"#).await.status, 201);
    let newer = server.get(EXPORT).await;
    assert_ne!(newer.header("etag"), Some(&*tag));
    let mixed = server.send("GET", EXPORT, &[("range", "bytes=0-3"), ("if-range", &tag)], b"").await;
    assert_eq!((mixed.status, mixed.body.len()), (200, newer.body.len()), "another version comes whole");
    assert_eq!(server.send("GET", EXPORT, &[("if-match", &tag)], b"").await.status, 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_what_was_asked_for_and_says_what_it_cannot_do() {
    let server = filled(ServerOptions { export_limit_bytes: 20_000, ..ServerOptions::default() }).await;
    let small = server.get(&format!("{EXPORT}?name=load&where=host%3Da&from=1970-01-01&to=1970-01-01T00:01:00Z")).await;
    assert_eq!(small.status, 200);
    let name = small.header("content-disposition").expect("a name");
    assert_eq!(name, "attachment; filename=\"load.parquet\"");
    let beyond = part(&server, "bytes=9999999-").await;
    let length = server.get(EXPORT).await.body.len();
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some(&*format!("bytes */{length}"))));
    for target in ["?from=x", "?to=1970-01-01&from=1970-01-02", "?format=csv", "?where=host"] {
        assert_eq!(server.get(&format!("{EXPORT}{target}")).await.status, 400, "{target}");
    }
    assert_eq!(server.send("POST", EXPORT, &[], b"").await.header("allow"), Some("GET, HEAD"));
    let tiny = filled(ServerOptions { export_limit_bytes: 100, ..ServerOptions::default() }).await;
    let refused = tiny.get(EXPORT).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["message"].as_str().expect("a message").contains("more than 100 bytes"),
        "{:?}",
        refused.json()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_kept_for_their_time_in_their_number_and_no_longer_than_the_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path().join("exports");
    std::fs::create_dir(&directory).expect("a folder");
    std::fs::write(directory.join("left.parquet"), "of an earlier server").expect("writes");
    let options = ServerOptions {
        export_directory: Some(directory.clone()),
        max_exports: 1,
        export_lifetime: Duration::from_millis(50),
        ..ServerOptions::default()
    };
    let mut server = filled(options).await;
    let files = || std::fs::read_dir(&directory).map_or(0, Iterator::count);
    assert_eq!(files(), 0, "what was left is gone");
    assert_eq!(part(&server, "bytes=0-3").await.status, 206);
    let full = server.get(&format!("{EXPORT}?name=load")).await;
    assert!(full.status == 200 || (full.status == 503 && full.header("retry-after").is_some()), "{}", full.status);
    let gone = async {
        while files() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("they end by themselves");
    assert_eq!(server.get(EXPORT).await.status, 200);
    server.ask_to_stop();
    server.ended().await.close().expect("closes");
    assert!(!directory.exists());
}
