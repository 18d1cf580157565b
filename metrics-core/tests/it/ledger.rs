//! What a writer said before it was killed, and whether a store agrees.

use std::collections::BTreeMap;

#[path = "../../examples/crash_writer/numbered.rs"]
pub(crate) mod numbered;

/// What is known of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Handed over, neither acknowledged nor looked for: may be there wholly or not at all.
    Open,
    /// Acknowledged, or found once: must stay.
    Kept,
    /// Not found once: must never appear.
    Lost,
}

/// Every batch that a writer said to send, by its first number.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    batches: BTreeMap<u64, (u64, Fate)>,
    pub(crate) acknowledged: usize,
}

/// A point as the store gives it back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) part: String,
    pub(crate) micros: i64,
    pub(crate) value: f64,
}

impl Ledger {
    /// Takes a line of the writer: `open`, `send FIRST COUNT` or `ack FIRST COUNT`.
    pub(crate) fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect("the writer prints numbers");
        match words[0] {
            "open" => {}
            "send" => assert_eq!(self.batches.insert(number(1), (number(2), Fate::Open)), None, "sent once"),
            "ack" => {
                let batch = self.batches.get_mut(&number(1)).expect("sent before it is acknowledged");
                assert_eq!(*batch, (number(2), Fate::Open), "acknowledged once, as it was sent");
                batch.1 = Fate::Kept;
                self.acknowledged += 1;
            }
            _ => panic!("the writer printed {line:?}"),
        }
    }

    /// The number after the last that was sent.
    pub(crate) fn next(&self) -> u64 {
        self.batches.last_key_value().map_or(1, |(first, (count, _))| first + count)
    }

    /// How many points must be there, once [`Self::settle`] has found out.
    pub(crate) fn kept_points(&self) -> u64 {
        self.batches.values().filter(|(_, fate)| *fate == Fate::Kept).map(|(count, _)| count).sum()
    }

    /// The sum of the values of those points.
    pub(crate) fn kept_sum(&self) -> u64 {
        let kept = self.batches.iter().filter(|(_, (_, fate))| *fate == Fate::Kept);
        kept.map(|(first, (count, _))| (*first..first + count).sum::<u64>()).sum()
    }

    /// Compares everything that a store holds with what it must and may hold; open batches become kept or lost.
    pub(crate) fn settle(&mut self, found: &[Found]) -> Result<(), String> {
        let mut times_found: BTreeMap<u64, u64> = BTreeMap::new();
        for point in found {
            let number = point.value as u64;
            let expected =
                Found { part: numbered::part(number), micros: numbered::time(number).micros(), value: number as f64 };
            if *point != expected {
                return Err(format!("found {point:?} but wrote {expected:?}"));
            }
            *times_found.entry(number).or_default() += 1;
        }
        if let Some((number, times)) = times_found.iter().find(|(_, times)| **times != 1) {
            return Err(format!("point {number} is there {times} times"));
        }
        for (first, (count, fate)) in &mut self.batches {
            let there = times_found.range(first..&(*first + *count)).count() as u64;
            *fate = match (*fate, there) {
                (Fate::Open | Fate::Kept, there) if there == *count => Fate::Kept,
                (Fate::Open | Fate::Lost, 0) => Fate::Lost,
                (fate, there) => return Err(format!("{there} of {count} points from {first} are there: {fate:?}")),
            };
        }
        if found.len() as u64 != self.kept_points() {
            return Err(format!("{} points are there, {} were sent and kept", found.len(), self.kept_points()));
        }
        Ok(())
    }
}

fn stored(first: u64, count: u64) -> Vec<Found> {
    (first..first + count)
        .map(|number| Found {
            part: numbered::part(number),
            micros: numbered::time(number).micros(),
            value: number as f64,
        })
        .collect()
}

/// Three points acknowledged, four not.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ["open", "send 1 3", "send 4 4", "ack 1 3"].into_iter().for_each(|line| ledger.note(line));
    ledger
}

#[test]
fn a_store_with_every_acknowledged_point_passes_with_and_without_the_open_batch() {
    let mut without = ledger();
    assert_eq!(without.settle(&stored(1, 3)), Ok(()));
    assert_eq!((without.kept_points(), without.kept_sum(), without.next()), (3, 6, 8));
    let mut with = ledger();
    assert_eq!(with.settle(&stored(1, 7)), Ok(()));
    assert_eq!((with.kept_points(), with.kept_sum(), with.next()), (7, 28, 8));
}

#[test]
fn a_lost_doubled_changed_torn_or_unknown_point_is_noticed() {
    let points = |changes: &dyn Fn(&mut Vec<Found>)| {
        let mut points = stored(1, 3);
        changes(&mut points);
        ledger().settle(&points).expect_err("the store is broken")
    };
    assert_eq!(points(&|p| drop(p.pop())), "2 of 3 points from 1 are there: Kept");
    assert_eq!(points(&|p| p.push(p[0].clone())), "point 1 is there 2 times");
    assert!(points(&|p| p[1].micros += 1).starts_with("found Found"));
    assert!(points(&|p| p[1].part = "4".into()).starts_with("found Found"));
    assert_eq!(points(&|p| p.extend(stored(4, 2))), "2 of 4 points from 4 are there: Open");
    assert_eq!(points(&|p| p.extend(stored(8, 1))), "4 points are there, 3 were sent and kept");
}

#[test]
fn a_batch_that_disappears_or_appears_later_is_noticed() {
    let mut ledger_with = ledger();
    ledger_with.settle(&stored(1, 7)).expect("both batches are there");
    assert_eq!(ledger_with.settle(&stored(1, 3)), Err("0 of 4 points from 4 are there: Kept".into()));
    let mut ledger_without = ledger();
    ledger_without.settle(&stored(1, 3)).expect("one batch is there");
    assert_eq!(ledger_without.settle(&stored(1, 7)), Err("4 of 4 points from 4 are there: Lost".into()));
}
