//! `GET /v1/chart.svg`: a query's answer as a picture, for READMEs, mails and chats.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::http::request::Parts;
use metrics_core::Timestamp;
use metrics_core::chart::{SIZE_PX, SvgOptions, svg, title};
use metrics_core::wire::params;

use super::read::{
    AGG, EPOCH, EXPLAIN, FILL, FROM, GROUP_BY, LIMIT, NAME, ORDER, PER, POINTS, TO, TZ, WHERE, epoch_unit, pairs,
};
use crate::app::App;
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, Reply, content};
use crate::tokens::Scope;

/// A picture may be styled by itself; nothing in it runs, and it loads nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
/// Most windows or raw points of a series in a picture.
const MAX_WINDOWS: usize = 20_000;
/// What is drawn where nobody asked: a line with its band.
const DEFAULT_AGG: &str = "avg,min,max";

pub(crate) const CHART: Operation = Operation {
    method: "GET",
    id: "chart",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "A query's answer as a picture.",
    text: "A series with `avg`, `min` and `max` is a line with a band behind it. `points` is by default what the width \
        has room for.",
    params: &[
        NAME,
        FROM,
        TO,
        PER,
        POINTS,
        Param { text: "Comma list of aggregates as in `/v1/query`; `avg,min,max` by default.", ..AGG },
        WHERE,
        GROUP_BY,
        Param { text: "IANA zone of windows and of the time axis; UTC by default.", ..TZ },
        FILL,
        Param { text: "Which end of the time `limit` keeps.", ..ORDER },
        Param { text: "Most windows a series, at most 20,000.", ..LIMIT },
        Param { text: "Taken as in `/v1/query`, without effect.", ..EXPLAIN },
        Param { text: "Taken as in `/v1/query`, without effect.", ..EPOCH },
        Param::query("width", "Width in pixels; 800 by default.").whole(*SIZE_PX.start() as u64, *SIZE_PX.end() as u64),
        Param::query("height", "Height in pixels; 360 by default.")
            .whole(*SIZE_PX.start() as u64, *SIZE_PX.end() as u64),
        Param::query("theme", "Colours; `auto` (the default) follows the reader's screen.")
            .words(&["auto", "light", "dark"]),
        Param::query("title", "First line; the names by default."),
    ],
    takes: &[],
    gives: &[Answer { status: 200, text: "The picture.", kinds: &[("image/svg+xml", Schema::Text)] }],
};

/// `GET /v1/chart.svg`.
pub(crate) async fn svg_picture(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    let mut options = SvgOptions::default();
    let (mut asked, mut given) = (Vec::new(), Vec::new());
    for (key, value) in pairs(head)? {
        CHART.check_known(&key)?;
        let wrong = |what: String| Failure::malformed(format!("parameter \"{key}\": {what}"));
        let once = !matches!(key.as_str(), "name" | "where");
        if once && given.contains(&key) {
            return Err(Failure::malformed(format!("parameter \"{key}\" is given twice")));
        }
        match key.as_str() {
            "width" => options.width = pixels(&value).map_err(wrong)?,
            "height" => options.height = pixels(&value).map_err(wrong)?,
            "theme" => options.theme = value.parse().map_err(|error| wrong(format!("{error}")))?,
            "title" => options.title = value,
            "epoch" => {
                epoch_unit(&[(key.clone(), value)])?;
            }
            _ => asked.push((key.clone(), value)),
        }
        given.push(key);
    }
    let has = |key: &str| given.iter().any(|given| given == key);
    if !has("points") {
        asked.push(("points".to_owned(), (options.width / 2).max(1).to_string()));
    }
    if !has("agg") {
        asked.push(("agg".to_owned(), DEFAULT_AGG.to_owned()));
    }
    let mut request = params::decode(asked, Timestamp::now()).map_err(|error| Failure::malformed(error.to_string()))?;
    request.limit = request.limit.min(MAX_WINDOWS + 1);
    let engine = app.engine.clone();
    let work = move || {
        let frame = engine.query(&request)?;
        if frame.series.iter().any(|series| series.time.len() > MAX_WINDOWS) {
            let message =
                format!("a picture has room for {MAX_WINDOWS} windows a series: ask for wider ones, or per=auto");
            return Err(Failure::malformed(message));
        }
        if options.title.is_empty() {
            options.title = title(&request, &frame);
        }
        let mut reply = content(StatusCode::OK, "image/svg+xml", svg(&frame, &options));
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok(reply)
    };
    app.readers.run(work).await?
}

fn pixels(text: &str) -> Result<u32, String> {
    let pixels = text.parse().ok().filter(|pixels| SIZE_PX.contains(pixels));
    pixels.ok_or_else(|| format!("a whole number of pixels from {} to {} is required", SIZE_PX.start(), SIZE_PX.end()))
}
