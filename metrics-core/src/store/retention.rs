//! Retention: how long the points and the rollups of which metrics are kept. Off unless rules are given.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::Store;
use super::chunk::Chunk;
use super::chunk_writer::Rollups;
use super::connection::Connection;
use super::error::StoreError;
use super::registry::SeriesId;
use crate::model::{MICROS_PER_DAY, parse_duration_micros};
use crate::rollup::Tier;

/// How long something is kept: a time, or for ever.
pub type Keep = Option<Duration>;

/// How long the metrics that a pattern takes are kept, tier by tier. A tier that is kept longer than a finer one
/// answers alone where that one is gone; the coarsest that is left answers for times before its own end.
///
/// A tier that a rule does not name is kept for ever: `raw=30d` alone makes a rollup per minute, which may take more
/// room than rare points did. To save room, name the fine rollups too: `raw=30d, minute=30d, quarter=365d`.
///
/// ```
/// use metrics_core::RetentionRule;
/// let rule: RetentionRule = "cpu*: raw=30d, minute=365d".parse().unwrap();
/// assert!(rule.takes("cpu_user") && !rule.takes("memory"));
/// assert_eq!(rule.hour, None, "for ever");
/// ```
#[derive(Debug, Clone)]
pub struct RetentionRule {
    pattern: String,
    regex: Regex,
    /// The points.
    pub raw: Keep,
    /// Partials per minute.
    pub minute: Keep,
    /// Partials per quarter of an hour.
    pub quarter: Keep,
    /// Partials per hour.
    pub hour: Keep,
    /// Partials per day.
    pub day: Keep,
}

/// A text that is no retention rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a retention rule: {reason}; write for example \"cpu*: raw=30d, minute=365d, hour=forever\"")]
pub struct RetentionError {
    text: String,
    reason: String,
}

impl RetentionRule {
    /// A rule that keeps everything of the metrics whose name a pattern takes (`*` any text, `?` any character).
    pub fn new(pattern: &str) -> Self {
        let escaped = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
        let regex = Regex::new(&format!("^(?s:{escaped})$")).expect("an escaped text is a pattern");
        Self { pattern: pattern.to_owned(), regex, raw: None, minute: None, quarter: None, hour: None, day: None }
    }

    /// Whether the rule is for a metric. Of several rules the first that takes it counts.
    pub fn takes(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// The pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    fn keep(&self, tier: Tier) -> Keep {
        match tier {
            Tier::Raw => self.raw,
            Tier::Minute => self.minute,
            Tier::Quarter => self.quarter,
            Tier::Hour => self.hour,
            Tier::Day => self.day,
        }
    }

    /// The instant before which a tier is dropped, at a midnight UTC.
    fn cutoff(&self, tier: Tier, now: i64) -> Option<i64> {
        let keep = i64::try_from(self.keep(tier)?.as_micros()).unwrap_or(i64::MAX);
        Some(now.saturating_sub(keep).div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY)
    }

    /// Tiers of which nothing before an instant is kept, and whether that is all of them.
    fn dropped(&self, before: i64, now: i64) -> (Vec<Tier>, bool) {
        let gone = |tier: &Tier| self.cutoff(*tier, now).is_some_and(|cutoff| before <= cutoff);
        let dropped: Vec<Tier> = Tier::ALL.into_iter().filter(gone).collect();
        let all = dropped.len() == Tier::ALL.len();
        (dropped, all)
    }
}

impl FromStr for RetentionRule {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let error = |reason: String| RetentionError { text: text.chars().take(128).collect(), reason };
        let (pattern, tiers) = text.rsplit_once(':').ok_or_else(|| error("it has no \":\"".into()))?;
        let mut rule = Self::new(pattern.trim());
        for part in tiers.split(',') {
            let (tier, keep) =
                part.trim().split_once('=').ok_or_else(|| error(format!("\"{}\" has no \"=\"", part.trim())))?;
            let keep = match keep.trim() {
                "forever" => None,
                duration => {
                    let micros = parse_duration_micros(duration).map_err(|e| error(e.to_string()))?.get();
                    Some(Duration::from_micros(micros.unsigned_abs()))
                }
            };
            let place = match Tier::from_name(tier.trim()) {
                Some(Tier::Raw) => &mut rule.raw,
                Some(Tier::Minute) => &mut rule.minute,
                Some(Tier::Quarter) => &mut rule.quarter,
                Some(Tier::Hour) => &mut rule.hour,
                Some(Tier::Day) => &mut rule.day,
                None => return Err(error(format!("\"{tier}\" is no tier: use raw, minute, quarter, hour or day"))),
            };
            *place = keep;
        }
        Ok(rule)
    }
}

impl Store {
    /// Drops what the rules no longer keep. Works chunk by chunk: a chunk that holds metrics of several rules, or
    /// whole days on both sides of a cutoff, is written anew as several first; then whole tables are dropped.
    /// Once it is `stopped` the rest is left to the next time.
    pub(crate) fn retain(&self, connection: &Connection, stopped: impl Fn() -> bool) -> Result<(), StoreError> {
        if self.options.retention.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        {
            let _gate = self.gate.lock();
            self.clock.store(connection, now)?;
        }
        let (chunks, mut smaller) = (Arc::clone(&self.snapshot().chunks), false);
        for chunk in chunks.iter() {
            if stopped() {
                return Ok(());
            }
            let rules = self.rules_of(connection, chunk)?;
            if !rules.values().flatten().any(|rule| self.has_work(chunk, *rule, now)) {
                continue;
            }
            let mut kept = Vec::new();
            let mut classes: Vec<Option<usize>> = rules.values().copied().collect();
            classes.sort_unstable();
            classes.dedup();
            for class in classes {
                let of_class = |series: SeriesId| rules.get(&series.metric()).copied().flatten() == class;
                kept.extend(self.retain_class(connection, chunk, class, now, of_class)?);
            }
            self.publish(connection, std::slice::from_ref(chunk), kept, false, true)?;
            smaller = true;
        }
        if smaller { self.shrink(connection) } else { Ok(()) }
    }

    /// The rule of each metric of a chunk, by its place among the rules.
    fn rules_of(&self, connection: &Connection, chunk: &Chunk) -> Result<BTreeMap<u32, Option<usize>>, StoreError> {
        let mut metrics = BTreeMap::new();
        super::catalog::each_series(connection, chunk, |series, _| {
            metrics.entry(series.metric()).or_insert(None);
        })?;
        let registry = self.registry.read();
        for (metric, rule) in &mut metrics {
            let Some(name) = registry.metric_name(*metric) else { continue };
            *rule = self.options.retention.iter().position(|rule| rule.takes(name.as_str()));
        }
        Ok(metrics)
    }

    /// Whether a rule drops any table, for at least one whole day, of a chunk.
    fn has_work(&self, chunk: &Chunk, rule: usize, now: i64) -> bool {
        let first_day_end = (chunk.first_at.div_euclid(MICROS_PER_DAY) + 1) * MICROS_PER_DAY;
        let end = first_day_end.min(chunk.last_at.saturating_add(1));
        let (dropped, all) = self.options.retention[rule].dropped(end, now);
        all || (chunk.tables.len() > 1 || chunk.table(Tier::Raw).is_some())
            && dropped.iter().any(|tier| chunk.table(*tier).is_some())
            && !self.keeps_last_table(chunk, &dropped)
    }

    /// Whether dropping would leave a chunk without any table although some tier is to be kept: its finest stays.
    fn keeps_last_table(&self, chunk: &Chunk, dropped: &[Tier]) -> bool {
        chunk.table(Tier::Raw).is_none() && chunk.tables.iter().all(|table| dropped.contains(&table.tier))
    }

    /// What is kept of the metrics of one rule: the days before the earliest cutoff that lies in the chunk without
    /// the tiers that end there, and the days from it on.
    fn retain_class(
        &self,
        connection: &Connection,
        chunk: &Arc<Chunk>,
        class: Option<usize>,
        now: i64,
        of_class: impl Fn(SeriesId) -> bool,
    ) -> Result<Vec<Chunk>, StoreError> {
        let Some(rule) = class.map(|class| &self.options.retention[class]) else {
            return Ok(self.without(connection, chunk, |series, _| of_class(series))?.into_iter().collect());
        };
        let end = chunk.last_at.saturating_add(1);
        let mut cuts: Vec<i64> = Tier::ALL.into_iter().filter_map(|tier| rule.cutoff(tier, now)).collect();
        cuts.retain(|cut| (chunk.first_at + 1..end).contains(cut));
        cuts.extend([i64::MIN, end]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut kept = Vec::new();
        for span in cuts.windows(2) {
            let (from, to) = (span[0], span[1]);
            let (dropped, all) = rule.dropped(to, now);
            if all {
                continue;
            }
            let rollups = if dropped.contains(&Tier::Raw) { Rollups::All } else { Rollups::ThatPay };
            let in_span = |series: SeriesId, at: i64| of_class(series) && at >= from && at < to;
            if let Some(part) = self.part(connection, chunk, rollups, in_span)? {
                kept.push(self.without_tiers(connection, part, &dropped)?);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_and_say_what_is_wrong() {
        let rule: RetentionRule = "cpu*: raw=30d, minute=52w, hour=forever".parse().expect("valid");
        assert_eq!(
            (rule.raw, rule.minute),
            (Some(Duration::from_secs(30 * 86_400)), Some(Duration::from_secs(364 * 86_400)))
        );
        assert_eq!((rule.hour, rule.day), (None, None));
        for (text, word) in
            [("cpu", "\":\""), ("cpu: raw", "\"=\""), ("cpu: year=1d", "tier"), ("cpu: raw=x", "duration")]
        {
            let error = text.parse::<RetentionRule>().expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn cutoffs_are_midnights() {
        let rule: RetentionRule = "*: raw=1d".parse().expect("valid");
        let now = 10 * MICROS_PER_DAY + 5;
        assert_eq!(rule.cutoff(Tier::Raw, now), Some(9 * MICROS_PER_DAY));
        assert_eq!(rule.dropped(9 * MICROS_PER_DAY, now), (vec![Tier::Raw], false));
        assert_eq!(rule.dropped(9 * MICROS_PER_DAY + 1, now), (vec![], false));
    }
}
