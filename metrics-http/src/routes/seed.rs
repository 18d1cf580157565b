//! The first API: names of metrics, and averages of one metric in windows.

use std::sync::Arc;

use hyper::StatusCode;
use metrics_core::wire::params;
use metrics_core::{Aggregate, Frame, MetricName, Order, Per, QueryRequest, Resolution, Timestamp};
use serde::Serialize;

use crate::app::App;
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, JSON, Reply, serialized};
use crate::router::PathParams;
use crate::tokens::Scope;

pub(crate) const NAMES: Operation = Operation {
    method: "GET",
    id: "names",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Names of all metrics.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[Answer { status: 200, text: "The names, ascending.", kinds: &[(JSON, Schema::Named("Names"))] }],
};

pub(crate) const AVERAGES: Operation = Operation {
    method: "GET",
    id: "averages",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Averages of one metric, newest first, over all its labels.",
    text: "Only windows with points; both ends of the time are included. An unknown name has no windows.",
    params: &[
        Param::path("name", "Name of the metric."),
        Param::path("granularity", "`minute`, `hour`, `day`, `week`, `month` or a duration such as `5m`."),
        Param::path("start", "Start: a date (midnight UTC) or RFC 3339."),
        Param::path("end", "End: a date (midnight UTC) or RFC 3339."),
    ],
    takes: &[],
    gives: &[Answer { status: 200, text: "The averages.", kinds: &[(JSON, Schema::Named("Averages"))] }],
};

/// `GET /v1/metrics`: every name, ascending.
pub(crate) fn names(app: &App) -> Reply {
    let names = app.engine.metric_names();
    let names: Vec<&str> = names.iter().map(MetricName::as_str).collect();
    serialized(StatusCode::OK, &names)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Averages<'a> {
    metric_name: &'a str,
    granularity: &'a str,
    start_time: String,
    end_time: String,
    data: Vec<WindowAverage>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WindowAverage {
    time_frame: String,
    avg: Number,
}

/// A number as JavaScript writes it: without a fraction where it has none.
struct Number(Option<f64>);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Below this every whole number has a value of its own.
        const WHOLE_BELOW: f64 = (1_u64 << 53) as f64;
        match self.0.filter(|value| value.is_finite()) {
            None => serializer.serialize_none(),
            Some(value) if value.fract() == 0.0 && value.abs() < WHOLE_BELOW => serializer.serialize_i64(value as i64),
            Some(value) => serializer.serialize_f64(value),
        }
    }
}

/// `GET /v1/metrics/{name}/{granularity}/{start}/{end}`: newest first, all labels together, both ends included.
pub(crate) async fn averages(app: &Arc<App>, params: &PathParams) -> Result<Reply, Failure> {
    let (name, granularity) = (params.get("name").to_owned(), params.get("granularity").to_owned());
    let start = time("start", params.get("start"))?;
    let end = time("end", params.get("end"))?;
    if end < start {
        return Err(Failure::malformed(format!("start ({start}) must not be after end ({end})")));
    }
    let resolution: Resolution = granularity
        .parse()
        .map_err(|error| Failure::malformed(format!("granularity: {error}, or minute, hour, day, week, month")))?;
    let mut request = QueryRequest::new([&name], start, end.saturating_add_micros(1))
        .map_err(|error| Failure::malformed(error.to_string()))?;
    request.per = Per::Every(resolution);
    request.aggregates = vec![Aggregate::Avg];
    request.order = Order::Descending;
    request.limit = params::MAX_LIMIT;
    let engine = app.engine.clone();
    let work = move || {
        let frame = engine.query(&request)?;
        let data = data(&frame);
        let (start_time, end_time) = (start.to_string(), end.to_string());
        let answer = Averages { metric_name: &name, granularity: &granularity, start_time, end_time, data };
        Ok(serialized(StatusCode::OK, &answer))
    };
    app.readers.run(work).await?
}

fn data(frame: &Frame) -> Vec<WindowAverage> {
    let Some(series) = frame.series.first() else { return Vec::new() };
    let averages = series.column(Aggregate::Avg).unwrap_or_default();
    let rows = series.time.iter().zip(averages);
    rows.map(|(time, avg)| WindowAverage { time_frame: time.to_string(), avg: Number(*avg) }).collect()
}

/// A date or RFC 3339; a bare number, which other calls take for an epoch, is neither.
fn time(part: &str, text: &str) -> Result<Timestamp, Failure> {
    let is_number = text.trim().parse::<f64>().is_ok();
    let time = Timestamp::parse(text).ok().filter(|_| !is_number);
    time.ok_or_else(|| {
        let text: String = text.chars().take(64).collect();
        let right = "use a date such as 2024-02-02 or RFC 3339 such as 2024-02-02T11:43:02Z";
        Failure::malformed(format!("{part} \"{text}\" is not a time: {right}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_fraction() {
        let text = |value| serde_json::to_string(&Number(value)).expect("a number");
        assert_eq!(text(Some(30.0)), "30");
        assert_eq!(text(Some(-0.0)), "0");
        assert_eq!(text(Some(0.1)), "0.1");
        assert_eq!(text(Some(1e300)), "1e+300");
        assert_eq!(text(Some(f64::NAN)), "null");
        assert_eq!(text(None), "null");
    }

    #[test]
    fn only_dates_and_rfc_3339_are_times() {
        for text in ["2024-02-02", "2024-02-02T11:43:02.099Z", "2024-02-02T11:43:02+01:00"] {
            assert!(time("start", text).is_ok(), "{text}");
        }
        for text in ["2024-02-30", "yesterday", "1706874182", "1e9", "", "2024"] {
            assert_eq!(time("start", text).expect_err(text).status(), StatusCode::BAD_REQUEST, "{text}");
        }
    }
}
