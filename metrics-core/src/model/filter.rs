//! Label filters: which series a query takes.

use std::str::FromStr;

use regex::Regex;

use super::Labels;

/// How a filter compares.
#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    NotEqual(String),
    Match(Regex),
    NotMatch(Regex),
}

/// A condition on one label: `host=a`, `host!=a`, `host=~web.*` or `host!~web.*`.
/// An absent label has the empty value; a pattern must fit the whole value (as in Prometheus).
#[derive(Debug, Clone)]
pub struct LabelFilter {
    label: String,
    test: Test,
}

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// No operator or no label in it.
    #[error("\"{0}\" is not a label filter: use host=a, host!=a, host=~web.* or host!~web.*")]
    Shape(String),
    /// The pattern is no regular expression of the `regex` crate, or too large.
    #[error("the pattern of \"{filter}\" is not usable: {reason}")]
    Pattern {
        /// The filter as given.
        filter: String,
        /// What the regex crate says.
        reason: String,
    },
}

/// Most bytes that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

fn pattern(filter: &str, text: &str) -> Result<Regex, FilterError> {
    regex::RegexBuilder::new(&format!("^(?s:{text})$"))
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|e| FilterError::Pattern { filter: filter.chars().take(128).collect(), reason: e.to_string() })
}

impl LabelFilter {
    /// `label = value`.
    pub fn equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), test: Test::Equal(value.into()) }
    }

    /// `label != value`.
    pub fn not_equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), test: Test::NotEqual(value.into()) }
    }

    /// `label =~ pattern`.
    ///
    /// # Errors
    /// [`FilterError::Pattern`] when the pattern is none.
    pub fn matches_pattern(label: impl Into<String>, text: &str) -> Result<Self, FilterError> {
        Ok(Self { label: label.into(), test: Test::Match(pattern(text, text)?) })
    }

    /// `label !~ pattern`.
    ///
    /// # Errors
    /// [`FilterError::Pattern`] when the pattern is none.
    pub fn not_matches_pattern(label: impl Into<String>, text: &str) -> Result<Self, FilterError> {
        Ok(Self { label: label.into(), test: Test::NotMatch(pattern(text, text)?) })
    }

    /// The label that is looked at.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether a value (empty when the label is absent) passes.
    pub fn accepts_value(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(expected) => value == expected,
            Test::NotEqual(expected) => value != expected,
            Test::Match(pattern) => pattern.is_match(value),
            Test::NotMatch(pattern) => !pattern.is_match(value),
        }
    }

    /// Whether a series with these labels passes.
    pub fn accepts(&self, labels: &Labels) -> bool {
        self.accepts_value(labels.get(&self.label).unwrap_or(""))
    }
}

impl std::fmt::Display for LabelFilter {
    /// The notation that [`FromStr`] reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bare = |pattern: &Regex| {
            let text = pattern.as_str();
            text.strip_prefix("^(?s:").and_then(|t| t.strip_suffix(")$")).unwrap_or(text).to_owned()
        };
        match &self.test {
            Test::Equal(value) => write!(f, "{}={value}", self.label),
            Test::NotEqual(value) => write!(f, "{}!={value}", self.label),
            Test::Match(pattern) => write!(f, "{}=~{}", self.label, bare(pattern)),
            Test::NotMatch(pattern) => write!(f, "{}!~{}", self.label, bare(pattern)),
        }
    }
}

impl FromStr for LabelFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let shape = || FilterError::Shape(text.chars().take(128).collect());
        let at = text.find(['=', '!']).ok_or_else(shape)?;
        let (label, rest) = text.split_at(at);
        let label = label.trim();
        if label.is_empty() {
            return Err(shape());
        }
        let test = if let Some(value) = rest.strip_prefix("=~") {
            Test::Match(pattern(text, value)?)
        } else if let Some(value) = rest.strip_prefix("!~") {
            Test::NotMatch(pattern(text, value)?)
        } else if let Some(value) = rest.strip_prefix("!=") {
            Test::NotEqual(value.to_owned())
        } else if let Some(value) = rest.strip_prefix('=') {
            Test::Equal(value.to_owned())
        } else {
            return Err(shape());
        };
        Ok(Self { label: label.to_owned(), test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_blanks_is_none() {
        for text in ["=a", " =a", "\t !~x"] {
            assert!(matches!(text.parse::<LabelFilter>(), Err(FilterError::Shape(_))), "{text:?}");
        }
        assert_eq!(" host =a".parse::<LabelFilter>().expect("a label").to_string(), "host=a");
    }

    #[test]
    fn the_four_comparisons() {
        let labels = Labels::new([("host", "web-1"), ("dc", "eu")]).expect("valid");
        for (filter, expected) in [
            ("host=web-1", true),
            ("host=web", false),
            ("host!=web", true),
            ("host=~web.*", true),
            ("host=~web", false),
            ("host!~web.*", false),
            ("rack=", true),
            ("rack!=", false),
            ("dc=~eu|us", true),
        ] {
            let filter: LabelFilter = filter.parse().expect(filter);
            assert_eq!(filter.accepts(&labels), expected, "{filter}");
            assert_eq!(filter.to_string().parse::<LabelFilter>().expect("reads back").to_string(), filter.to_string());
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        assert!(matches!("host".parse::<LabelFilter>(), Err(FilterError::Shape(_))));
        assert!(matches!("=a".parse::<LabelFilter>(), Err(FilterError::Shape(_))));
        assert!(matches!("host!a".parse::<LabelFilter>(), Err(FilterError::Shape(_))));
        assert!(matches!("host=~(".parse::<LabelFilter>(), Err(FilterError::Pattern { .. })));
        assert!(matches!("host=~(a{1000}){1000}".parse::<LabelFilter>(), Err(FilterError::Pattern { .. })));
    }
}
