//! What Prometheus' API tells of series, labels and itself. All of it is known from memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use metrics_core::SeriesInfo;
use metrics_core::promql::Metric;

use super::prometheus_json::{push_list, push_metric, push_string, success, texts};
use super::prometheus_params::Params;
use crate::app::App;
use crate::respond::{Failure, Reply, json};

/// The version of Prometheus whose API and whose semantics these are: what its clients ask for.
const PROMETHEUS_VERSION: &str = "3.0.0";

/// Name and labels of the series that any `match[]` takes.
pub(crate) async fn series(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let params = Params::of(app, head, body).await?;
    let (selectors, (start, end), limit) = (params.selectors()?, params.span()?, params.limit("limit")?);
    if selectors.is_empty() {
        return Err(Failure::malformed("no match[] parameter provided"));
    }
    let engine = app.engine.clone();
    let list = move || {
        let found = engine.select(&selectors, start, end);
        let shown = found.iter().take(limit).map(metric);
        success(|body| push_list(body, b'[', shown, |body, metric| push_metric(body, &metric)), found.len() > limit)
    };
    app.coders.run(list).await
}

fn metric(info: &SeriesInfo) -> Metric {
    Metric { name: Some(info.key.name.clone()), labels: info.key.labels.clone() }
}

/// Names of labels.
pub(crate) async fn labels(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let params = Params::of(app, head, body).await?;
    listed(app, &params, |metric, found| {
        for (label, _) in metric.pairs() {
            if !found.contains(label) {
                found.insert(label.to_owned());
            }
        }
    })
    .await
}

/// Values of a label.
pub(crate) async fn label_values(app: &Arc<App>, head: &Parts, label: &str) -> Result<Reply, Failure> {
    let label = unescaped(label).unwrap_or_else(|| label.to_owned());
    listed(app, &Params::of_address(head)?, move |metric, found| {
        let value = metric.get(&label);
        if !value.is_empty() && !found.contains(value) {
            found.insert(value.to_owned());
        }
    })
    .await
}

/// Texts of the series that are selected, of all where nothing is.
async fn listed(
    app: &Arc<App>,
    params: &Params,
    collect: impl Fn(&Metric, &mut BTreeSet<String>) + Send + 'static,
) -> Result<Reply, Failure> {
    let (selectors, (start, end), limit) = (params.selectors()?, params.span()?, params.limit("limit")?);
    let engine = app.engine.clone();
    let list = move || {
        let series = match selectors.is_empty() {
            true => engine.series(None, &[]),
            false => engine.select(&selectors, start, end),
        };
        let mut found = BTreeSet::new();
        let inside = series.iter().filter(|info| info.first <= end && info.last >= start);
        inside.for_each(|info| collect(&metric(info), &mut found));
        texts(&found.into_iter().collect::<Vec<_>>(), limit)
    };
    app.coders.run(list).await
}

/// A label's name as Prometheus 3 writes one in an address that has other characters than letters, digits and `_`:
/// `U__` in front, each of those others as its code point in hexadecimal between `_` and `_`, and `__` for `_`.
fn unescaped(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix("U__")?;
    let mut name = String::new();
    while let Some(at) = rest.find('_') {
        name.push_str(&rest[..at]);
        let (code, after) = rest[at + 1..].split_once('_')?;
        match code {
            "" => name.push('_'),
            code if code.len() <= 6 => name.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?),
            _ => return None,
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// What is known of metrics besides their points: nothing but that they are there, for no writer's words are kept.
pub(crate) async fn metadata(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    let params = Params::of_address(head)?;
    let limit = params.limit("limit")?;
    let only = params.get("metric").map(str::to_owned);
    let engine = app.engine.clone();
    let list = move || {
        let names = engine.metric_names();
        let shown = names.iter().filter(|name| only.as_deref().is_none_or(|only| name.as_str() == only)).take(limit);
        let push = |body: &mut Vec<u8>, name: &metrics_core::MetricName| {
            push_string(body, name.as_str());
            body.extend_from_slice(br#":[{"type":"unknown","help":"","unit":""}]"#);
        };
        success(|body| push_list(body, b'{', shown, push), false)
    };
    app.coders.run(list).await
}

/// No point has an exemplar here.
pub(crate) fn exemplars() -> Reply {
    success(|body| body.extend_from_slice(b"[]"), false)
}

/// There are no rules here.
pub(crate) fn rules() -> Reply {
    success(|body| body.extend_from_slice(br#"{"groups":[]}"#), false)
}

/// Which API this is. Grafana takes a server without `features` for Prometheus itself.
pub(crate) fn build_info() -> Reply {
    let revision = concat!("metrics ", env!("CARGO_PKG_VERSION"));
    let body = format!(
        r#"{{"status":"success","data":{{"version":"{PROMETHEUS_VERSION}","revision":"{revision}","branch":"","buildUser":"","buildDate":"","goVersion":""}}}}"#
    );
    json(StatusCode::OK, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_label_names_are_read() {
        for (text, expected) in [
            ("U__http_2e_status__code", Some("http.status_code")),
            ("U__a_1f600_", Some("a\u{1f600}")),
            ("U__", Some("")),
            ("job", None),
            ("U__a_zz_", None),
            ("U__a_", None),
            ("U__a_d800_", None),
            ("U___1234567_", None),
        ] {
            assert_eq!(unescaped(text).as_deref(), expected, "{text}");
        }
    }
}
