//! A service that measures itself and shows its own charts: an HTTP service records its request times with the `metrics`
//! facade, into a store in the same process, which a second port serves with the chart page.
//!
//! `cargo run --release --example service`, then `curl localhost:8081/hello` a few times, and open http://127.0.0.1:8082.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_core::Engine;
use metrics_http::ServerOptions;
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let engine = Engine::open("service.duckdb")?;
    let builder = metrics_recorder::builder().interval(Duration::from_secs(1));
    let recorder = builder.label("service", "hello")?.install(engine.clone())?;
    metrics::describe_histogram!("request_seconds", metrics::Unit::Seconds, "time from a request to its answer");

    let charts = TcpListener::bind("127.0.0.1:8082").await?;
    let listener = TcpListener::bind("127.0.0.1:8081").await?;
    println!("the service is at http://127.0.0.1:8081/hello, its charts at http://127.0.0.1:8082");
    let stopped = async {
        // Without signals it runs until it is killed.
        let _ = ctrl_c().await;
    };
    tokio::select! {
        ended = metrics_http::serve(engine.clone(), charts, ServerOptions::default(), stopped) => ended?,
        never = accept(listener) => never?,
    }
    // Both wait for the disk, which is nothing for a thread of the runtime.
    tokio::task::spawn_blocking(move || {
        recorder.close()?;
        engine.close()?;
        anyhow::Ok(())
    })
    .await?
}

/// Answers requests for ever.
async fn accept(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(async move {
            if connection.await.is_err() {
                metrics::counter!("connections_broken").increment(1);
            }
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let begun = Instant::now();
    let (route, status, text) = match request.uri().path() {
        "/hello" => ("/hello", 200, "hello\n"),
        // Paths that nobody made are one label value, not as many as people try.
        _ => ("other", 404, "nothing is here\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("one of the above");
    metrics::histogram!("request_seconds", "route" => route, "status" => status.to_string())
        .record(begun.elapsed().as_secs_f64());
    Ok(response)
}
