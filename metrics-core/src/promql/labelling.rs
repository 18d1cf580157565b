//! `label_replace` and `label_join`: labels made of labels.

use regex::{Regex, RegexBuilder};

use super::error::PromqlError;
use super::value::{Metric, Series, merge};

/// Most bytes that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// How a label is made.
#[derive(Debug)]
pub(crate) enum Relabel {
    /// Where a label's value fits a pattern, of its parts.
    Replace { target: String, replacement: String, source: String, pattern: Regex },
    /// Of the values of others.
    Join { target: String, separator: String, sources: Vec<String> },
}

fn failed(function: &'static str, reason: impl Into<String>) -> PromqlError {
    PromqlError::Function { function, reason: reason.into() }
}

impl Relabel {
    /// Of what stands behind the vector: target, replacement, source, pattern.
    pub(crate) fn replace(texts: &[String]) -> Result<Self, PromqlError> {
        const NAME: &str = "label_replace";
        let [target, replacement, source, pattern] = texts else {
            return Err(failed(NAME, "four strings are needed"));
        };
        if target.is_empty() {
            return Err(failed(NAME, "the destination label has no name"));
        }
        let compiled = RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(MAX_PATTERN_BYTES).build();
        let pattern = compiled.map_err(|error| failed(NAME, format!("the pattern is not usable: {error}")))?;
        Ok(Self::Replace { target: target.clone(), replacement: replacement.clone(), source: source.clone(), pattern })
    }

    /// Of what stands behind the vector: target, separator, sources.
    pub(crate) fn join(texts: &[String]) -> Result<Self, PromqlError> {
        const NAME: &str = "label_join";
        let [target, separator, sources @ ..] = texts else {
            return Err(failed(NAME, "two strings at least are needed"));
        };
        if target.is_empty() || sources.iter().any(String::is_empty) {
            return Err(failed(NAME, "a label has no name"));
        }
        Ok(Self::Join { target: target.clone(), separator: separator.clone(), sources: sources.to_vec() })
    }

    fn metric(&self, metric: &Metric) -> Result<Option<Metric>, PromqlError> {
        let (function, target, value) = match self {
            Self::Replace { target, replacement, source, pattern } => {
                let Some(parts) = pattern.captures(metric.get(source)) else { return Ok(None) };
                let mut value = String::new();
                parts.expand(replacement, &mut value);
                ("label_replace", target, value)
            }
            Self::Join { target, separator, sources } => {
                let values: Vec<&str> = sources.iter().map(|source| metric.get(source)).collect();
                ("label_join", target, values.join(separator))
            }
        };
        let changed = metric.with(target, &value);
        changed.map(Some).map_err(|error| failed(function, format!("of {metric}: {error}")))
    }

    pub(crate) fn apply(&self, mut series: Vec<Series>) -> Result<Vec<Series>, PromqlError> {
        for series in &mut series {
            if let Some(metric) = self.metric(&series.metric)? {
                series.metric = metric;
            }
        }
        merge(series)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, MetricName};

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn up() -> Metric {
        let labels = Labels::new([("host", "web-1:9100"), ("dc", "eu")]).expect("valid");
        Metric { name: Some(MetricName::new("up").expect("valid")), labels }
    }

    #[test]
    fn parts_of_a_fitting_value_make_a_label() {
        let of = |arguments: &[&str]| {
            let relabel = Relabel::replace(&texts(arguments)).expect("fine");
            relabel.metric(&up()).expect("fine").map(|metric| metric.to_string())
        };
        let name = of(&["name", "$1/$port", "host", "(.*):(?P<port>.*)"]);
        assert_eq!(name.as_deref(), Some(r#"up{dc="eu",host="web-1:9100",name="web-1/9100"}"#));
        assert_eq!(of(&["name", "x", "host", "web"]), None, "a part is not enough");
        assert_eq!(of(&["dc", "", "host", ".*"]).as_deref(), Some(r#"up{host="web-1:9100"}"#));
        assert_eq!(of(&["new", "x", "none", ""]).as_deref(), Some(r#"up{dc="eu",host="web-1:9100",new="x"}"#));
        assert_eq!(of(&["__name__", "down", "dc", "eu"]).as_deref(), Some(r#"down{dc="eu",host="web-1:9100"}"#));
    }

    #[test]
    fn values_are_joined() {
        let relabel = Relabel::join(&texts(&["both", "-", "dc", "none", "host"])).expect("fine");
        let joined = relabel.metric(&up()).expect("fine").expect("always");
        assert_eq!(joined.get("both"), "eu--web-1:9100");
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        for (replace, words) in [(["", "x", "host", ".*"], "no name"), (["a", "x", "host", "("], "not usable")] {
            let error = Relabel::replace(&texts(&replace)).expect_err(words).to_string();
            assert!(error.starts_with("label_replace: ") && error.contains(words), "{error}");
        }
        let long =
            Relabel::replace(&texts(&["a", &"x".repeat(2_000), "host", ".*"])).expect("known by the series only");
        assert!(long.metric(&up()).expect_err("too long").to_string().contains("2000 bytes"));
    }
}
