//! The handlers, one file a family.

pub(crate) mod backup;
pub(crate) mod chart;
pub(crate) mod docs;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod influx;
pub(crate) mod otlp;
pub(crate) mod own_metrics;
pub(crate) mod page;
pub(crate) mod prometheus;
mod prometheus_json;
mod prometheus_params;
pub(crate) mod prometheus_series;
pub(crate) mod prometheus_told;
pub(crate) mod read;
pub(crate) mod ready;
pub(crate) mod remote_write;
pub(crate) mod seed;
pub(crate) mod sql;
pub(crate) mod stream;
pub(crate) mod write;
