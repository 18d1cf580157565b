//! `GET /v1/export.parquet`: points as a file that is read by URL, whole or by parts.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;

use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, HeaderName, HeaderValue, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use metrics_core::wire::params::parse_time;
use metrics_core::{ExportFormat, ExportRequest, MetricName, Timestamp};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::read::{WHERE, pairs};
use crate::app::App;
use crate::content::{Content, Feeder};
use crate::exports::{Exported, Exports, Reading};
use crate::figures::Reason;
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::range::Wanted;
use crate::respond::{Failure, Reply, content};
use crate::tokens::Scope;

/// Content type of Parquet (iana.org/assignments/media-types).
const PARQUET: &str = "application/vnd.apache.parquet";
/// Bytes read and sent at a time.
const PART_BYTES: usize = 256 << 10;
/// Parts that may wait for the client.
const WAITING_PARTS: usize = 2;

pub(crate) const EXPORT: Operation = Operation {
    method: "GET",
    id: "export_parquet",
    group: Group::Read,
    needs: Some(Scope::Read),
    summary: "Points as a Parquet file that is read by URL, whole or in parts.",
    text: "Columns `timestamp`, `name`, `labels` (JSON) and `value`, by series and time. All parts under one `ETag` are of \
        the same bytes, whatever is written meanwhile.",
    params: &[
        Param::query("name", "Name of a metric; all of them by default.").repeated(),
        WHERE,
        Param::query("from", "Start: RFC 3339, a date, an epoch number, or relative; the first point by default."),
        Param::query("to", "End, not included; after the last point by default."),
        Param::header("Range", "`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`."),
    ],
    takes: &[],
    gives: &[
        Answer { status: 200, text: "The file.", kinds: &[(PARQUET, Schema::Text)] },
        Answer { status: 206, text: "A part of it.", kinds: &[(PARQUET, Schema::Text)] },
    ],
};

/// Answers with the points that `name`, `where`, `from` and `to` select; with all of them where nothing is said.
pub(crate) async fn parquet(app: &Arc<App>, head: &Parts) -> Result<Reply, Failure> {
    let mut pairs = pairs(head)?;
    let request = request(&pairs)?;
    // The same words mean the same export for those who read it by parts, also where they say "now".
    pairs.sort_unstable();
    let key = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let file_name = file_name(request.names.first().filter(|_| request.names.len() == 1));
    let is_head = head.method == Method::HEAD;
    let reading = match head.headers.contains_key(RANGE) {
        _ if is_head => Reading::Length,
        true => Reading::Part,
        false => Reading::Whole,
    };
    let export = Exports::get(app, key, request, reading).await?;
    let mut reply = match Wanted::of(&head.headers, !is_head, export.bytes, &export.tag) {
        Wanted::Whole => file(&export, StatusCode::OK, (0, export.bytes), is_head),
        Wanted::Part(from, to) => {
            let mut reply = file(&export, StatusCode::PARTIAL_CONTENT, (from, to), false);
            set(&mut reply, CONTENT_RANGE, &format!("bytes {from}-{}/{}", to - 1, export.bytes));
            reply
        }
        Wanted::Known => content(StatusCode::NOT_MODIFIED, PARQUET, ""),
        Wanted::Beyond => {
            let message = format!("the range lies beyond the end: the file has {} bytes", export.bytes);
            let length = HeaderValue::from_str(&format!("bytes */{}", export.bytes)).expect("digits");
            let failure = Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, Reason::Malformed, message);
            return Err(failure.with(CONTENT_RANGE, length));
        }
        Wanted::Changed => {
            let message = "the export was made anew since: read it again from its start, without If-Match";
            return Err(Failure::new(StatusCode::PRECONDITION_FAILED, Reason::Malformed, message));
        }
    };
    set(&mut reply, ACCEPT_RANGES, "bytes");
    set(&mut reply, ETAG, &export.tag);
    set(&mut reply, CACHE_CONTROL, "no-cache");
    set(&mut reply, CONTENT_DISPOSITION, &format!("attachment; filename=\"{file_name}.parquet\""));
    Ok(reply)
}

fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    reply.headers_mut().insert(name, HeaderValue::from_str(value).expect("it is made of visible ASCII"));
}

/// A metric's name as that of a file: letters, digits and a few signs that mean nothing anywhere.
fn file_name(name: Option<&MetricName>) -> String {
    let name = name.map_or("metrics", MetricName::as_str);
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' }).collect()
}

fn request(pairs: &[(String, String)]) -> Result<ExportRequest, Failure> {
    let mut request = ExportRequest::all(ExportFormat::Parquet);
    let now = Timestamp::now();
    let wrong = |key: &str, error: &dyn std::fmt::Display| Failure::malformed(format!("parameter \"{key}\": {error}"));
    let (mut from, mut to) = (None, None);
    for (key, value) in pairs {
        let time = || parse_time(if key == "from" { "from" } else { "to" }, value, now);
        match key.as_str() {
            "name" => request.names.push(MetricName::new(value).map_err(|error| wrong(key, &error))?),
            "where" => request.filters.push(value.parse().map_err(|error| wrong(key, &error))?),
            "from" if from.is_none() => from = Some(time().map_err(|error| Failure::malformed(error.to_string()))?),
            "to" if to.is_none() => to = Some(time().map_err(|error| Failure::malformed(error.to_string()))?),
            "from" | "to" => return Err(Failure::malformed(format!("parameter \"{key}\" is given twice"))),
            other => {
                let other: String = other.chars().take(64).collect();
                let message = format!("unknown parameter \"{other}\": use name, where, from and to");
                return Err(Failure::malformed(message));
            }
        }
    }
    (request.from, request.to) = (from.unwrap_or(request.from), to.unwrap_or(request.to));
    if request.from >= request.to {
        let message = format!("parameter \"to\": {} is not after \"from\", {}", request.to, request.from);
        return Err(Failure::malformed(message));
    }
    Ok(request)
}

/// An answer with bytes of a file, or with their number alone.
fn file(export: &Arc<Exported>, status: StatusCode, (from, to): (u64, u64), is_head: bool) -> Reply {
    let (feeder, body) = Content::streamed(WAITING_PARTS, Some(to - from));
    if !is_head {
        tokio::spawn(feed(Arc::clone(export), from, to, feeder));
    }
    content(status, PARQUET, body)
}

/// Sends bytes of a file as fast as the client takes them, and no longer than it does. The file is there as long as the
/// export is held.
async fn feed(export: Arc<Exported>, from: u64, to: u64, feeder: Feeder) {
    let sent = tokio::select! {
        () = feeder.gone() => return,
        sent = send_file(&export.path, from, to, &feeder) => sent,
    };
    match sent {
        Ok(()) => feeder.finish(),
        Err(error) => tracing::error!(%error, path = %export.path.display(), "an export could not be read"),
    }
}

async fn send_file(path: &Path, from: u64, to: u64, feeder: &Feeder) -> std::io::Result<()> {
    let mut file = tokio::fs::File::open(path).await?;
    file.set_max_buf_size(PART_BYTES);
    file.seek(SeekFrom::Start(from)).await?;
    let mut left = to - from;
    while left > 0 {
        let mut part = vec![0; PART_BYTES.min(usize::try_from(left).unwrap_or(PART_BYTES))];
        file.read_exact(&mut part).await?;
        left -= part.len() as u64;
        if feeder.send(part).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> String {
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        format!("{:?}", request(&pairs).expect_err("refused"))
    }

    #[test]
    fn parameters_that_select_nothing_are_refused_by_name() {
        assert!(refused(&[("names", "a")]).contains("unknown parameter \\\"names\\\""));
        assert!(refused(&[("from", "x")]).contains("from"));
        assert!(refused(&[("from", "2024-02-02"), ("to", "2024-02-01")]).contains("is not after"));
        assert!(refused(&[("to", "now"), ("to", "now")]).contains("given twice"));
        assert!(refused(&[("where", "host")]).contains("where"));
    }

    #[test]
    fn the_file_is_named_after_the_metric_with_harmless_letters() {
        let name = |name: &str| file_name(Some(&MetricName::new(name).expect("valid")));
        assert_eq!([name("cpu.load"), name("a\"/../ü"), file_name(None)], ["cpu.load", "a__..__", "metrics"]);
    }
}
