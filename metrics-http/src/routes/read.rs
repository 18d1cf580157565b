//! `/v1/query` and what the store knows by heart: series, latest values, labels.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::http::request::Parts;
use metrics_core::encode::{self, EncodeOptions, EpochUnit};
use metrics_core::wire::params;
use metrics_core::{LabelFilter, SeriesInfo, Timestamp};

use crate::app::App;
use crate::negotiate::{ARROW_STREAM, FrameFormat};
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, JSON, Reply, content, json, serialized};
use crate::tokens::Scope;

/// Most parameters in one request: every name and filter is one.
pub(super) const MAX_PARAMETERS: usize = 1_000;

/// Names of metrics.
pub(super) const NAME: Param = Param::query("name", "Name of a metric.").required().repeated();
/// Filters by labels.
pub(super) const WHERE: Param =
    Param::query("where", "Filter by a label: `host=a`, `host!=a`, `host=~web.*`, `host!~web.*`.").repeated();
/// Start of the time asked for.
pub(super) const FROM: Param =
    Param::query("from", "Start: RFC 3339, a date, an epoch number, or relative such as `now-24h` (the default).");
/// End of the time asked for.
pub(super) const TO: Param = Param::query("to", "End, not included; now by default.");
/// Width of windows.
pub(super) const PER: Param = Param::query(
    "per",
    "Width of the windows: `minute`, `hour`, `day`, `week`, `month`, a duration such as `15s`; `raw` for points; `auto` \
     (the default) picks one.",
);
/// Aggregates.
pub(super) const AGG: Param = Param::query(
    "agg",
    "Comma list of `avg`, `min`, `max`, `sum`, `count`, `first`, `last`, `stddev`, `median`, `p50` to `p99.9`, `rate`, \
     `increase`; `avg` by default.",
);
/// Series that are put together.
pub(super) const GROUP_BY: Param =
    Param::query("group_by", "Comma list of labels; `*` keeps every series by itself; all together by default.");
/// Zone of calendar windows.
pub(super) const TZ: Param =
    Param::query("tz", "IANA zone of hours, days, weeks and months, such as `Europe/Berlin`; UTC by default.");
/// Windows that `per=auto` aims at.
pub(super) const POINTS: Param =
    Param::query("points", "Most windows of `per=auto`; 500 by default.").whole(1, params::MAX_LIMIT as u64);
/// The form of times.
pub(super) const EPOCH: Param =
    Param::query("epoch", "Times as whole numbers in this unit in place of RFC 3339.").words(&["ms", "us"]);

/// What empty windows show.
pub(super) const FILL: Param = Param::query("fill", "What windows without points show; they are left out by default.")
    .words(&["none", "null", "zero", "previous", "linear"]);
/// Order in time.
pub(super) const ORDER: Param = Param::query("order", "Oldest first by default.").words(&["asc", "desc"]);
/// Windows of a series.
pub(super) const LIMIT: Param =
    Param::query("limit", "Most windows a series; 100,000 by default.").whole(1, params::MAX_LIMIT as u64);
/// How the answer was made.
pub(super) const EXPLAIN: Param = Param::query("explain", "Adds what was read to answer.").words(&["true", "false"]);

pub(crate) const QUERY: Operation = Operation {
    method: "GET",
    id: "query",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Aggregates of windows, or the points themselves.",
    text: "By column; `Accept` chooses JSON, CSV, NDJSON or an Arrow stream.",
    params: &[NAME, FROM, TO, PER, POINTS, AGG, WHERE, GROUP_BY, FILL, TZ, ORDER, LIMIT, EXPLAIN, EPOCH],
    takes: &[],
    gives: &[Answer {
        status: 200,
        text: "The frame.",
        kinds: &[
            (JSON, Schema::Named("Frame")),
            ("text/csv", Schema::Text),
            ("application/x-ndjson", Schema::Text),
            (ARROW_STREAM, Schema::Text),
        ],
    }],
};

/// The parameters of lists of series.
const SELECTION: &[Param] = &[Param::query("name", "Name of a metric; all by default."), WHERE];

pub(crate) const SERIES: Operation = Operation {
    method: "GET",
    id: "series",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Series with their first and last time, last value and number of points.",
    text: "",
    params: SELECTION,
    takes: &[],
    gives: &[Answer {
        status: 200,
        text: "The series, by name and labels.",
        kinds: &[(JSON, Schema::Named("SeriesList"))],
    }],
};

pub(crate) const LATEST: Operation = Operation {
    method: "GET",
    id: "latest",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "The latest point of each series.",
    text: "",
    params: SELECTION,
    takes: &[],
    gives: &[Answer {
        status: 200,
        text: "The points, by name and labels.",
        kinds: &[(JSON, Schema::Named("LatestList"))],
    }],
};

pub(crate) const LABELS: Operation = Operation {
    method: "GET",
    id: "labels",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Names of all labels.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[Answer { status: 200, text: "The names, ascending.", kinds: &[(JSON, Schema::Named("Names"))] }],
};

pub(crate) const LABEL_VALUES: Operation = Operation {
    method: "GET",
    id: "label_values",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Values of a label.",
    text: "",
    params: &[Param::path("label", "Name of the label.")],
    takes: &[],
    gives: &[Answer { status: 200, text: "The values, ascending.", kinds: &[(JSON, Schema::Named("Names"))] }],
};

/// The pairs of the query string, decoded.
pub(crate) fn pairs(head: &Parts) -> Result<Vec<(String, String)>, Failure> {
    let query = head.uri.query().unwrap_or_default();
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().take(MAX_PARAMETERS + 1).collect();
    if pairs.len() > MAX_PARAMETERS {
        return Err(Failure::malformed(format!("more than {MAX_PARAMETERS} parameters")));
    }
    Ok(pairs)
}

/// `GET /v1/query`.
pub(crate) async fn query(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    let format = FrameFormat::of(&head.headers)?;
    let (epoch, pairs): (Vec<_>, Vec<_>) = pairs(head)?.into_iter().partition(|(key, _)| key == "epoch");
    let options = EncodeOptions { epoch: epoch_unit(&epoch)? };
    let request = params::decode(pairs, Timestamp::now()).map_err(|error| Failure::malformed(error.to_string()))?;
    let engine = app.engine.clone();
    let work = move || {
        let frame = engine.query(&request)?;
        let body = match format {
            FrameFormat::Json => encode::json::frame(&frame, &options),
            FrameFormat::Csv => encode::csv::frame(&frame, &options),
            FrameFormat::Ndjson => encode::ndjson::frame(&frame, &options),
            FrameFormat::Arrow => encode::arrow::frame(&frame, &options),
        };
        let mut reply = content(StatusCode::OK, format.content_type(), body);
        reply.headers_mut().append(hyper::header::VARY, hyper::header::HeaderValue::from_static("Accept"));
        Ok(reply)
    };
    app.readers.run(work).await?
}

pub(crate) fn epoch_unit(pairs: &[(String, String)]) -> Result<EpochUnit, Failure> {
    match pairs {
        [] => Ok(EpochUnit::Rfc3339),
        [(_, unit)] => unit.parse().map_err(|error| Failure::malformed(format!("parameter \"epoch\": {error}"))),
        _ => Err(Failure::malformed("parameter \"epoch\" is given twice")),
    }
}

/// `GET /v1/series?name=&where=`.
pub(crate) async fn series(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    listed(app, head, encode::json::series).await
}

/// `GET /v1/latest?name=&where=`.
pub(crate) async fn latest(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    listed(app, head, encode::json::latest).await
}

/// From memory, but of many series: on a thread of its own.
async fn listed(app: &Arc<App>, head: &Parts, encode: fn(&[SeriesInfo]) -> Vec<u8>) -> Result<Reply, Failure> {
    let (name, filters) = selection(pairs(head)?)?;
    let engine = app.engine.clone();
    let body = app.coders.run(move || encode(&engine.series(name.as_deref(), &filters))).await?;
    Ok(json(StatusCode::OK, body))
}

fn selection(pairs: Vec<(String, String)>) -> Result<(Option<String>, Vec<LabelFilter>), Failure> {
    let (mut name, mut filters) = (None, Vec::new());
    for (key, value) in pairs {
        match key.as_str() {
            "name" if name.is_some() => return Err(Failure::malformed("parameter \"name\" is given twice")),
            "name" => name = Some(value),
            "where" => {
                let filter = value.parse();
                filters.push(filter.map_err(|error| Failure::malformed(format!("parameter \"where\": {error}")))?);
            }
            other => SERIES.check_known(other)?,
        }
    }
    Ok((name, filters))
}

/// `GET /v1/labels`.
pub(crate) async fn labels(app: &Arc<App>) -> Result<Reply, Failure> {
    let engine = app.engine.clone();
    app.coders.run(move || serialized(StatusCode::OK, &engine.label_names())).await
}

/// `GET /v1/labels/{label}`: its values.
pub(crate) async fn label_values(app: &Arc<App>, label: &str) -> Result<Reply, Failure> {
    let (engine, label) = (app.engine.clone(), label.to_owned());
    app.coders.run(move || serialized(StatusCode::OK, &engine.label_values(&label))).await
}
