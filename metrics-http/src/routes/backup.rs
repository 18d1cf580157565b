//! `POST /v1/backup`: a copy of the whole store, in the server's own folder.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use crate::app::App;
use crate::backups::NotMade;
use crate::openapi::{Answer, Group, Operation, Schema};
use crate::respond::{Failure, JSON, Reply, serialized};
use crate::tokens::Scope;

pub(crate) const BACKUP: Operation = Operation {
    method: "POST",
    id: "backup",
    group: Group::Server,
    needs: Some(Scope::Admin),
    summary: "Makes a backup of the store.",
    text: "It goes into the folder of `--backup-dir`, without which there are none; the oldest beyond `--backup-keep` go. \
           Writes and queries go on. A client that does not wait for the answer does not stop it.",
    params: &[],
    takes: &[],
    gives: &[Answer { status: 201, text: "It is made, and on disk.", kinds: &[(JSON, Schema::Named("Backup"))] }],
};

#[derive(Serialize)]
struct Made<'a> {
    file: &'a str,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_points: Option<u64>,
    dropped: usize,
    seconds: f64,
}

/// Makes one and tells its name, but not where that is.
pub(crate) async fn backup(app: &Arc<App>) -> Result<Reply, Failure> {
    let Some(backups) = &app.backups else {
        return Err(Failure::forbidden("backups are off: start the server with --backup-dir to make them"));
    };
    match backups.take(&app.engine).await {
        Ok((backup, took)) => {
            let file = backup.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let made = Made {
                file,
                bytes: backup.bytes,
                checked_points: backup.checked_points,
                dropped: backup.dropped,
                seconds: took.as_secs_f64(),
            };
            tracing::info!(file, bytes = backup.bytes, "a backup was made, as asked");
            Ok(serialized(StatusCode::CREATED, &made))
        }
        Err(NotMade::Busy) => Err(Failure::overloaded("a backup is being made: try again when it is finished")),
        Err(failed) => {
            tracing::error!(error = %failed, "a backup was not made, as asked");
            Err(Failure::internal())
        }
    }
}
