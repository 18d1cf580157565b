//! What a body is, by its headers, and what an answer should be.

use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};

use crate::figures::Reason;
use crate::respond::Failure;

/// The formats of a body of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    Json,
    Ndjson,
    Csv,
    Arrow,
    /// OTLP in protobuf; in JSON it is [`Self::Json`] until its first key is read.
    Otlp,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
    /// Snappy's block format, which Prometheus remote write has.
    Snappy,
}

/// The formats of a query's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameFormat {
    Json,
    Csv,
    Ndjson,
    Arrow,
}

/// Content type of Arrow's IPC stream (iana.org/assignments/media-types), and of its file format, which holds one.
pub(crate) const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
/// See [`ARROW_STREAM`].
pub(crate) const ARROW_FILE: &str = "application/vnd.apache.arrow.file";

impl FrameFormat {
    /// The default first.
    const OFFERS: [(Self, &'static str); 4] = [
        (Self::Json, "application/json"),
        (Self::Csv, "text/csv"),
        (Self::Ndjson, "application/x-ndjson"),
        (Self::Arrow, ARROW_STREAM),
    ];

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => ARROW_STREAM,
        }
    }

    /// The one that `Accept` likes best; of several the first of JSON, CSV, NDJSON, Arrow.
    ///
    /// # Errors
    /// 406 when it takes none of them.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(accept) = joined(headers, &ACCEPT)? else { return Ok(Self::Json) };
        let best = Self::OFFERS.iter().map(|&(format, offer)| (format, quality(&accept, offer)));
        let best = best.fold((Self::Json, 0), |best, next| if next.1 > best.1 { next } else { best });
        if best.1 == 0 {
            let message = "Accept allows none of application/json, text/csv, application/x-ndjson and \
                application/vnd.apache.arrow.stream";
            return Err(Failure::new(StatusCode::NOT_ACCEPTABLE, Reason::NotAcceptable, message));
        }
        Ok(best.0)
    }
}

impl BodyFormat {
    /// What `Content-Type` says; JSON where it says nothing.
    ///
    /// # Errors
    /// 415 names what is taken; for curl's default type it shows the header to add.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        match content_type(headers)?.as_str() {
            "" | "application/json" => Ok(Self::Json),
            "application/x-ndjson" => Ok(Self::Ndjson),
            "text/csv" => Ok(Self::Csv),
            ARROW_STREAM | ARROW_FILE => Ok(Self::Arrow),
            PROTOBUF => Ok(Self::Otlp),
            FORM => Err(Failure::unsupported(
                "content type application/x-www-form-urlencoded holds no points: \
                 add the header \"Content-Type: application/json\" (curl: -H 'Content-Type: application/json')",
            )),
            other => {
                let other: String = other.chars().take(64).collect();
                Err(Failure::unsupported(format!(
                    "content type {other} is not supported: use application/json, application/x-ndjson, text/csv, \
                     {ARROW_STREAM} or application/x-protobuf (OTLP)"
                )))
            }
        }
    }
}

/// The content type of OTLP and of Prometheus remote write.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// The content type of forms, which curl sends where it is told no other.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// What `Content-Type` says without its parameters, in small letters; empty where it says nothing.
///
/// # Errors
/// 415 for a charset other than UTF-8.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<String, Failure> {
    let text = joined(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        let value = value.trim_matches('"');
        if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            let value: String = value.chars().take(32).collect();
            return Err(Failure::unsupported(format!("charset {value} is not supported: send UTF-8")));
        }
    }
    Ok(essence)
}

impl Coding {
    /// What `Content-Encoding` says.
    ///
    /// # Errors
    /// 415 with `Accept-Encoding` names what is taken.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let text = joined(headers, &CONTENT_ENCODING)?.unwrap_or_default();
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "zstd" => Ok(Self::Zstd),
            other => {
                let other: String = other.chars().take(64).collect();
                let message =
                    format!("content encoding \"{other}\" is not supported: use gzip, deflate or zstd, one of them");
                Err(Failure::unsupported(message)
                    .with(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, zstd")))
            }
        }
    }

    /// For an answer: the one that `Accept-Encoding` likes best; of several the first of zstd, gzip, deflate.
    pub(crate) fn for_answer(headers: &HeaderMap) -> Self {
        let Ok(Some(text)) = joined(headers, &ACCEPT_ENCODING) else { return Self::Identity };
        let quality_of = |wanted: &str| {
            let mut codings = text.split(',').map(split_quality);
            codings.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, quality)| quality)
        };
        let any = quality_of("*").unwrap_or(0);
        // Unless it is named, sending plain is what is done when nothing else is liked.
        let plain = (Self::Identity, quality_of("identity").unwrap_or(0));
        let offers = [Self::Zstd, Self::Gzip, Self::Deflate].map(|coding| {
            let named = coding.name().and_then(quality_of);
            (coding, named.unwrap_or(any))
        });
        // A coding that is liked as much as plain saves bytes: it goes first.
        let best = offers.into_iter().fold((Self::Identity, 0), |best, next| if next.1 > best.1 { next } else { best });
        if best.1 >= plain.1 { best.0 } else { Self::Identity }
    }

    /// Its name in headers; none for plain bytes.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
            Self::Zstd => Some("zstd"),
            Self::Snappy => Some("snappy"),
        }
    }

    /// What `Content-Encoding` says of a remote write: snappy, also where it says nothing, or what other bodies may have.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn of_remote_write(headers: &HeaderMap) -> Result<Self, Failure> {
        let text = joined(headers, &CONTENT_ENCODING)?.unwrap_or_default();
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "snappy" => Ok(Self::Snappy),
            _ => Self::of(headers),
        }
    }
}

/// Whether `Accept` takes a type.
pub(crate) fn accepts(headers: &HeaderMap, offer: &str) -> bool {
    joined(headers, &ACCEPT).is_ok_and(|accept| accept.is_none_or(|accept| quality(&accept, offer) > 0))
}

/// All lines of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Failure> {
    let mut all: Option<String> = None;
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| Failure::malformed(format!("header {name} is not plain text")))?;
        all = Some(all.map_or_else(|| text.to_owned(), |before| format!("{before},{text}")));
    }
    Ok(all)
}

/// A list's element and its `q` in thousandths.
fn split_quality(element: &str) -> (&str, u16) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
    let quality = match weight {
        None => 1.0,
        Some((_, value)) => value.trim().parse::<f64>().unwrap_or(0.0),
    };
    (name, if quality.is_nan() { 0 } else { (quality.clamp(0.0, 1.0) * 1_000.0).round() as u16 })
}

/// How much a list of media ranges likes a type: the weight of the most specific range that holds it (RFC 9110, 12.5.1).
fn quality(accept: &str, offer: &str) -> u16 {
    let family = offer.split('/').next().unwrap_or_default();
    let specificity = |range: &str| match range.split_once('/') {
        Some(("*", "*")) => Some(0),
        Some((major, "*")) if major.eq_ignore_ascii_case(family) => Some(1),
        _ => range.eq_ignore_ascii_case(offer).then_some(2),
    };
    let ranges = accept.split(',').map(split_quality);
    let fitting = ranges.filter_map(|(range, quality)| specificity(range).map(|specificity| (specificity, quality)));
    fitting.max().map_or(0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_best_liked_format_is_given() {
        for (accept, format) in [
            ("*/*", FrameFormat::Json),
            ("text/csv", FrameFormat::Csv),
            ("text/*", FrameFormat::Csv),
            ("application/x-ndjson, application/json;q=0.5", FrameFormat::Ndjson),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FrameFormat::Json),
            ("application/json;q=0, */*", FrameFormat::Csv),
            ("TEXT/CSV; q=0.9, application/*; q=0.1", FrameFormat::Csv),
        ] {
            assert_eq!(FrameFormat::of(&with(ACCEPT, accept)).expect(accept), format, "{accept}");
        }
        assert_eq!(FrameFormat::of(&HeaderMap::new()).expect("default"), FrameFormat::Json);
    }

    #[test]
    fn an_accept_that_takes_nothing_is_answered_with_406() {
        for accept in ["image/png", "application/json;q=0", "", "text/csv;q=nan"] {
            let failure = FrameFormat::of(&with(ACCEPT, accept)).expect_err(accept);
            assert_eq!(failure.status(), StatusCode::NOT_ACCEPTABLE, "{accept}");
        }
    }

    #[test]
    fn content_types_are_told_apart_without_regard_to_case() {
        for (text, format) in [
            ("application/json", BodyFormat::Json),
            ("Application/JSON; charset=UTF-8", BodyFormat::Json),
            ("application/x-ndjson", BodyFormat::Ndjson),
            ("text/csv;header=present;charset=\"utf-8\"", BodyFormat::Csv),
            ("application/vnd.apache.arrow.stream", BodyFormat::Arrow),
            ("application/vnd.apache.arrow.file", BodyFormat::Arrow),
            ("", BodyFormat::Json),
        ] {
            assert_eq!(BodyFormat::of(&with(CONTENT_TYPE, text)).expect(text), format, "{text}");
        }
        for text in ["text/plain", "application/json; charset=latin1", "json", "application/x-www-form-urlencoded"] {
            let failure = BodyFormat::of(&with(CONTENT_TYPE, text)).expect_err(text);
            assert_eq!(failure.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{text}");
        }
    }

    #[test]
    fn answers_are_compressed_as_the_client_likes_best() {
        for (text, expected) in [
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip, deflate, br", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("*", Coding::Zstd),
            ("br;q=1.0, gzip;q=0.2", Coding::Gzip),
            ("gzip;q=0.9, zstd;q=0.5", Coding::Gzip),
            ("zstd;q=0, *;q=0.1", Coding::Gzip),
            ("gzip;q=0.5, identity", Coding::Identity),
            ("gzip, identity", Coding::Gzip),
            ("gzip;q=0", Coding::Identity),
            ("identity", Coding::Identity),
            ("", Coding::Identity),
        ] {
            assert_eq!(Coding::for_answer(&with(ACCEPT_ENCODING, text)), expected, "{text}");
        }
        assert_eq!(Coding::for_answer(&HeaderMap::new()), Coding::Identity);
    }
}
