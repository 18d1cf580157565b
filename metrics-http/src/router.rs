//! From a request to its route, and from the route's answer to what is sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, StatusCode};
use metrics_core::wire::otlp::OtlpEncoding;
use percent_encoding::percent_decode_str;
use tracing::Instrument;

use crate::app::App;
use crate::compress::compress;
use crate::content::Content;
use crate::figures::Reason;
use crate::negotiate::{self, PROTOBUF};
use crate::openapi::Operation;
use crate::requests::{RequestId, Told};
use crate::respond::{Dialect, Failure, Reply};
use crate::routes::{self, influx::Version, prometheus_told};
use crate::tokens::Scope;

/// For answers that are no page: nothing in them may be run or shown by a browser.
const BARE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// What the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Page,
    PageFile,
    Ping,
    Health,
    Ready,
    Metrics,
    Seed,
    Query,
    Sql,
    Export,
    Series,
    Latest,
    Stream,
    Chart,
    Labels,
    LabelValues,
    OwnMetrics,
    LinesV1,
    LinesV2,
    InfluxQuery,
    OpenApi,
    Docs,
    RemoteWrite,
    PromQuery,
    PromQueryRange,
    PromExemplars,
    PromSeries,
    PromLabels,
    PromLabelValues,
    PromMetadata,
    PromRules,
    PromBuildInfo,
    Backup,
    Unknown,
}

impl Route {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 34] = [
        Self::Page,
        Self::PageFile,
        Self::Ping,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::Seed,
        Self::Query,
        Self::Sql,
        Self::Export,
        Self::Series,
        Self::Latest,
        Self::Stream,
        Self::Chart,
        Self::Labels,
        Self::LabelValues,
        Self::OwnMetrics,
        Self::LinesV1,
        Self::LinesV2,
        Self::InfluxQuery,
        Self::OpenApi,
        Self::Docs,
        Self::RemoteWrite,
        Self::PromQuery,
        Self::PromQueryRange,
        Self::PromExemplars,
        Self::PromSeries,
        Self::PromLabels,
        Self::PromLabelValues,
        Self::PromMetadata,
        Self::PromRules,
        Self::PromBuildInfo,
        Self::Backup,
        Self::Unknown,
    ];

    /// The path with names in place of its variable parts.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Self::Page => "/",
            Self::PageFile => "/page/{file}",
            Self::Ping => "/ping",
            Self::Health => "/health",
            Self::Ready => "/ready",
            Self::Metrics => "/v1/metrics",
            Self::Seed => "/v1/metrics/{name}/{granularity}/{start}/{end}",
            Self::Query => "/v1/query",
            Self::Sql => "/v1/sql",
            Self::Export => "/v1/export.parquet",
            Self::Series => "/v1/series",
            Self::Latest => "/v1/latest",
            Self::Stream => "/v1/stream",
            Self::Chart => "/v1/chart.svg",
            Self::Labels => "/v1/labels",
            Self::LabelValues => "/v1/labels/{label}",
            Self::OwnMetrics => "/metrics",
            Self::LinesV1 => "/write",
            Self::LinesV2 => "/api/v2/write",
            Self::InfluxQuery => "/query",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::RemoteWrite => "/api/v1/write",
            Self::PromQuery => "/api/v1/query",
            Self::PromQueryRange => "/api/v1/query_range",
            Self::PromExemplars => "/api/v1/query_exemplars",
            Self::PromSeries => "/api/v1/series",
            Self::PromLabels => "/api/v1/labels",
            Self::PromLabelValues => "/api/v1/label/{name}/values",
            Self::PromMetadata => "/api/v1/metadata",
            Self::PromRules => "/api/v1/rules",
            Self::PromBuildInfo => "/api/v1/status/buildinfo",
            Self::Backup => "/v1/backup",
            Self::Unknown => "unknown",
        }
    }

    /// The methods that it takes.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Metrics | Self::InfluxQuery => "GET, HEAD, POST",
            Self::LinesV1 | Self::LinesV2 | Self::RemoteWrite | Self::Sql | Self::Backup => "POST",
            Self::PromQuery | Self::PromQueryRange | Self::PromExemplars | Self::PromSeries | Self::PromLabels => {
                "GET, HEAD, POST"
            }
            _ => "GET, HEAD",
        }
    }

    /// What its methods do, as the handlers tell it, in the order of [`Self::allow`].
    pub(crate) fn operations(self) -> &'static [Operation] {
        match self {
            Self::Page => &[routes::page::INDEX],
            Self::PageFile => &[routes::page::FILE],
            Self::Ping => &[routes::health::PING],
            Self::Health => &[routes::health::HEALTH],
            Self::Ready => &[routes::ready::READY],
            Self::Metrics => &[routes::seed::NAMES, routes::write::WRITE],
            Self::Seed => &[routes::seed::AVERAGES],
            Self::Query => &[routes::read::QUERY],
            Self::Series => &[routes::read::SERIES],
            Self::Latest => &[routes::read::LATEST],
            Self::Stream => &[routes::stream::STREAM],
            Self::Chart => &[routes::chart::CHART],
            Self::Labels => &[routes::read::LABELS],
            Self::LabelValues => &[routes::read::LABEL_VALUES],
            Self::OwnMetrics => &[routes::own_metrics::FIGURES],
            Self::LinesV1 => &[routes::influx::LINES_V1],
            Self::LinesV2 => &[routes::influx::LINES_V2],
            Self::InfluxQuery => &[routes::influx::INFLUX_QUERY, routes::influx::INFLUX_QUERY_FORM],
            Self::OpenApi => &[routes::docs::OPENAPI],
            Self::Docs => &[routes::docs::DOCS],
            Self::Export => &[routes::export::EXPORT],
            Self::Sql => &[routes::sql::SQL_STATEMENT],
            Self::RemoteWrite => &[routes::remote_write::REMOTE_WRITE],
            Self::PromQuery => &[prometheus_told::QUERY, prometheus_told::QUERY_FORM],
            Self::PromQueryRange => &[prometheus_told::RANGE, prometheus_told::RANGE_FORM],
            Self::PromExemplars => &[prometheus_told::EXEMPLARS, prometheus_told::EXEMPLARS_FORM],
            Self::PromSeries => &[prometheus_told::SERIES, prometheus_told::SERIES_FORM],
            Self::PromLabels => &[prometheus_told::LABELS, prometheus_told::LABELS_FORM],
            Self::PromLabelValues => &[prometheus_told::LABEL_VALUES],
            Self::PromMetadata => &[prometheus_told::METADATA],
            Self::PromRules => &[prometheus_told::RULES],
            Self::PromBuildInfo => &[prometheus_told::BUILD_INFO],
            Self::Backup => &[routes::backup::BACKUP],
            Self::Unknown => &[],
        }
    }

    /// What a token must allow for this method; none where everybody may ask.
    pub(crate) fn needs(self, method: &Method) -> Option<Scope> {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let operation = self.operations().iter().find(|operation| operation.method == method);
        // What is not described is nobody's but the administrator's.
        operation.map_or(Some(Scope::Admin), |operation| operation.needs)
    }

    /// Routes whose `POST` writes points.
    fn is_write(self) -> bool {
        matches!(self, Self::Metrics | Self::LinesV1 | Self::LinesV2 | Self::RemoteWrite)
    }

    /// How its refusals are told.
    fn dialect(self, headers: &HeaderMap) -> Dialect {
        let is_protobuf = || negotiate::content_type(headers).is_ok_and(|kind| kind == PROTOBUF);
        match self {
            Self::Metrics if is_protobuf() => Dialect::Otlp(OtlpEncoding::Protobuf),
            Self::LinesV1 | Self::InfluxQuery => Dialect::InfluxV1,
            Self::LinesV2 => Dialect::InfluxV2,
            Self::PromQuery
            | Self::PromQueryRange
            | Self::PromExemplars
            | Self::PromSeries
            | Self::PromLabels
            | Self::PromLabelValues
            | Self::PromMetadata
            | Self::PromRules
            | Self::PromBuildInfo => Dialect::Prometheus,
            _ => Dialect::Own,
        }
    }

    /// Routes that are answered whatever the load, so that an overloaded server can be told from a dead one.
    fn is_exempt(self) -> bool {
        matches!(self, Self::Ping | Self::Health | Self::Ready | Self::OwnMetrics)
    }
}

/// The variable parts of a path, decoded.
pub(crate) struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// A part that the route's pattern names.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        &found.expect("a handler asks for the names of its own pattern").1
    }
}

/// The table of routes.
pub(crate) struct Router(matchit::Router<Route>);

impl Router {
    pub(crate) fn new() -> Self {
        let mut table = matchit::Router::new();
        for route in Route::ALL.into_iter().filter(|route| *route != Route::Unknown) {
            table.insert(route.pattern(), route).expect("the patterns do not overlap");
        }
        Self(table)
    }

    /// The path is cut before it is decoded, so that `%2F` may stand in a name.
    fn find(&self, path: &str) -> (Route, Result<PathParams, Failure>) {
        let Ok(found) = self.0.at(path) else { return (Route::Unknown, Ok(PathParams(Vec::new()))) };
        let params = found.params.iter().map(|(name, raw)| {
            let text = percent_decode_str(raw).decode_utf8();
            let text = text.map_err(|_| Failure::malformed(format!("the path's {name} is not UTF-8 when decoded")))?;
            Ok((name.to_owned(), text.into_owned()))
        });
        (*found.value, params.collect::<Result<_, _>>().map(PathParams))
    }
}

/// The two addresses of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// Ours, to which the client connected.
    pub(crate) local: IpAddr,
    /// The client's, or that of a proxy.
    pub(crate) peer: IpAddr,
}

/// Answers one request, and tells the log about it.
pub(crate) async fn answer(app: &Arc<App>, ends: Ends, request: Request<Incoming>) -> Reply {
    let id = RequestId::of(request.headers());
    named(app, ends, request, &id).instrument(id.span()).await
}

async fn named(app: &Arc<App>, ends: Ends, request: Request<Incoming>, id: &RequestId) -> Reply {
    let started = Instant::now();
    let (mut head, mut body) = request.into_parts();
    let (route, params) = app.router.find(head.uri.path());
    let told = Told::of(&head, ends.peer);
    let sized = check_size(&head, app.options.header_limit_bytes);
    let result = match sized.and_then(|()| admit(app, ends, &mut head, route)) {
        Err(failure) => Err(failure),
        Ok(Some(reply)) => Ok(reply),
        Ok(None) if route.is_exempt() => dispatch(app, route, params, &head, &mut body).await,
        Ok(None) => match app.requests.try_acquire() {
            Ok(_room) => dispatch(app, route, params, &head, &mut body).await,
            Err(_) => {
                let most = app.options.max_requests;
                let message = format!("too many requests at once (--max-requests {most}): try again in a moment");
                Err(Failure::overloaded(message))
            }
        },
    };
    if head.method == Method::POST
        && let Err(failure) = &result
    {
        if route.is_write() {
            app.figures.rejected(failure.reason());
        }
        if failure.reason() != Reason::Slow {
            crate::body::discard(&mut body, &head.headers).await;
        }
    }
    let mut reply = result.unwrap_or_else(|failure| failure.into_reply(route.dialect(&head.headers), Some(id)));
    app.access.mark(&head.headers, reply.headers_mut());
    id.mark(&mut reply);
    let reply = finish(app, &head, reply).await;
    let elapsed = started.elapsed();
    app.figures.answered(route, reply.status(), elapsed);
    told.answered(&reply, elapsed);
    reply
}

/// Refuses a head over its limit, counted as it came over the wire.
fn check_size(head: &Parts, limit_bytes: usize) -> Result<(), Failure> {
    /// Spaces, version and line ends of the request line.
    const LINE_BYTES: usize = 12;
    /// Colon, space and line end of a header.
    const HEADER_BYTES: usize = 4;
    let address_bytes = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + HEADER_BYTES;
    let headers_bytes: usize = head.headers.iter().map(header).sum();
    let head_bytes = head.method.as_str().len() + address_bytes + LINE_BYTES + headers_bytes + 2;
    match head_bytes > limit_bytes {
        true => Err(Failure::large_head(address_bytes > limit_bytes, limit_bytes)),
        false => Ok(()),
    }
}

/// Whether the request may go on to its route, or has its answer already.
fn admit(app: &App, ends: Ends, head: &mut Parts, route: Route) -> Result<Option<Reply>, Failure> {
    app.access.check(head, ends.local)?;
    if route == Route::Unknown {
        let path: String = head.uri.path().chars().take(256).collect();
        let message = format!("there is nothing at {path}");
        return Err(Failure::new(StatusCode::NOT_FOUND, Reason::NotFound, message));
    }
    if let Some(reply) = app.access.preflight(head, route.allow()) {
        return Ok(Some(reply));
    }
    if !route.allow().split(", ").any(|method| method == head.method.as_str()) {
        return Err(Failure::method(&head.method, route.allow()));
    }
    // What outlasts its request, such as a stream, looks at it again.
    if let Some(grant) = app.gate.check(head, route.needs(&head.method), ends.peer)? {
        head.extensions.insert(grant);
    }
    Ok(None)
}

async fn dispatch(
    app: &Arc<App>,
    route: Route,
    params: Result<PathParams, Failure>,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Reply, Failure> {
    let params = params?;
    match route {
        Route::Page => routes::page::index(head),
        Route::PageFile => routes::page::file(head, params.get("file")),
        Route::Ping => Ok(routes::health::ping(head)),
        Route::Health => Ok(routes::health::health(app).await),
        Route::Ready => Ok(routes::ready::ready(app).await),
        Route::Metrics if head.method == Method::POST => routes::write::points(app, head, body).await,
        Route::Metrics => Ok(routes::seed::names(app)),
        Route::Seed => routes::seed::averages(app, &params).await,
        Route::Query => routes::read::query(app, head).await,
        Route::Sql => routes::sql::run(app, head, body).await,
        Route::Export => routes::export::parquet(app, head).await,
        Route::Series => routes::read::series(app, head).await,
        Route::Latest => routes::read::latest(app, head).await,
        Route::Stream => routes::stream::stream(app, head).await,
        Route::Chart => routes::chart::svg_picture(app, head).await,
        Route::Labels => routes::read::labels(app).await,
        Route::LabelValues => routes::read::label_values(app, params.get("label")).await,
        Route::OwnMetrics => routes::own_metrics::figures(app).await,
        Route::LinesV1 => routes::influx::write(app, head, body, Version::V1).await,
        Route::LinesV2 => routes::influx::write(app, head, body, Version::V2).await,
        Route::InfluxQuery => routes::influx::query(app, head, body).await,
        Route::OpenApi => Ok(routes::docs::openapi()),
        Route::Docs => Ok(routes::docs::page()),
        Route::RemoteWrite => routes::remote_write::write(app, head, body).await,
        Route::PromQuery => routes::prometheus::query(app, head, body).await,
        Route::PromQueryRange => routes::prometheus::query_range(app, head, body).await,
        Route::PromExemplars => Ok(routes::prometheus_series::exemplars()),
        Route::PromSeries => routes::prometheus_series::series(app, head, body).await,
        Route::PromLabels => routes::prometheus_series::labels(app, head, body).await,
        Route::PromLabelValues => routes::prometheus_series::label_values(app, head, params.get("name")).await,
        Route::PromMetadata => routes::prometheus_series::metadata(app, head).await,
        Route::PromRules => Ok(routes::prometheus_series::rules()),
        Route::PromBuildInfo => Ok(routes::prometheus_series::build_info()),
        Route::Backup => routes::backup::backup(app).await,
        Route::Unknown => unreachable!("admit has refused it"),
    }
}

/// Adds what every answer has: its length, headers that keep browsers careful, compression where it pays.
async fn finish(app: &Arc<App>, head: &Parts, mut reply: Reply) -> Reply {
    compress(app, &head.headers, &mut reply).await;
    let length = reply.body().length_bytes();
    let no_body = matches!(reply.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = reply.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    if app.gate.is_closed() {
        // What one token may see is kept for nobody else; tags of files say so themselves.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(BARE_POLICY));
    if let Some(length) = length
        && !no_body
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if head.method == Method::HEAD {
        *reply.body_mut() = Content::empty();
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_before_they_are_decoded() {
        let (route, params) = Router::new().find("/v1/metrics/a%2Fb%20%C3%A9/hour/2024-02-02/2024-02-03");
        let params = params.expect("decodes");
        assert_eq!((route, params.get("name"), params.get("granularity")), (Route::Seed, "a/b é", "hour"));
        assert_eq!((params.get("start"), params.get("end")), ("2024-02-02", "2024-02-03"));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let (_, params) = Router::new().find("/v1/labels/%FF");
        assert_eq!(params.map(|_| ()).expect_err("not UTF-8").status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn other_paths_have_no_route() {
        for path in
            ["/v1", "/v1/", "/v1/metrics/", "/v1/metrics/a", "/v1/metrics/a/b/c/d/e", "/page/", "/page/a/b", "*", "//"]
        {
            assert_eq!(Router::new().find(path).0, Route::Unknown, "{path}");
        }
    }
}
