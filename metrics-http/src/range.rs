//! Which part of a file is asked for (RFC 9110, 13 and 14).

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

/// What to send of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// The bytes from the first number up to the second, not included; never none.
    Part(u64, u64),
    /// Bytes that it does not have.
    Beyond,
    /// Nothing: the client has this version.
    Known,
    /// Nothing: the client wants another version.
    Changed,
}

impl Wanted {
    /// What a request wants of a file of this length and version. `is_get` tells whether parts may be asked for.
    /// Ranges of other units, malformed ones and several at once are passed over, as the RFC allows.
    pub(crate) fn of(headers: &HeaderMap, is_get: bool, length: u64, tag: &str) -> Self {
        if headers.contains_key(IF_MATCH) && !names(headers, &IF_MATCH, |named| named == tag) {
            return Self::Changed;
        }
        if names(headers, &IF_NONE_MATCH, |named| named.trim_start_matches("W/") == tag) {
            return Self::Known;
        }
        let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
        let same_version = headers.get(IF_RANGE).is_none_or(|version| version.as_bytes() == tag.as_bytes());
        match range {
            Some(range) if is_get && same_version => part(range, length).unwrap_or(Self::Whole),
            _ => Self::Whole,
        }
    }
}

/// Whether a list of tags has one that fits, or takes any.
fn names(headers: &HeaderMap, header: &HeaderName, fits: impl Fn(&str) -> bool) -> bool {
    let lists = headers.get_all(header).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|named| named == "*" || fits(named))
}

/// `bytes=0-99`, `bytes=100-` or `bytes=-50`; none where it is something else.
fn part(range: &str, length: u64) -> Option<Wanted> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than 64 bits is beyond every file.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (from, to) = match (first.trim(), last.trim()) {
        ("", last) => (length.saturating_sub(number(last)?), length),
        (first, "") => (number(first)?, length),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            (first, last.saturating_add(1).min(length))
        }
    };
    Some(if from < to { Wanted::Part(from, to) } else { Wanted::Beyond })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const TAG: &str = "\"a1\"";

    fn wanted(headers: &[(HeaderName, &'static str)]) -> Wanted {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Wanted::of(&headers.collect(), true, 1_000, TAG)
    }

    #[test]
    fn a_range_is_cut_to_the_file() {
        for (range, expected) in [
            ("bytes=0-99", Wanted::Part(0, 100)),
            ("bytes=990-2000", Wanted::Part(990, 1_000)),
            ("bytes=999-", Wanted::Part(999, 1_000)),
            ("bytes=-8", Wanted::Part(992, 1_000)),
            ("bytes=-2000", Wanted::Part(0, 1_000)),
            ("bytes=1000-", Wanted::Beyond),
            ("bytes=1000-1001", Wanted::Beyond),
            ("bytes=99999999999999999999-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
        ] {
            assert_eq!(wanted(&[(RANGE, range)]), expected, "{range}");
        }
        assert_eq!(
            Wanted::of(&HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-"))]), true, 0, TAG),
            Wanted::Beyond
        );
        assert_eq!(
            Wanted::of(&HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-"))]), false, 9, TAG),
            Wanted::Whole
        );
    }

    #[test]
    fn another_version_is_not_mixed_with_this_one() {
        let range = (RANGE, "bytes=0-0");
        assert_eq!(wanted(&[range.clone(), (IF_RANGE, TAG)]), Wanted::Part(0, 1));
        assert_eq!(wanted(&[range.clone(), (IF_RANGE, "\"a0\"")]), Wanted::Whole);
        assert_eq!(wanted(&[range.clone(), (IF_RANGE, "Fri, 02 Feb 2024 11:43:02 GMT")]), Wanted::Whole);
        assert_eq!(wanted(&[range.clone(), (IF_MATCH, "\"a0\"")]), Wanted::Changed);
        assert_eq!(wanted(&[range, (IF_MATCH, "\"a0\", \"a1\"")]), Wanted::Part(0, 1));
        assert_eq!(wanted(&[(IF_NONE_MATCH, "W/\"a1\"")]), Wanted::Known);
        assert_eq!(wanted(&[(IF_NONE_MATCH, "\"a0\"")]), Wanted::Whole);
    }
}
