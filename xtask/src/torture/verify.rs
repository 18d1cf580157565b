//! Holding a store against its ledger: every acknowledged point once, the others of a post all or none, values as they
//! were sent, and rollups equal to what they sum up.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ledger::{Fate, Ledger, Post};
use super::points::{DAY_MS, MINUTE_MS, Metric, Point, Points};
use crate::http::Connection;

/// What was found wrong, counted in points (rollups: in windows).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Acknowledged, or once seen, and not there.
    pub(crate) lost: u64,
    /// There more than once.
    pub(crate) doubled: u64,
    /// Of a post that is there in part.
    pub(crate) torn: u64,
    /// Not what was sent, or sent by nobody, or gone and back.
    pub(crate) strange: u64,
    /// Windows that differ from what their points give.
    pub(crate) rollups: u64,
    /// The first few, in words.
    pub(crate) words: Vec<String>,
}

/// Findings that are told in words.
const MOST_WORDS: usize = 6;

impl Findings {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.torn + self.strange + self.rollups == 0 && self.words.is_empty()
    }

    pub(crate) fn say(&mut self, words: impl Into<String>) {
        if self.words.len() < MOST_WORDS {
            self.words.push(words.into());
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.torn += other.torn;
        self.strange += other.strange;
        self.rollups += other.rollups;
        other.words.into_iter().for_each(|words| self.say(words));
    }
}

/// Compares all of a store with its ledger; open posts become kept or lost.
///
/// # Errors
/// When the server does not answer.
pub(crate) fn verify(connection: &mut Connection, ledger: &mut Ledger) -> anyhow::Result<Findings> {
    let points = ledger.points;
    let mut posts = std::mem::take(&mut ledger.posts);
    let found = verify_posts(connection, &points, &mut posts);
    ledger.posts = posts;
    found
}

/// Compares what was sent from a number on, with the windows per minute in which that lies.
///
/// # Errors
/// When the server does not answer.
pub(crate) fn verify_since(connection: &mut Connection, ledger: &mut Ledger, number: u64) -> anyhow::Result<Findings> {
    compare(connection, &ledger.points, &mut ledger.posts, number)
}

/// As [`verify`], for posts as they were at some moment.
///
/// # Errors
/// When the server does not answer.
pub(crate) fn verify_posts(
    connection: &mut Connection,
    points: &Points,
    posts: &mut BTreeMap<u64, Post>,
) -> anyhow::Result<Findings> {
    compare(connection, points, posts, 0)
}

fn compare(
    connection: &mut Connection,
    points: &Points,
    posts: &mut BTreeMap<u64, Post>,
    since: u64,
) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let mut stored: BTreeMap<u64, u64> = BTreeMap::new();
    for metric in Metric::ALL {
        for point in raw(connection, &points.spans_since(metric, since), metric)? {
            match Points::number(point.value).filter(|number| points.get(*number) == point) {
                Some(number) => *stored.entry(number).or_default() += 1,
                None => {
                    findings.strange += 1;
                    findings.say(format!("{point:?} was never sent"));
                }
            }
        }
    }
    compare_posts(points, posts, since, &stored, &mut findings);
    // Longer windows begin before the first point that is looked at.
    let widths = &[("minute", MINUTE_MS), ("hour", 60 * MINUTE_MS), ("day", DAY_MS)];
    let widths = if since == 0 { &widths[..] } else { &widths[..1] };
    for metric in Metric::ALL {
        let expected: Vec<Point> = match metric {
            // Of these the rollups outlive the points.
            Metric::Thinned => {
                let kept = posts.values().filter(|post| post.fate == Fate::Kept);
                kept.flat_map(|post| post.first..post.first + post.count).map(|number| points.get(number)).collect()
            }
            _ => stored.keys().map(|number| points.get(*number)).collect(),
        };
        let spans = points.spans_since(metric, since);
        let inside = |point: &&Point| spans.iter().any(|(from, to)| (*from..*to).contains(&point.at_ms));
        let of_metric = || expected.iter().filter(move |point| point.metric == metric).filter(inside);
        for (per, width_ms) in widths {
            let expected = windows_of(of_metric(), *width_ms);
            let answered = windows(connection, &spans, metric, per)?;
            compare_windows(metric, per, &expected, &answered, &mut findings);
        }
    }
    Ok(findings)
}

fn compare_posts(
    points: &Points,
    posts: &mut BTreeMap<u64, Post>,
    since: u64,
    stored: &BTreeMap<u64, u64>,
    findings: &mut Findings,
) {
    let doubled = stored.values().filter(|times| **times > 1).count() as u64;
    if doubled > 0 {
        findings.doubled += doubled;
        findings.say(format!("{doubled} points are there more than once"));
    }
    let mut known = 0;
    for (_, post) in posts.range_mut(since..) {
        let there = stored.range(post.first..post.first + post.count).count() as u64;
        known += there;
        let numbers = post.first..post.first + post.count;
        let missing = numbers.clone().filter(|number| !stored.contains_key(number));
        // Whether the post is there is told by its first point, which no rule drops; the rest must be with it.
        let is_there = stored.contains_key(&post.first);
        let gone = missing.filter(|number| !points.may_be_gone(&points.get(*number))).count() as u64;
        post.fate = match post.fate {
            Fate::Kept if gone > 0 => {
                findings.lost += gone;
                findings.say(format!("{gone} of the {} points from {} are gone: {post:?}", post.count, post.first));
                // Told once; what is left of it is not held against the next look.
                if is_there { Fate::Kept } else { Fate::Lost }
            }
            Fate::Lost if there > 0 => {
                findings.strange += there;
                findings.say(format!("{there} points from {} are back", post.first));
                Fate::Kept
            }
            Fate::Open if is_there && gone > 0 || !is_there && there > 0 => {
                findings.torn += there;
                findings
                    .say(format!("{there} of {} points from {} are there, never acknowledged", post.count, post.first));
                Fate::Kept
            }
            Fate::Open => {
                if is_there {
                    Fate::Kept
                } else {
                    Fate::Lost
                }
            }
            fate => fate,
        };
    }
    let unknown = stored.range(since..).count() as u64 - known;
    if unknown > 0 {
        findings.strange += unknown;
        findings.say(format!("{unknown} points belong to no post"));
    }
}

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    count: f64,
    sum: f64,
    min: f64,
    max: f64,
    first: f64,
    last: f64,
}

type Windows = BTreeMap<(u64, i64), Window>;

fn windows_of<'a>(points: impl Iterator<Item = &'a Point>, width_ms: i64) -> Windows {
    let mut sorted: Vec<&Point> = points.collect();
    // Of points at one time the least is the first and the greatest the last.
    sorted.sort_by(|a, b| a.at_ms.cmp(&b.at_ms).then(a.value.total_cmp(&b.value)));
    let mut windows = Windows::new();
    for point in sorted {
        let v = point.value;
        let key = (point.part, point.at_ms.div_euclid(width_ms) * width_ms);
        let new = Window { count: 0.0, sum: 0.0, min: v, max: v, first: v, last: v };
        let window = windows.entry(key).or_insert(new);
        window.count += 1.0;
        window.sum += v;
        (window.min, window.max, window.last) = (window.min.min(v), window.max.max(v), v);
    }
    windows
}

fn compare_windows(metric: Metric, per: &str, expected: &Windows, answered: &Windows, findings: &mut Findings) {
    let differs = |key: &&(u64, i64)| !Points::may_go(metric, key.1) && expected.get(key) != answered.get(key);
    let extra = answered.keys().filter(|key| !expected.contains_key(key));
    let wrong: Vec<_> = expected.keys().chain(extra).filter(differs).collect();
    if let Some(first) = wrong.first() {
        findings.rollups += wrong.len() as u64;
        findings.say(format!(
            "{} windows per {per} of {} differ, the first {first:?}: {:?} in place of {:?}",
            wrong.len(),
            metric.name(),
            answered.get(first),
            expected.get(first)
        ));
    }
}

fn query(connection: &mut Connection, metric: Metric, (from, to): (i64, i64), what: &str) -> anyhow::Result<Value> {
    let name = metric.name();
    let path = format!("/v1/query?name={name}&from={from}&to={to}&group_by=*&epoch=ms&limit=10000000&{what}");
    connection.get(&path)?.json()
}

/// The columns of each series of an answer, with the series' label.
fn series(answer: &Value) -> impl Iterator<Item = (u64, &Value)> {
    answer["series"].as_array().into_iter().flatten().map(|series| {
        let part = series["labels"]["part"].as_str().and_then(|part| part.parse().ok());
        // A label that nobody sent makes a point that nobody sent.
        (part.unwrap_or(u64::MAX), series)
    })
}

fn column<'a>(series: &'a Value, name: &str) -> Vec<f64> {
    let cells: &'a Value = &series[name];
    cells.as_array().into_iter().flatten().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect()
}

fn times(series: &Value) -> Vec<i64> {
    series["time"].as_array().into_iter().flatten().map(|time| time.as_i64().unwrap_or(i64::MIN)).collect()
}

fn raw(connection: &mut Connection, spans: &[(i64, i64)], metric: Metric) -> anyhow::Result<Vec<Point>> {
    let mut found = Vec::new();
    for span in spans {
        let answer = query(connection, metric, *span, "per=raw")?;
        for (part, series) in series(&answer) {
            let values = column(series, "value");
            found.extend(times(series).into_iter().zip(values).map(|(at_ms, value)| Point {
                metric,
                part,
                at_ms,
                value,
            }));
        }
    }
    Ok(found)
}

fn windows(connection: &mut Connection, spans: &[(i64, i64)], metric: Metric, per: &str) -> anyhow::Result<Windows> {
    let mut windows = Windows::new();
    for span in spans {
        let answer = query(connection, metric, *span, &format!("per={per}&agg=count,sum,min,max,first,last"))?;
        for (part, series) in series(&answer) {
            let [count, sum, min, max, first, last] =
                ["count", "sum", "min", "max", "first", "last"].map(|name| column(series, name));
            for (i, at) in times(series).into_iter().enumerate() {
                let window =
                    Window { count: count[i], sum: sum[i], min: min[i], max: max[i], first: first[i], last: last[i] };
                windows.insert((part, at), window);
            }
        }
    }
    Ok(windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posts(fates: [(Fate, bool); 3]) -> BTreeMap<u64, Post> {
        let post = |(i, (fate, acknowledged)): (usize, (Fate, bool))| {
            let first = i as u64 * 4;
            (first, Post { first, count: 4, fate, acknowledged })
        };
        fates.into_iter().enumerate().map(post).collect()
    }

    fn found(fates: [(Fate, bool); 3], stored: &[u64]) -> Findings {
        let mut times = BTreeMap::new();
        stored.iter().for_each(|number| *times.entry(*number).or_default() += 1);
        let mut findings = Findings::default();
        compare_posts(&Points::of_today(), &mut posts(fates), 0, &times, &mut findings);
        findings
    }

    const KEPT: (Fate, bool) = (Fate::Kept, true);
    const OPEN: (Fate, bool) = (Fate::Open, false);
    const LOST: (Fate, bool) = (Fate::Lost, false);

    #[test]
    fn whole_posts_pass_and_an_open_one_may_be_absent() {
        let eight: Vec<u64> = (0..8).collect();
        assert!(found([KEPT, KEPT, OPEN], &eight).is_clean());
        assert!(found([KEPT, KEPT, LOST], &eight).is_clean());
        assert!(found([KEPT, OPEN, OPEN], &eight).is_clean());
    }

    #[test]
    fn lost_doubled_torn_and_unknown_points_are_counted() {
        let without_the_first_post: Vec<u64> = (4..8).collect();
        assert!(found([KEPT, KEPT, OPEN], &without_the_first_post).lost >= 2, "those that no rule may have dropped");
        assert_eq!(found([KEPT, OPEN, OPEN], &[0, 1, 2, 3, 0]).doubled, 1);
        assert_eq!(found([KEPT, OPEN, OPEN], &[0, 1, 2, 3, 4]).torn, 1);
        assert_eq!(found([KEPT, OPEN, OPEN], &[0, 1, 2, 3, 5]).torn, 1);
        assert_eq!(found([KEPT, LOST, OPEN], &[0, 1, 2, 3, 4, 5, 6, 7]).strange, 4);
        assert_eq!(found([KEPT, OPEN, OPEN], &[0, 1, 2, 3, 100]).strange, 1);
    }

    #[test]
    fn windows_that_differ_in_one_column_are_noticed() {
        let points = Points::of_today();
        let some: Vec<Point> = (0..400).map(|number| points.get(number)).filter(|p| p.metric == Metric::Kept).collect();
        let expected = windows_of(some.iter(), 60_000);
        assert!(expected.len() > 5);
        let differences = |change: fn(&mut Windows)| {
            let (mut answered, mut findings) = (expected.clone(), Findings::default());
            change(&mut answered);
            compare_windows(Metric::Kept, "minute", &expected, &answered, &mut findings);
            findings.rollups
        };
        assert_eq!(differences(|_| {}), 0);
        assert_eq!(
            differences(|windows| windows.values_mut().for_each(|window| window.last += 1.0)),
            expected.len() as u64
        );
        assert_eq!(
            differences(|windows| {
                windows.pop_first();
            }),
            1
        );
        assert_eq!(
            differences(|windows| {
                windows.insert((99, 0), *windows.values().next().expect("some"));
            }),
            1
        );
    }
}
