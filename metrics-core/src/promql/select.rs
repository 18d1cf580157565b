//! Selectors: which series a name and matchers take.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector};

use super::error::PromqlError;
use super::guard;
use super::value::NAME_LABEL;
use crate::model::{FilterError, LabelFilter, MetricName};
use crate::store::{Registry, Selection};

/// A name, matchers, or both: `up`, `{job="a"}`, `up{job!~"a|b"}`.
#[derive(Debug, Clone)]
pub struct Selector {
    /// What the name must pass.
    names: Vec<LabelFilter>,
    /// The one name that can pass, where there is one.
    exact: Option<String>,
    /// What the other labels must pass.
    filters: Vec<LabelFilter>,
    /// Labels and values that are asked for as they are, in their order; those that are asked for in another way
    /// or twice are left out.
    pub(crate) given: Vec<(String, String)>,
}

impl Selector {
    /// Reads a series selector, such as the parameter `match[]` of Prometheus' API holds.
    ///
    /// # Errors
    /// [`PromqlError`] when the text is no selector.
    pub fn parse(text: &str) -> Result<Self, PromqlError> {
        let no_selector = |what: &str| PromqlError::Parse(format!("{what} is no series selector"));
        match promql_parser::parser::parse(&guard::checked(text)?).map_err(PromqlError::Parse)? {
            Expr::VectorSelector(selector) if selector.offset.is_some() || selector.at.is_some() => {
                Err(no_selector("what has an offset or @"))
            }
            Expr::VectorSelector(selector) => Self::of(&selector),
            other => Err(no_selector(&format!("an expression of type {}", other.value_type()))),
        }
    }

    pub(crate) fn of(selector: &VectorSelector) -> Result<Self, PromqlError> {
        if !selector.matchers.or_matchers.is_empty() {
            return Err(PromqlError::Unsupported("\"or\" between label matchers".to_owned()));
        }
        let mut this = Self { names: Vec::new(), exact: None, filters: Vec::new(), given: Vec::new() };
        if let Some(name) = &selector.name {
            this.exact = Some(name.clone());
            this.names.push(LabelFilter::equal(NAME_LABEL, name));
        }
        let mut seen: Vec<&str> = Vec::new();
        for matcher in &selector.matchers.matchers {
            let filter = filter(matcher).map_err(|error| PromqlError::Parse(error.to_string()))?;
            let is_equal = matches!(matcher.op, MatchOp::Equal);
            if matcher.name == NAME_LABEL {
                if is_equal && this.exact.is_none() {
                    this.exact = Some(matcher.value.clone());
                }
                this.names.push(filter);
                continue;
            }
            this.filters.push(filter);
            if is_equal && !seen.contains(&matcher.name.as_str()) {
                this.given.push((matcher.name.clone(), matcher.value.clone()));
                seen.push(&matcher.name);
            } else {
                this.given.retain(|(name, _)| *name != matcher.name);
            }
        }
        Ok(this)
    }

    /// The series of a store that it takes, metric by metric in the order of their names.
    pub(crate) fn select(&self, registry: &Registry) -> Vec<(MetricName, Selection)> {
        let passes = |name: &MetricName| self.names.iter().all(|filter| filter.accepts_value(name.as_str()));
        let names = match &self.exact {
            Some(name) => MetricName::new(name).into_iter().collect(),
            None => registry.metric_names(),
        };
        let selected = names.into_iter().filter(passes).filter_map(|name| {
            let selection = registry.select(&name, &self.filters)?;
            (!selection.series.is_empty()).then_some((name, selection))
        });
        selected.collect()
    }

    /// Whether a series with this name and these labels is taken.
    pub(crate) fn accepts(&self, key: &crate::model::SeriesKey) -> bool {
        self.names.iter().all(|filter| filter.accepts_value(key.name.as_str()))
            && self.filters.iter().all(|filter| filter.accepts(&key.labels))
    }

    /// The one name that it takes, if it names one.
    pub(crate) fn exact_name(&self) -> Option<&str> {
        self.exact.as_deref()
    }
}

fn filter(matcher: &Matcher) -> Result<LabelFilter, FilterError> {
    let (name, value) = (&matcher.name, &matcher.value);
    match matcher.op {
        MatchOp::Equal => Ok(LabelFilter::equal(name, value)),
        MatchOp::NotEqual => Ok(LabelFilter::not_equal(name, value)),
        MatchOp::Re(_) => LabelFilter::matches_pattern(name, value),
        MatchOp::NotRe(_) => LabelFilter::not_matches_pattern(name, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, SeriesKey};

    fn key(name: &str, labels: &[(&str, &str)]) -> SeriesKey {
        SeriesKey::new(MetricName::new(name).expect("valid"), Labels::new(labels.iter().copied()).expect("valid"))
    }

    #[test]
    fn all_four_matchers_take_whole_values_and_absent_labels_as_empty() {
        let series = key("up", &[("job", "api"), ("host", "a1")]);
        for (text, expected) in [
            ("up", true),
            ("up{job=\"api\"}", true),
            ("up{job!=\"api\"}", false),
            ("up{host=~\"a.\"}", true),
            ("up{host=~\"a\"}", false),
            ("up{host!~\"b.*\"}", true),
            ("up{rack=\"\"}", true),
            ("up{rack!=\"\"}", false),
            ("up{rack=~\".*\"}", true),
            ("{__name__=~\"u.\", job=\"api\"}", true),
            ("{__name__=~\"u\"}", false),
            ("{__name__!=\"up\", job=\"api\"}", false),
            ("{\"up\", job=\"api\"}", true),
            ("down", false),
        ] {
            assert_eq!(Selector::parse(text).expect(text).accepts(&series), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_named() {
        for (text, words) in [
            ("up + 1", "an expression of type vector"),
            ("up[5m]", "type matrix"),
            ("up offset 5m", "offset"),
            ("{job=~\".*\"}", "at least one non-empty matcher"),
            ("{a=\"b\" or c=\"d\"}", "\"or\" between label matchers"),
            ("up{", "unexpected end of input"),
        ] {
            let error = Selector::parse(text).map(|_| ()).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
