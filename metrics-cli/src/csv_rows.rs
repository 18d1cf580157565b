//! Series as CSV: the name, a column for each label that occurs, then what is asked for.

use std::collections::BTreeSet;

use anyhow::Context;
use metrics_core::SeriesInfo;

use crate::commands::list::Listing;

/// Series with their points, or with their latest one.
pub(crate) fn series(listing: Listing, series: &[SeriesInfo]) -> anyhow::Result<Vec<u8>> {
    let labels: BTreeSet<&str> =
        series.iter().flat_map(|info| info.key.labels.iter().map(|(label, _)| label)).collect();
    let told: &[&str] = match listing {
        Listing::Series => &["points", "first", "last"],
        Listing::Latest => &["timestamp", "value"],
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["name"].iter().chain(&labels.iter().copied().collect::<Vec<_>>()).chain(told))?;
    for info in series {
        let mut row = vec![info.key.name.to_string()];
        row.extend(labels.iter().map(|label| info.key.labels.get(label).unwrap_or("").to_owned()));
        row.extend(
            match listing {
                Listing::Series => {
                    [Some(info.count.to_string()), Some(info.first.to_string()), Some(info.last.to_string())]
                }
                Listing::Latest => [Some(info.last.to_string()), Some(info.last_value.to_string()), None],
            }
            .into_iter()
            .flatten(),
        );
        writer.write_record(row)?;
    }
    writer.into_inner().context("writing CSV to memory failed")
}

#[cfg(test)]
mod tests {
    use metrics_core::{Labels, MetricName, SeriesKey, Timestamp};

    use super::*;

    #[test]
    fn labels_are_columns_and_commas_are_quoted() {
        let info = |labels: &[(&str, &str)]| SeriesInfo {
            key: SeriesKey::new(
                MetricName::new("a,b").expect("valid"),
                Labels::new(labels.iter().copied()).expect("valid"),
            ),
            first: Timestamp::EPOCH,
            last: Timestamp::clamped(1_500_000),
            last_value: 2.5,
            count: 7,
        };
        let all = [info(&[("host", "x")]), info(&[("dc", "eu")])];
        let text = |listing| String::from_utf8(series(listing, &all).expect("memory")).expect("UTF-8");
        assert_eq!(
            text(Listing::Series),
            "name,dc,host,points,first,last\n\
             \"a,b\",,x,7,1970-01-01T00:00:00Z,1970-01-01T00:00:01.500Z\n\
             \"a,b\",eu,,7,1970-01-01T00:00:00Z,1970-01-01T00:00:01.500Z\n"
        );
        assert!(
            text(Listing::Latest)
                .starts_with("name,dc,host,timestamp,value\n\"a,b\",,x,1970-01-01T00:00:01.500Z,2.5\n")
        );
    }
}
