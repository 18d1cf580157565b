//! What `query` and `plot` ask for.

use clap::Args;

/// What is asked for: the parameters of `GET /v1/query`.
#[derive(Debug, Args)]
pub(crate) struct WindowArgs {
    /// Metrics
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Width of the windows: minute, hour, day, week, month, a duration such as 15s or 6h, raw, or auto
    #[arg(long, value_name = "WIDTH")]
    pub(crate) per: Option<String>,
    /// Most windows that --per auto makes
    #[arg(long, value_name = "N")]
    pub(crate) points: Option<String>,
    /// Start: RFC 3339, a date, an epoch number, or relative such as now-7d [default: 24 hours
    /// before the end; a plot starts no earlier than the first point]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End, not included [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// What to compute, with commas: avg min max sum count first last stddev median p95 p99.9 rate increase
    #[arg(long, value_name = "LIST")]
    pub(crate) agg: Option<String>,
    /// Label filter: host=a, host!=a, host=~web.*, host!~web.* (repeatable)
    #[arg(long = "where", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Labels whose values are kept apart, with commas; * keeps every series apart
    #[arg(long, value_name = "LABELS")]
    pub(crate) group_by: Option<String>,
    /// What windows without points show: none, null, zero, previous or linear
    #[arg(long, value_name = "FILL")]
    pub(crate) fill: Option<String>,
    /// IANA zone of days, weeks and months, and of printed tables and axes
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Order in time: asc or desc
    #[arg(long, value_name = "ORDER")]
    pub(crate) order: Option<String>,
    /// Most windows, or raw points, of a series
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<String>,
    /// Tell how the answer was made
    #[arg(long)]
    pub(crate) explain: bool,
}

impl WindowArgs {
    /// The options as the pairs of a query string.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs: Vec<(&'static str, String)> = self.names.iter().map(|name| ("name", name.clone())).collect();
        pairs.extend(self.filters.iter().map(|filter| ("where", filter.clone())));
        let single = [
            ("per", &self.per),
            ("points", &self.points),
            ("from", &self.from),
            ("to", &self.to),
            ("agg", &self.agg),
            ("group_by", &self.group_by),
            ("fill", &self.fill),
            ("tz", &self.tz),
            ("order", &self.order),
            ("limit", &self.limit),
        ];
        pairs.extend(single.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
        pairs.extend(self.explain.then(|| ("explain", "true".to_owned())));
        pairs
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::{Cli, Command};

    #[test]
    fn options_become_the_pairs_of_the_http_api() {
        let line = "metrics-cli query cpu mem --per hour --agg avg,p95 --where host=a --where dc!=eu --group-by host --tz UTC --explain";
        let Command::Query(query) = Cli::parse_from(line.split(' ')).command else { panic!("a query") };
        let pairs = query.window.pairs();
        let expected = [
            ("name", "cpu"),
            ("name", "mem"),
            ("where", "host=a"),
            ("where", "dc!=eu"),
            ("per", "hour"),
            ("agg", "avg,p95"),
            ("group_by", "host"),
            ("tz", "UTC"),
            ("explain", "true"),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key, value.to_owned())));
    }
}
