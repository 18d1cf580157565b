//! Which points of which series `export` and `delete` are about.

use metrics_core::wire::params::parse_time;
use metrics_core::{LabelFilter, MetricName, Timestamp};

use super::query::in_option_words;
use crate::args::SpanArgs;
use crate::output::WrongUsage;
use crate::suggest::unknown_metric;

/// Filters, and a half-open span of time.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) filters: Vec<LabelFilter>,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The options as they were written, behind the metric's name; empty without any.
    pub(crate) words: String,
}

impl Span {
    /// What the options spell out; without them everything.
    ///
    /// # Errors
    /// [`WrongUsage`] for a time that is none, or an end that is not after the start.
    pub(crate) fn new(args: &SpanArgs, now: Timestamp) -> Result<Self, WrongUsage> {
        let time = |key, text: &Option<String>, usual| match text {
            Some(text) => parse_time(key, text, now).map_err(|error| WrongUsage(in_option_words(&error))),
            None => Ok(usual),
        };
        let from = time("from", &args.from, Timestamp::MIN)?;
        let to = time("to", &args.to, Timestamp::MAX)?;
        if from >= to {
            return Err(WrongUsage(format!("--to {to} is not after --from {from}: nothing lies between")));
        }
        let filters = args.filters.iter().map(|filter| format!(" where {filter}"));
        let from_words = args.from.as_ref().map(|_| format!(" from {from}"));
        let to_words = args.to.as_ref().map(|_| format!(" to {to}"));
        let words = filters.chain(from_words).chain(to_words).collect();
        Ok(Self { filters: args.filters.clone(), from, to, words })
    }
}

/// Fails where there is no such metric, with the names that are near.
pub(crate) fn require_metric(name: &MetricName, names: &[MetricName]) -> anyhow::Result<()> {
    if names.contains(name) {
        return Ok(());
    }
    anyhow::bail!(unknown_metric(name.as_str(), names.iter().map(MetricName::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: Option<&str>, to: Option<&str>) -> Result<Span, WrongUsage> {
        let filters = vec!["host=a".parse().expect("a filter")];
        let args = SpanArgs { filters, from: from.map(String::from), to: to.map(String::from) };
        Span::new(&args, Timestamp::parse("2024-02-02").expect("a time"))
    }

    #[test]
    fn a_span_is_told_in_the_words_of_its_options() {
        assert_eq!(span(None, None).expect("valid").words, " where host=a");
        let week = span(Some("now-7d"), Some("2024-02-01")).expect("valid");
        assert_eq!(week.words, " where host=a from 2024-01-26T00:00:00Z to 2024-02-01T00:00:00Z");
        assert_eq!(
            (span(None, None).expect("valid").from, week.to.to_string().as_str()),
            (Timestamp::MIN, "2024-02-01T00:00:00Z")
        );
    }

    #[test]
    fn an_end_before_the_start_is_refused() {
        let WrongUsage(error) = span(Some("now"), Some("now-1h")).expect_err("refused");
        assert!(error.contains("--to 2024-02-01T23:00:00Z is not after --from 2024-02-02T00:00:00Z"), "{error}");
        let WrongUsage(error) = span(Some("then"), None).expect_err("refused");
        assert!(error.starts_with("--from"), "{error}");
    }
}
