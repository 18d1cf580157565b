//! One request over the wire: a kept-alive connection, a bounded answer, failures told apart.

use std::error::Error;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use metrics_core::Timestamp;
use serde::Deserialize;

use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::retry::parse_retry_after;
use crate::{ClientBuilder, ClientError, IdempotencyKey, tls};

/// Most characters of a server's message that an error carries.
const MAX_MESSAGE_CHARS: usize = 2_000;
/// Most bytes read of an answer that is a refusal.
const MAX_REFUSAL_BYTES: usize = 256 << 10;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The content type of JSON.
pub(crate) const JSON: &str = "application/json";

/// What a call sends; the same for each of its attempts.
#[derive(Debug)]
pub(crate) struct Call {
    /// Method and path in words, for errors.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// The content type that the answer is to have.
    pub(crate) accept: &'static str,
    /// Points and the key under which they are written.
    pub(crate) body: Option<(Body, IdempotencyKey)>,
}

/// An answer with a status of success.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) body: Bytes,
    /// Whether the server answered from memory: the key of the write was used before.
    pub(crate) replayed: bool,
}

/// Connections to the server and what goes into every request.
#[derive(Debug)]
pub(crate) struct Transport {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    authorization: Option<HeaderValue>,
    max_answer_bytes: usize,
}

impl Transport {
    pub(crate) fn new(builder: &ClientBuilder, endpoint: &Endpoint) -> Result<Self, ClientError> {
        let authorization = builder.token.as_deref().map(bearer).transpose()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(builder.timeout.min(ClientBuilder::CONNECT_TIMEOUT)));
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(ClientBuilder::IDLE_TIMEOUT)
            .pool_max_idle_per_host(ClientBuilder::IDLE_CONNECTIONS)
            .build(tls::connector(connector, endpoint.is_https(), builder.ca_certs.as_deref())?);
        Ok(Self { http, url: endpoint.as_str().to_owned(), authorization, max_answer_bytes: builder.max_answer_bytes })
    }

    /// Sends a call once and reads its whole answer. Any status but a success is an error.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answered, ClientError> {
        let response = self.http.request(self.request(call)).await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let (head, body) = response.into_parts();
        let limit_bytes = if status.is_success() { self.max_answer_bytes } else { MAX_REFUSAL_BYTES };
        let body = Limited::new(body, limit_bytes).collect().await;
        match body {
            Ok(body) if status.is_success() => {
                let replayed = head.headers.get(IDEMPOTENCY_REPLAYED).is_some_and(|value| value == "true");
                Ok(Answered { body: body.to_bytes(), replayed })
            }
            Ok(body) => Err(refused(status, &head.headers, &body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() && status.is_success() => {
                Err(ClientError::TooLarge { call: call.name, limit_bytes })
            }
            Err(error) if error.is::<LengthLimitError>() => Err(refused(status, &head.headers, b"")),
            Err(error) => {
                Err(ClientError::Interrupted { url: self.url.clone(), reason: root(error.as_ref()).to_string() })
            }
        }
    }

    /// Sends a request that was made elsewhere; gives the answer before its body. Any status but a success is an error.
    pub(crate) async fn open(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        self.introduce(request.headers_mut());
        let response = self.http.request(request).await.map_err(|error| self.lost(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let message = Limited::new(body, MAX_REFUSAL_BYTES).collect().await.map(|body| body.to_bytes());
        Err(refused(head.status, &head.headers, &message.unwrap_or_default()))
    }

    /// The whole body of an answer.
    pub(crate) async fn whole(&self, call: &'static str, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let limit_bytes = self.max_answer_bytes;
        match Limited::new(response.into_body(), limit_bytes).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(ClientError::TooLarge { call, limit_bytes }),
            Err(error) => {
                Err(ClientError::Interrupted { url: self.url.clone(), reason: root(error.as_ref()).to_string() })
            }
        }
    }

    /// Tells who asks.
    fn introduce(&self, headers: &mut HeaderMap) {
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("metrics-sdk/", env!("CARGO_PKG_VERSION"))));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let bytes = call.body.as_ref().map(|(body, _)| body.bytes.clone()).unwrap_or_default();
        let mut request = Request::new(Full::new(bytes));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(call.accept));
        self.introduce(headers);
        if let Some((body, key)) = &call.body {
            let key = HeaderValue::from_str(key.as_str()).expect("an idempotency key is visible ASCII");
            headers.insert(IDEMPOTENCY_KEY, key);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            if body.gzip {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        request
    }

    /// What a request that got no answer died of.
    fn lost(&self, error: &legacy::Error) -> ClientError {
        let cause = root(error);
        let (url, mut reason) = (self.url.clone(), cause.to_string());
        if let Some(rustls::Error::InvalidCertificate(why)) = unwrapped(cause).downcast_ref() {
            reason.push_str(tls::advice(why));
        }
        if error.is_connect() {
            let kind = cause.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
            ClientError::Connect { url, kind, reason }
        } else {
            ClientError::Interrupted { url, reason }
        }
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ClientError::Token);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The innermost cause: what the operating system or the protocol says, without the layers between.
fn root<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

/// What a system's error wraps, which is not among its causes.
fn unwrapped<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut inner = error;
    while let Some(wrapped) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        inner = wrapped;
    }
    inner
}

/// The body of every refusal; more fields may stand in it.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ClientError {
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let text = if text.is_empty() { status.canonical_reason().unwrap_or("no message").to_owned() } else { text };
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| parse_retry_after(text, Timestamp::now()));
    ClientError::Refused {
        status: status.as_u16(),
        message: text.chars().take(MAX_MESSAGE_CHARS).collect(),
        retry_after,
    }
}
