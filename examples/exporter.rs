//! An exporter: shows the latest values of a metrics server in the text format that Prometheus scrapes
//! (prometheus.io/docs/instrumenting/exposition_formats).
//!
//! With a server running: `cargo run --release --example exporter -- http://127.0.0.1:8080 127.0.0.1:9184`, and then
//! `curl localhost:9184/metrics`.

use std::convert::Infallible;
use std::fmt::Write;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_sdk::{Client, Latest};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("give the server's URL, such as http://127.0.0.1:8080")?;
    let address = arguments.next().context("give an address to listen on, such as 127.0.0.1:9184")?;
    let client = Client::new(url)?;
    let listener = TcpListener::bind(address).await?;
    println!("exporting {} at http://{}/metrics", client.url(), listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let client = client.clone();
        let service = service_fn(move |request| answer(client.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(client: Client, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match request.uri().path() {
        "/metrics" => match client.latest(None, &[]).await {
            Ok(points) => (StatusCode::OK, exposition(&points)),
            // Prometheus then shows the target as down, with this text.
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")),
        },
        _ => (StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}

/// The points as text; all of a metric stand together, as they do in the server's answer.
fn exposition(points: &[Latest]) -> String {
    let mut text = String::new();
    let mut before = String::new();
    for Latest { key, timestamp, value, .. } in points {
        let name = plain(key.name.as_str());
        if name != before {
            let _ = writeln!(text, "# TYPE {name} gauge");
        }
        let labels = key.labels.iter().map(|(label, value)| format!("{}=\"{}\"", plain(label), escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}{labels} {value} {}", timestamp.micros().div_euclid(1_000));
        before = name;
    }
    text
}

/// A name as Prometheus allows it.
fn plain(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect::<String>();
    if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("_{plain}") } else { plain }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
