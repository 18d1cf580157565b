//! `/ping`: the server answers. `/health`: the store answers too.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use serde::Serialize;

use crate::app::App;
use crate::negotiate;
use crate::openapi::{Answer, Group, Operation, Schema};
use crate::respond::{JSON, Reply, json, no_content, serialized};

/// The InfluxDB whose way to write points is understood: its clients look for a version here.
const INFLUX_VERSION: HeaderValue = HeaderValue::from_static("1.8.0");

pub(crate) const PING: Operation = Operation {
    method: "GET",
    id: "ping",
    group: Group::Server,
    needs: None,
    summary: "The server answers.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[
        Answer { status: 200, text: "It does.", kinds: &[(JSON, Schema::Named("Ping"))] },
        Answer { status: 204, text: "It does, to a client that takes no JSON.", kinds: &[] },
    ],
};

pub(crate) const HEALTH: Operation = Operation {
    method: "GET",
    id: "health",
    group: Group::Server,
    needs: None,
    summary: "The store answers too.",
    text: "",
    params: &[],
    takes: &[],
    gives: &[
        Answer { status: 200, text: "It does.", kinds: &[(JSON, Schema::Named("Health"))] },
        Answer { status: 503, text: "It does not.", kinds: &[(JSON, Schema::Named("Health"))] },
    ],
};

/// `GET /ping`; without a body for those who take no JSON, as InfluxDB answers.
pub(crate) fn ping(head: &Parts) -> Reply {
    let takes_json = negotiate::accepts(&head.headers, JSON);
    let mut reply = if takes_json { json(StatusCode::OK, r#"{"status":"up"}"#) } else { no_content() };
    reply.headers_mut().insert("x-influxdb-version", INFLUX_VERSION);
    reply
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    resources: [Resource; 1],
}

/// Something that a server needs.
#[derive(Serialize)]
pub(super) struct Resource {
    name: &'static str,
    status: &'static str,
    message: &'static str,
}

impl Resource {
    /// Down where there is something to say about it.
    pub(super) fn new(name: &'static str, message: &'static str) -> Self {
        Self { name, status: if message.is_empty() { "up" } else { "down" }, message }
    }

    pub(super) fn is_up(&self) -> bool {
        self.message.is_empty()
    }
}

/// `GET /health`.
pub(crate) async fn health(app: &Arc<App>) -> Reply {
    let database = Resource::new("database", store(app).await);
    let code = if database.is_up() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    serialized(code, &Health { status: database.status, resources: [database] })
}

/// Why the store does not answer; empty where it does.
pub(super) async fn store(app: &Arc<App>) -> &'static str {
    let engine = app.engine.clone();
    let check = app.watchers.run(move || engine.health());
    let (begun, limit) = (Instant::now(), app.options.health_timeout);
    match tokio::time::timeout(limit, check).await {
        // The timer counts in milliseconds: an answer between the limit and its tick is late all the same.
        Ok(_) if begun.elapsed() > limit => "the store did not answer in time",
        Ok(Ok(Ok(()))) => "",
        Ok(Ok(Err(error))) => {
            tracing::error!(%error, "the store does not answer");
            "the store does not answer: the server's log tells why"
        }
        Ok(Err(_)) => "the store could not be asked",
        Err(_) => "the store did not answer in time",
    }
}
