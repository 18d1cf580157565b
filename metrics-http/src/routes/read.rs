//! `/v1/query` and what the store knows by heart: series, latest values, labels.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::http::request::Parts;
use metrics_core::encode::{self, EncodeOptions, EpochUnit};
use metrics_core::wire::params;
use metrics_core::{LabelFilter, SeriesInfo, Timestamp};

use crate::app::App;
use crate::negotiate::FrameFormat;
use crate::respond::{Failure, Reply, content, json, serialized};

/// Most parameters in one request: every name and filter is one.
pub(super) const MAX_PARAMETERS: usize = 1_000;

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
        };
        let mut reply = content(StatusCode::OK, format.content_type(), body);
        reply.headers_mut().append(hyper::header::VARY, hyper::header::HeaderValue::from_static("Accept"));
        Ok(reply)
    };
    app.readers.run(work).await?
}

fn epoch_unit(pairs: &[(String, String)]) -> Result<EpochUnit, Failure> {
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
            other => {
                let other: String = other.chars().take(64).collect();
                return Err(Failure::malformed(format!("unknown parameter \"{other}\": use name and where")));
            }
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
