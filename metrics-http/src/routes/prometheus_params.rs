//! Parameters of Prometheus' API: in the address, in a form, or in both.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use metrics_core::Timestamp;
use metrics_core::promql::{self, Selector};

use super::read::{MAX_PARAMETERS, pairs};
use super::write::receive;
use crate::app::App;
use crate::negotiate::{self, FORM};
use crate::respond::Failure;

/// The earliest and the latest time that Prometheus' clients know, which they send where they mean "always".
const ALWAYS: [&str; 2] = ["-292273086-05-16T16:47:06Z", "292277025-08-18T07:12:54.999999999Z"];

/// All parameters of a request. Those that nobody asks for say nothing, as in Prometheus.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a request that has no form.
    pub(super) fn of_address(head: &Parts) -> Result<Self, Failure> {
        pairs(head).map(Self)
    }

    /// A form's parameters come before those of the address.
    pub(super) async fn of(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Self, Failure> {
        let mut all = Vec::new();
        if head.method == Method::POST && negotiate::content_type(&head.headers)? == FORM {
            let parse = |form: &[u8]| {
                let form: Vec<_> = form_urlencoded::parse(form).into_owned().take(MAX_PARAMETERS + 1).collect();
                match form.len() > MAX_PARAMETERS {
                    true => Err(Failure::malformed(format!("more than {MAX_PARAMETERS} parameters"))),
                    false => Ok(form),
                }
            };
            all = receive(app, head, body, parse).await?.0;
        }
        all.extend(pairs(head)?);
        Ok(Self(all))
    }

    /// A parameter's first value that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::malformed(format!("invalid parameter \"{name}\": it is missing")))
    }

    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Failure> {
        self.get(name).map(|text| time(text).map_err(|reason| invalid(name, &reason))).transpose()
    }

    pub(super) fn required_time(&self, name: &'static str) -> Result<Timestamp, Failure> {
        self.required(name)?;
        self.time(name)?.ok_or_else(|| invalid(name, "it is missing"))
    }

    pub(super) fn duration(&self, name: &'static str) -> Result<Option<Duration>, Failure> {
        let parse = |text| promql::parse_duration(text).map_err(|error| invalid(name, &error.to_string()));
        self.get(name).map(parse).transpose()
    }

    /// At most so many results; 0 and nothing at all mean all.
    pub(super) fn limit(&self, name: &'static str) -> Result<usize, Failure> {
        let Some(text) = self.get(name) else { return Ok(usize::MAX) };
        match text.parse() {
            Ok(0) => Ok(usize::MAX),
            Ok(limit) => Ok(limit),
            Err(_) => Err(invalid(name, "a whole number that is not negative is needed")),
        }
    }

    /// What `match[]` selects.
    pub(super) fn selectors(&self) -> Result<Vec<Selector>, Failure> {
        let texts = self.0.iter().filter(|(key, _)| key == "match[]").map(|(_, text)| text);
        let parse = |text: &String| Selector::parse(text).map_err(|error| invalid("match[]", &error.to_string()));
        texts.map(parse).collect()
    }

    /// What `start` and `end` say; all times where they say nothing.
    pub(super) fn span(&self) -> Result<(Timestamp, Timestamp), Failure> {
        let start = self.time("start")?.unwrap_or(Timestamp::MIN);
        let end = self.time("end")?.unwrap_or(Timestamp::MAX);
        if end < start {
            return Err(invalid("end", "end timestamp must not be before start time"));
        }
        Ok((start, end))
    }
}

fn invalid(name: &str, reason: &str) -> Failure {
    Failure::malformed(format!("invalid parameter \"{name}\": {reason}"))
}

/// Seconds since 1970, to the millisecond, or RFC 3339.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        // Beyond the range of a time this saturates, and is then moved into it; what is no number is none.
        let millis = (seconds * 1e3).round();
        return match millis.is_nan() {
            true => Err(format!("cannot parse \"{}\" to a valid timestamp", clip(text))),
            false => Ok(Timestamp::clamped((millis as i64).saturating_mul(1_000))),
        };
    }
    match ALWAYS.iter().position(|known| *known == text) {
        Some(0) => Ok(Timestamp::MIN),
        Some(_) => Ok(Timestamp::MAX),
        None if text.contains('T') => Timestamp::parse(text).map_err(|error| error.to_string()),
        None => Err(format!("cannot parse \"{}\" to a valid timestamp", clip(text))),
    }
}

fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        let expected = Timestamp::parse("2024-02-02T11:43:02.099Z").expect("valid");
        for text in ["1706874182.099", "1706874182.0994", "1.706874182099e9", "2024-02-02T12:43:02.099+01:00"] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        assert_eq!((time(ALWAYS[0]), time(ALWAYS[1])), (Ok(Timestamp::MIN), Ok(Timestamp::MAX)));
        assert_eq!((time("1e300"), time("-inf")), (Ok(Timestamp::MAX), Ok(Timestamp::MIN)));
        for text in ["NaN", "now", "", "2024-02-02", "2024-13-02T00:00:00Z"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_value_that_says_something_counts() {
        let pairs = [("a", ""), ("a", "1"), ("a", "2"), ("limit", "0"), ("match[]", "up"), ("match[]", "{a=\"b\"}")];
        let params = Params(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect());
        assert_eq!((params.get("a"), params.get("b")), (Some("1"), None));
        assert_eq!(params.limit("limit").map_err(|failure| failure.status()), Ok(usize::MAX));
        assert_eq!(params.selectors().map_err(|failure| failure.status()).expect("two").len(), 2);
        assert!(params.required("query").is_err() && params.limit("match[]").is_err());
    }
}
