//! Names and labels: the text that tells series apart, checked once at the door.

use std::fmt;
use std::sync::Arc;

/// Longest metric name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;
/// Most label pairs on one series.
pub const MAX_LABELS: usize = 32;
/// Longest label name, in bytes of UTF-8.
pub const MAX_LABEL_NAME_BYTES: usize = 255;
/// Longest label value, in bytes of UTF-8.
pub const MAX_LABEL_VALUE_BYTES: usize = 1_024;

/// What is wrong with a name or with labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// A metric name without a character.
    #[error("name is empty: a metric name has 1 to {MAX_NAME_BYTES} bytes")]
    EmptyName,
    /// A metric name over [`MAX_NAME_BYTES`].
    #[error("name has {0} bytes: at most {MAX_NAME_BYTES} are allowed")]
    LongName(usize),
    /// A control character in a metric name, label name or label value.
    #[error("{field} holds the control character U+{code:04X}: only printable text is allowed")]
    Control {
        /// Which text: `name`, `label name` or the label's name.
        field: String,
        /// The character's code point.
        code: u32,
    },
    /// More pairs than [`MAX_LABELS`].
    #[error("{0} labels: at most {MAX_LABELS} are allowed")]
    TooMany(usize),
    /// A label name that is empty or over [`MAX_LABEL_NAME_BYTES`].
    #[error("a label name has {0} bytes: 1 to {MAX_LABEL_NAME_BYTES} are allowed")]
    LabelNameLength(usize),
    /// A label value over [`MAX_LABEL_VALUE_BYTES`].
    #[error("label \"{name}\" has a value of {bytes} bytes: at most {MAX_LABEL_VALUE_BYTES} are allowed")]
    LongValue {
        /// The label's name.
        name: String,
        /// The value's length.
        bytes: usize,
    },
    /// The same label name twice.
    #[error("label \"{0}\" is given twice")]
    Duplicate(String),
}

fn refuse_control(text: &str, field: &str) -> Result<(), LabelError> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(LabelError::Control { field: field.to_owned(), code: u32::from(c) }),
        None => Ok(()),
    }
}

/// The name of a metric: 1 to [`MAX_NAME_BYTES`] bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName(Arc<str>);

impl MetricName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`LabelError`] when it is empty, too long or holds a control character.
    pub fn new(name: &str) -> Result<Self, LabelError> {
        match name.len() {
            0 => return Err(LabelError::EmptyName),
            1..=MAX_NAME_BYTES => refuse_control(name, "name")?,
            bytes => return Err(LabelError::LongName(bytes)),
        }
        Ok(Self(name.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Label pairs, sorted by label name, each name once. A pair with an empty value is the same as no pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Checks and sorts pairs.
    ///
    /// # Errors
    /// [`LabelError`] names the pair and the bound that it breaks.
    ///
    /// ```
    /// use metrics_core::Labels;
    /// let labels = Labels::new([("host", "a"), ("dc", "eu"), ("rack", "")]).unwrap();
    /// assert_eq!(labels.to_string(), r#"{dc="eu",host="a"}"#);
    /// ```
    pub fn new<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, LabelError> {
        let mut checked: Vec<(Box<str>, Box<str>)> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            if name.is_empty() || name.len() > MAX_LABEL_NAME_BYTES {
                return Err(LabelError::LabelNameLength(name.len()));
            }
            refuse_control(name, "label name")?;
            if value.len() > MAX_LABEL_VALUE_BYTES {
                return Err(LabelError::LongValue { name: name.to_owned(), bytes: value.len() });
            }
            refuse_control(value, name)?;
            if !value.is_empty() {
                checked.push((name.into(), value.into()));
            }
        }
        if checked.len() > MAX_LABELS {
            return Err(LabelError::TooMany(checked.len()));
        }
        checked.sort_unstable();
        if let Some(pair) = checked.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelError::Duplicate(pair[0].0.to_string()));
        }
        Ok(Self(checked.into()))
    }

    /// No labels.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(n, _)| n.as_ref().cmp(name)).ok().map(|at| self.0[at].1.as_ref())
    }

    /// The pairs in order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without a pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only the pairs whose name is asked for.
    #[must_use]
    pub fn only(&self, names: &[String]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.iter().any(|n| **n == **name)).cloned().collect())
    }

    /// Only the pairs whose name is not among these.
    #[must_use]
    pub fn except(&self, names: &[String]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.iter().all(|n| **n != **name)).cloned().collect())
    }
}

impl fmt::Display for Labels {
    /// Prometheus' notation, `{dc="eu",host="a"}`; nothing at all without labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        for (at, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if at == 0 { '{' } else { ',' })?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_their_bounds_are_refused() {
        assert_eq!(MetricName::new(""), Err(LabelError::EmptyName));
        assert_eq!(MetricName::new(&"é".repeat(128)), Err(LabelError::LongName(256)));
        assert!(MetricName::new(&"e".repeat(255)).is_ok());
        assert_eq!(MetricName::new("a\nb"), Err(LabelError::Control { field: "name".into(), code: 10 }));
        assert!(MetricName::new("<img onerror=alert(1)>").is_ok(), "markup is ordinary text");
    }

    #[test]
    fn labels_are_sorted_and_unique() {
        let labels = Labels::new([("b", "2"), ("a", "1")]).expect("valid");
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!((labels.get("b"), labels.get("c")), (Some("2"), None));
        assert_eq!(Labels::new([("a", "1"), ("a", "2")]), Err(LabelError::Duplicate("a".into())));
        assert_eq!(Labels::new((0..33).map(|i| (i.to_string(), "x"))), Err(LabelError::TooMany(33)));
        assert_eq!(Labels::new([("", "x")]), Err(LabelError::LabelNameLength(0)));
    }
}
