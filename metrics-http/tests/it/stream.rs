//! Server-sent events, byte by byte.

use std::time::Duration;

use metrics_core::{MetricName, Timestamp};
use metrics_http::ServerOptions;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

use crate::harness::{Client, PATIENCE, Server, request};

/// An open stream.
struct Stream {
    client: Client,
    read: Vec<u8>,
}

/// One event, or a comment with nothing but that.
#[derive(Debug, Default)]
struct Event {
    id: Option<String>,
    kind: String,
    data: Value,
    retry: Option<String>,
    comment: Option<String>,
}

impl Stream {
    async fn open(server: &Server, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut client = server.connect().await;
        client.write(&request("GET", &format!("/v1/stream?{query}"), headers, b"")).await;
        let mut stream = Self { client, read: Vec::new() };
        let head = stream.until(b"\r\n\r\n").await;
        let head = String::from_utf8(head).expect("ASCII").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream") && head.contains("cache-control: no-store"), "{head}");
        let first = stream.event().await;
        assert_eq!(first.retry.as_deref(), Some("2000"));
        stream
    }

    async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let found = async {
            loop {
                if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                    return self.read.drain(..at + end.len()).collect();
                }
                let count = self.client.stream.read_buf(&mut self.read).await.expect("readable");
                assert!(count > 0, "the stream ended: {}", String::from_utf8_lossy(&self.read));
            }
        };
        timeout(PATIENCE, found).await.expect("it comes")
    }

    /// The next event. Its lines may stand between lengths of chunks, which are no fields of events.
    async fn event(&mut self) -> Event {
        let text = String::from_utf8(self.until(b"\n\n").await).expect("UTF-8");
        let mut event = Event::default();
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                Some(("retry", retry)) => event.retry = Some(retry.to_owned()),
                Some(("", comment)) => event.comment = Some(comment.to_owned()),
                _ => {}
            }
        }
        event
    }
}

async fn write(server: &Server, name: &str, at: &str, value: f64) {
    let body = json!({"name": name, "timestamp": at, "value": value}).to_string();
    assert_eq!(server.post(&body).await.status, 201);
}

const OLD: &str = "name=a&per=hour&agg=avg,count";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_the_current_window_and_goes_on_with_what_changes() {
    let server = Server::start().await;
    let now = Timestamp::now().to_string();
    write(&server, "a", &now, 1.0).await;
    let mut stream = Stream::open(&server, "name=a&per=day", &[]).await;
    let first = stream.event().await;
    assert_eq!(
        (first.kind.as_str(), &first.data["names"], &first.data["per"]),
        ("windows", &json!(["a"]), &json!("day"))
    );
    assert_eq!(first.data["series"][0]["avg"], json!([1]));
    write(&server, "b", &now, 9.0).await;
    write(&server, "a", &now, 3.0).await;
    let next = stream.event().await;
    assert_eq!(next.data["series"][0]["avg"], json!([2]), "and nothing came of the other metric");
    assert!(next.id.is_some() && next.id != first.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_point_changes_an_old_window_and_a_deletion_empties_it() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, OLD, &[]).await;
    assert_eq!(stream.event().await.data["series"], json!([]));
    write(&server, "a", "2014-02-02T10:59:59Z", 4.0).await;
    let late = stream.event().await.data;
    assert_eq!((&late["from"], &late["to"]), (&json!("2014-02-02T10:00:00Z"), &json!("2014-02-02T11:00:00Z")));
    assert_eq!((&late["series"][0]["avg"], &late["series"][0]["count"]), (&json!([4]), &json!([1])));
    let span = |text| Timestamp::parse(text).expect("valid");
    let (from, to) = (span("2014-02-02T10:30:00Z"), span("2014-02-02T11:00:00Z"));
    let (engine, name) = (server.engine.clone(), MetricName::new("a").expect("valid"));
    let deleted = tokio::task::spawn_blocking(move || engine.delete(&name, &[], from, to)).await.expect("runs");
    assert_eq!(deleted.expect("deletes"), 1);
    let empty = stream.event().await.data;
    assert_eq!((&empty["from"], &empty["series"]), (&json!("2014-02-02T10:00:00Z"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_again_gets_what_it_missed() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, OLD, &[]).await;
    let id = stream.event().await.id.expect("the first event has a place");
    drop(stream);
    write(&server, "a", "2014-02-02T10:00:00Z", 1.0).await;
    write(&server, "a", "2015-02-02T10:00:00Z", 2.0).await;
    let mut again = Stream::open(&server, OLD, &[("last-event-id", &id)]).await;
    let (first, second) = (again.event().await, again.event().await);
    assert_eq!(first.data["from"], json!("2014-02-02T10:00:00Z"));
    assert_eq!(second.data["from"], json!("2015-02-02T10:00:00Z"));
    assert_eq!((first.id, second.id.is_some()), (None, true), "only the last one moves the place");
    let mut stranger = Stream::open(&server, OLD, &[("last-event-id", "1-1")]).await;
    let reset = stranger.event().await;
    assert_eq!((reset.kind.as_str(), &reset.data), ("reset", &json!({"names": ["a"]})));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_across_more_windows_than_an_event_holds_are_a_reset() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "name=a&per=1s", &[]).await;
    stream.event().await;
    let rows = (0..20).map(|day| format!("2014-02-{:02}T00:00:00Z,a,1\n", day + 1));
    let csv = format!("timestamp,name,value\n{}", rows.collect::<String>());
    assert_eq!(server.post_as("/v1/metrics", "text/csv", csv.as_bytes()).await.status, 201);
    let reset = stream.event().await;
    assert_eq!((reset.kind.as_str(), &reset.data), ("reset", &json!({"names": ["a"]})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_events_keeps_itself_alive_and_ends_with_the_server() {
    let options =
        ServerOptions { stream_keep_alive: Duration::from_millis(50), grace: PATIENCE, ..ServerOptions::default() };
    let mut server = Server::with(options).await;
    let mut stream = Stream::open(&server, OLD, &[]).await;
    stream.event().await;
    assert_eq!(stream.event().await.comment.as_deref(), Some("nothing changed"));
    let start = Instant::now();
    server.ask_to_stop();
    server.ended().await;
    assert!(start.elapsed() < PATIENCE / 3, "{:?}", start.elapsed());
    let rest = String::from_utf8(stream.client.closed().await).expect("UTF-8");
    assert!(rest.ends_with("0\r\n\r\n"), "the answer ends as one that is whole: {rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_and_their_room_comes_back() {
    let server = Server::with(ServerOptions { max_streams: 1, ..ServerOptions::default() }).await;
    let stream = Stream::open(&server, OLD, &[]).await;
    let figures = server.get("/metrics").await;
    assert!(figures.text().contains("\nmetrics_http_streams 1\n"), "{}", figures.text());
    let refused = server.get(&format!("/v1/stream?{OLD}")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let head = server.send("HEAD", &format!("/v1/stream?{OLD}"), &[], b"").await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "takes no room");
    drop(stream);
    let freed = async { while server.get("/metrics").await.text().contains("\nmetrics_http_streams 1\n") {} };
    timeout(PATIENCE, freed).await.expect("the room comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off() {
    let options = ServerOptions { answer_timeout: Duration::from_millis(300), ..ServerOptions::default() };
    let server = Server::with(options).await;
    let stream = Stream::open(&server, "name=a&per=raw&interval=50ms", &[]).await;
    // Events of some 60 kB, each of another day, until the system takes no more of them for the client.
    let writes = async {
        let mut day = 0;
        while server.get("/metrics").await.text().contains("\nmetrics_http_streams 1\n") {
            day += 1;
            let at = Timestamp::parse("2014-01-01").expect("a date").saturating_add_micros(day * 86_400_000_000);
            let row = |second: i64| format!("{},a,{second}\n", at.saturating_add_micros(second * 1_000_000));
            let csv = format!("timestamp,name,value\n{}", (0..1_900).map(row).collect::<String>());
            assert_eq!(server.post_as("/v1/metrics", "text/csv", csv.as_bytes()).await.status, 201);
        }
    };
    timeout(PATIENCE * 2, writes).await.expect("the stream ends");
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_cannot_do_is_refused_by_name() {
    let server = Server::start().await;
    for (query, word) in [
        ("per=hour", "name"),
        ("name=a&fill=null", "fill"),
        ("name=a&to=now", "to"),
        ("name=a&interval=1ms", "interval"),
        ("name=a&interval=1s&interval=1s", "twice"),
        ("name=a&per=1s&from=now-1d", "2000 windows"),
        ("name=a&epoch=s", "epoch"),
    ] {
        let answer = server.get(&format!("/v1/stream?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.message().contains(word), "{query}: {}", answer.message());
    }
    let answer = server.send("GET", &format!("/v1/stream?{OLD}"), &[("last-event-id", "x")], b"").await;
    assert_eq!((answer.status, answer.message().contains("Last-Event-ID")), (400, true));
}
