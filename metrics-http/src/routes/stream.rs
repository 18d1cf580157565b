//! `GET /v1/stream`: server-sent events as windows change.
//!
//! A stream begins with the windows from `from` to now and goes on with those that change, whenever that is: a late
//! point changes an old window. What changed while an event was under way, or while the client did not read, comes
//! in one event after it; a client that reads nothing for [`crate::ServerOptions::answer_timeout`] is cut off.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};
use metrics_core::encode::EncodeOptions;
use metrics_core::wire::params;
use metrics_core::{Change, Order, QueryError, Timestamp, Watch, WatchPosition, parse_duration_micros};
use tokio::sync::OwnedSemaphorePermit;

use super::read::{AGG, EPOCH, FROM, GROUP_BY, NAME, PER, POINTS, TZ, WHERE, epoch_unit, pairs};
use crate::app::App;
use crate::content::{Content, Feeder};
use crate::events::{Events, MAX_EVENT_WINDOWS};
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, Reply};
use crate::tokens::{Grant, Scope};

/// Time between two events where none is asked for.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(250);
/// Shortest time between two events that may be asked for.
const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// Longest time between two events that may be asked for.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// After so many milliseconds a client that lost its stream comes again.
const RETRY_MS: u64 = 2_000;
/// Events that wait for the client.
const PARTS: usize = 2;
/// The place after which a client that comes again goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A stream is asked for as a query is; a query's order, end and length have no meaning here.
pub(crate) const STREAM: Operation = Operation {
    method: "GET",
    id: "stream",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Server-sent events as windows change.",
    text: "The first event `windows` holds the windows from `from` to now, each later one those that changed, old ones \
        too where late points came; its data is a frame as `/v1/query` gives it, with `names` before it: within its \
        `from` and `to`, these metrics have these windows now and no others. An event `reset` with `names` means that \
        too much changed: ask `/v1/query` again. A client that comes again with `Last-Event-ID` gets what it missed.",
    params: &[
        NAME,
        Param { text: "Start of the first event, at most 2,000 windows ago; the current window by default.", ..FROM },
        Param {
            text: "Width of the windows as in `/v1/query`; `minute` by default, `raw` for the points themselves.",
            ..PER
        },
        POINTS,
        AGG,
        WHERE,
        GROUP_BY,
        TZ,
        EPOCH,
        Param::query("interval", "Least time between two events, `50ms` to `60s`; `250ms` by default."),
        Param::header("Last-Event-ID", "The place after which to go on, as an event gave it."),
    ],
    takes: &[],
    gives: &[Answer { status: 200, text: "Events without end.", kinds: &[("text/event-stream", Schema::Text)] }],
};

/// What a client asked for.
struct Asked {
    events: Events,
    /// Start of the first event.
    from: Timestamp,
    interval: Duration,
    after: Option<WatchPosition>,
}

/// `GET /v1/stream`.
pub(crate) async fn stream(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    let now = Timestamp::now();
    let Asked { mut events, from, interval, after } = asked(app, head, now)?;
    if head.method == Method::HEAD {
        return Ok(reply(Content::empty()));
    }
    let seat = Arc::clone(&app.streams).try_acquire_owned();
    let seat = seat.map_err(|_| {
        Failure::overloaded(format!(
            "too many streams at once (--max-streams {}): try again in a moment",
            app.options.max_streams
        ))
    })?;
    // Before the first query, so that nothing falls between the two.
    let watch = app.engine.watch(events.names().to_vec(), after);
    let (events, first) = match after {
        Some(_) => (events, String::new()),
        None => {
            let id = watch.position();
            let work = move || events.first(from, now, id).map(|first| (events, first));
            app.readers.run(work).await??
        }
    };
    let (feeder, content) = Content::streamed(PARTS, None);
    let grant = head.extensions.get::<Grant>().cloned();
    let follower = Follower { app: Arc::clone(app), events: Some(events), watch, interval, grant, _seat: seat };
    tokio::spawn(follower.run(feeder, format!("retry: {RETRY_MS}\n\n{first}")));
    Ok(reply(content))
}

fn reply(content: Content) -> Reply {
    let mut reply = Response::new(content);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Else nginx would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    reply
}

fn asked(app: &App, head: &Parts, now: Timestamp) -> Result<Asked, Failure> {
    let (mut shared, mut epoch, mut interval) = (Vec::new(), Vec::new(), None);
    for (key, value) in pairs(head)? {
        match key.as_str() {
            "epoch" => epoch.push((key, value)),
            "interval" if interval.is_some() => {
                return Err(Failure::malformed("parameter \"interval\" is given twice"));
            }
            "interval" => interval = Some(parse_interval(&value)?),
            other => {
                STREAM.check_known(other)?;
                shared.push((key, value));
            }
        }
    }
    let has = |shared: &[(String, String)], key: &str| shared.iter().any(|(given, _)| given == key);
    if !has(&shared, "per") {
        shared.push(("per".to_owned(), "minute".to_owned()));
    }
    let whole = has(&shared, "from");
    let mut request = params::decode(shared, now).map_err(|error| Failure::malformed(error.to_string()))?;
    request.order = Order::Ascending;
    let asked_from = request.from;
    let events = Events::new(app.engine.clone(), request, EncodeOptions { epoch: epoch_unit(&epoch)? });
    let from = if whole { asked_from } else { events.window_start(now) };
    if !events.fits(from.micros(), now.micros()) {
        return Err(Failure::malformed(format!(
            "parameter \"from\": a stream begins with at most {MAX_EVENT_WINDOWS} windows: ask /v1/query for what is older"
        )));
    }
    let after = head.headers.get(LAST_EVENT_ID).map(|id| {
        let id = id.to_str().map_err(|_| "it is not plain text".to_owned());
        id.and_then(|id| id.parse().map_err(|error: metrics_core::WatchPositionError| error.to_string()))
    });
    let after = after.transpose().map_err(|error| Failure::malformed(format!("header Last-Event-ID: {error}")))?;
    Ok(Asked { events, from, interval: interval.unwrap_or(DEFAULT_INTERVAL), after })
}

fn parse_interval(text: &str) -> Result<Duration, Failure> {
    let wrong = |what: String| Failure::malformed(format!("parameter \"interval\": {what}"));
    let micros = parse_duration_micros(text).map_err(|error| wrong(error.to_string()))?;
    let interval = Duration::from_micros(micros.get().unsigned_abs());
    if (MIN_INTERVAL..=MAX_INTERVAL).contains(&interval) {
        Ok(interval)
    } else {
        Err(wrong(format!("{} s is not between 50 ms and 60 s", interval.as_secs_f64())))
    }
}

/// One stream under way.
struct Follower {
    app: Arc<App>,
    /// None while they are made on another thread.
    events: Option<Events>,
    watch: Watch,
    interval: Duration,
    /// The token that it was asked for with.
    grant: Option<Grant>,
    _seat: OwnedSemaphorePermit,
}

/// Why a stream ends by itself.
enum End {
    /// The client is gone or cut off.
    Gone,
    /// The store is closed, or could not be read in time: the client may come again.
    Store,
    /// Its token was revoked or has expired.
    Revoked,
}

impl Follower {
    async fn run(mut self, feeder: Feeder, first: String) {
        let app = Arc::clone(&self.app);
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = feeder.gone() => return,
            end = self.follow(&feeder, first) => if matches!(end, End::Gone) { return },
        }
        feeder.finish();
    }

    async fn follow(&mut self, feeder: &Feeder, first: String) -> End {
        if feeder.send(first).await.is_err() {
            return End::Gone;
        }
        loop {
            let text = match tokio::time::timeout(self.app.options.stream_keep_alive, self.watch.changed()).await {
                Err(_) => Ok(": nothing changed\n\n".to_owned()),
                Ok(None) => return End::Store,
                Ok(Some(change)) => self.made(change).await,
            };
            let Ok(text) = text else { return End::Store };
            if self.grant.as_ref().is_some_and(|grant| !grant.still_allows(Scope::Read, Timestamp::now())) {
                return End::Revoked;
            }
            if !text.is_empty() && feeder.send(text).await.is_err() {
                return End::Gone;
            }
            // What changes meanwhile comes in one event.
            tokio::time::sleep(self.interval).await;
        }
    }

    /// The events of a change, made on a thread for queries.
    async fn made(&mut self, change: Change) -> Result<String, Failure> {
        let mut events = self.events.take().expect("they come back before the next change is asked for");
        let id = self.watch.position();
        let work = move || {
            let text = events.of(change, id);
            (events, text)
        };
        let (events, text) = self.app.readers.run(work).await?;
        self.events = Some(events);
        text.map_err(|error: QueryError| Failure::from(error))
    }
}
