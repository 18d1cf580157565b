//! `/ready`: whether the server may be sent requests, and what stands in the way.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use metrics_core::Stats;
use serde::Serialize;

use super::health;
use crate::app::App;
use crate::openapi::{Answer, Group, Operation, Schema};
use crate::respond::{JSON, Reply, serialized};

pub(crate) const READY: Operation = Operation {
    method: "GET",
    id: "ready",
    group: Group::Server,
    needs: None,
    summary: "The server takes writes and answers reads.",
    text: "What stands in the way is named. From the moment that the server is told to stop it is not ready.",
    params: &[],
    takes: &[],
    gives: &[
        Answer { status: 200, text: "It does.", kinds: &[(JSON, Schema::Named("Health"))] },
        Answer {
            status: 503,
            text: "It does not: the resources that are down say why.",
            kinds: &[(JSON, Schema::Named("Health"))],
        },
    ],
};

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    resources: [health::Resource; 4],
}

/// `GET /ready`.
pub(crate) async fn ready(app: &Arc<App>) -> Reply {
    let server = if app.drain.is_cancelled() { "the server is stopping" } else { "" };
    let (queue, disk) = room(app).await;
    let resources = [
        health::Resource::new("server", server),
        health::Resource::new("database", health::store(app).await),
        health::Resource::new("queue", queue),
        health::Resource::new("disk", disk),
    ];
    let (code, status) = match resources.iter().all(health::Resource::is_up) {
        true => (StatusCode::OK, "up"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "down"),
    };
    serialized(code, &Readiness { status, resources })
}

/// What keeps writes from being taken although the store is well: in the queue, and on the disk.
async fn room(app: &Arc<App>) -> (&'static str, &'static str) {
    let engine = app.engine.clone();
    let (begun, limit) = (Instant::now(), app.options.health_timeout);
    match tokio::time::timeout(limit, app.watchers.run(move || engine.stats())).await {
        Ok(Ok(stats)) if begun.elapsed() <= limit => {
            (crowd(&stats), if stats.disk_is_full { "the disk is nearly full" } else { "" })
        }
        _ => ("the store did not tell in time", ""),
    }
}

/// A write is refused that would pass the queue's limit, so a crowded queue stays just under it: from nine tenths on
/// the next write may find no room.
fn crowd(stats: &Stats) -> &'static str {
    let crowded = stats.queue_points.saturating_mul(10) >= stats.queue_limit_points.saturating_mul(9);
    if crowded { "the queue of writes is full" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_without_room_for_the_next_write_is_full() {
        let crowd_of = |points| {
            let mut stats = Stats::default();
            (stats.queue_points, stats.queue_limit_points) = (points, 500_000);
            crowd(&stats)
        };
        assert_eq!([0, 449_999].map(crowd_of), [""; 2]);
        assert_eq!([450_000, 500_000].map(crowd_of), ["the queue of writes is full"; 2]);
    }
}
