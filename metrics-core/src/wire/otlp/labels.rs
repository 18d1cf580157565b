//! Attributes to labels, and names as Prometheus writes them.

use std::fmt::Write;

use crate::model::{LabelError, MAX_LABEL_VALUE_BYTES, MAX_LABELS};
use crate::wire::error::RowFault;

/// Attributes of a resource that become labels: those that tell one source of points from another. Others describe a
/// source (its operating system, its command line) and would be the same on each of its points.
pub const RESOURCE_ATTRIBUTES: [&str; 13] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "host.name",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
];

/// Between the values of attributes whose names are the same as labels.
const JOINT: char = ';';

/// The labels of a data point: its resource's, then its own.
#[derive(Debug, Default)]
pub(super) struct PointLabels {
    pairs: Vec<(String, String)>,
    /// How many of them are the resource's.
    of_resource: usize,
}

impl PointLabels {
    /// Begins a new resource.
    pub(super) fn begin_resource(&mut self) {
        self.pairs.clear();
        self.of_resource = 0;
    }

    /// Takes an attribute of the resource. One that no label could hold is left out: it is no fault of any point.
    pub(super) fn add_of_resource(&mut self, key: &str, value: String) {
        if RESOURCE_ATTRIBUTES.contains(&key) && value.len() <= MAX_LABEL_VALUE_BYTES {
            let name = label_name(key);
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            if !self.pairs.iter().any(|(known, _)| *known == name) {
                self.pairs.push((name, value));
                self.of_resource += 1;
            }
        }
    }

    /// Begins a new data point of the same resource.
    pub(super) fn begin_point(&mut self) {
        self.pairs.truncate(self.of_resource);
    }

    /// Takes an attribute of the data point.
    ///
    /// # Errors
    /// [`RowFault`] when there are more than labels may be.
    pub(super) fn add(&mut self, key: &str, value: String) -> Result<(), RowFault> {
        let name = label_name(key);
        match self.pairs[self.of_resource..].iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if known.len() <= MAX_LABEL_VALUE_BYTES => {
                known.push(JOINT);
                known.push_str(&value);
            }
            Some(_) => {}
            None => self.pairs.push((name, value)),
        }
        if self.pairs.len() > self.of_resource + MAX_LABELS {
            return Err(RowFault::label(&LabelError::TooMany(self.pairs.len())));
        }
        Ok(())
    }

    /// The pairs, one for each label, but for labels of this name.
    pub(super) fn pairs<'a>(&'a self, except: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        let (resource, point) = self.pairs.split_at(self.of_resource);
        let hidden = move |name: &str| point.iter().any(|(own, _)| own == name);
        let of_resource = resource.iter().filter(move |(name, _)| !hidden(name));
        let all = of_resource.chain(point).map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, _)| !except.contains(name))
    }
}

/// A metric's name with `_` for what Prometheus does not take in one.
pub(super) fn metric_name(name: &str) -> String {
    plain(name, |c| c == ':')
}

/// A label's name with `_` for what Prometheus does not take in one.
fn label_name(key: &str) -> String {
    plain(key, |_| false)
}

/// Letters of other scripts stay: they would all become the same.
fn plain(name: &str, also: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(name.len() + 1);
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    out.extend(name.chars().map(|c| if c.is_alphanumeric() || c == '_' || also(c) { c } else { '_' }));
    out
}

/// Appends a number as a label shows it: `0.5`, `10`, `+Inf`.
pub(super) fn push_double(out: &mut String, value: f64) {
    let written = match value {
        f64::INFINITY => out.write_str("+Inf"),
        f64::NEG_INFINITY => out.write_str("-Inf"),
        value => write!(out, "{value}"),
    };
    written.expect("a String takes everything");
}

/// A number as a label shows it.
pub(super) fn double(value: f64) -> String {
    let mut out = String::new();
    push_double(&mut out, value);
    out
}

/// Appends bytes in base64 (RFC 4648, with padding), the form that OTLP's JSON has for them.
pub(super) fn push_base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_usize, |word, byte| word << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[word >> (18 - 6 * place) & 63];
            out.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_prometheus_takes_them() {
        for (name, metric, label) in [
            ("http.server.duration", "http_server_duration", "http_server_duration"),
            ("a-b/c d:e", "a_b_c_d:e", "a_b_c_d_e"),
            ("5xx", "_5xx", "_5xx"),
            ("温度.室内", "温度_室内", "温度_室内"),
            ("", "", ""),
        ] {
            assert_eq!((metric_name(name), label_name(name)), (metric.to_owned(), label.to_owned()));
        }
    }

    #[test]
    fn a_points_attributes_go_before_those_of_its_resource_and_join_where_they_collide() {
        let mut labels = PointLabels::default();
        labels.add_of_resource("service.name", "shop".into());
        labels.add_of_resource("service.name", "twice".into());
        labels.add_of_resource("host.name", "a\u{7}".into());
        labels.add_of_resource("process.command_line", "left out".into());
        labels.begin_point();
        for (key, value) in [("host.name", "b"), ("a.b", "1"), ("a_b", "2"), ("le", "own")] {
            labels.add(key, value.into()).expect("room");
        }
        let pairs: Vec<_> = labels.pairs(&["le"]).collect();
        assert_eq!(pairs, [("service_name", "shop"), ("host_name", "b"), ("a_b", "1;2")]);
        labels.begin_point();
        assert_eq!(labels.pairs(&[]).collect::<Vec<_>>(), [("service_name", "shop"), ("host_name", "a")]);
        labels.begin_resource();
        assert_eq!(labels.pairs(&[]).count(), 0);
    }

    #[test]
    fn bytes_are_base64_and_numbers_plain() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xFF\xFE\0b", "//4AYg==")]
        {
            let mut out = String::new();
            push_base64(&mut out, bytes);
            assert_eq!(out, text);
        }
        for (value, text) in
            [(0.5, "0.5"), (10.0, "10"), (1e6, "1000000"), (f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf")]
        {
            assert_eq!(double(value), text);
        }
    }
}
