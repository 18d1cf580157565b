//! Prometheus' queries: `/api/v1/query` and `/api/v1/query_range`, as Grafana's data source asks them.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use metrics_core::Timestamp;
use metrics_core::promql::Query;

use super::prometheus_json::answer;
use super::prometheus_params::Params;
use crate::app::App;
use crate::respond::{Failure, Reply};

/// The value of an expression at one instant, now unless a time is given.
pub(crate) async fn query(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let params = Params::of(app, head, body).await?;
    let time = params.time("time")?.unwrap_or_else(Timestamp::now);
    run(app, &params, Query::at(params.required("query")?, time)).await
}

/// The values of an expression at every step from `start` to `end`.
pub(crate) async fn query_range(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let params = Params::of(app, head, body).await?;
    let (start, end) = (params.required_time("start")?, params.required_time("end")?);
    params.required("step")?;
    let step = params.duration("step")?.unwrap_or_default();
    run(app, &params, Query::range(params.required("query")?, start, end, step)).await
}

async fn run(app: &Arc<App>, params: &Params, mut query: Query) -> Result<Reply, Failure> {
    let limit = params.limit("limit")?;
    let asked = params.duration("timeout")?.unwrap_or(app.options.query_timeout);
    query.timeout = asked.min(app.options.query_timeout);
    if let Some(lookback) = params.duration("lookback_delta")? {
        query.lookback = lookback;
    }
    let engine = app.engine.clone();
    let work = move || Ok(answer(&engine.promql(&query)?, query.start, limit));
    app.readers.run(work).await?
}
