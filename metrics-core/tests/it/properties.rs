//! The engine answers as the model does, whatever happened before.
//!
//! `PROPTEST_CASES` raises the number of scenarios; a failure prints its smallest form and the seed that repeats it.

use std::collections::BTreeMap;

use metrics_core::{Batch, Engine, IdempotencyKey, Options, QueryRequest};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::compare::difference;
use crate::naive::Model;
use crate::scenario::{PointAt, Scenario, Step, scenario};

/// An engine with the model beside it.
struct Pair {
    folder: TempDir,
    options: Options,
    engine: Engine,
    model: Model,
    /// Points of the first batch with each key.
    keys: BTreeMap<u8, u64>,
}

impl Pair {
    fn new(scenario: &Scenario) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let Scenario { head_points, exact_quantile_points, .. } = *scenario;
        let options = Options { head_points, exact_quantile_points, ..Options::default() };
        let engine = Engine::open_with(folder.path().join("m.duckdb"), options.clone()).expect("opens");
        Self { folder, options, engine, model: Model::default(), keys: BTreeMap::new() }
    }

    fn write(&mut self, scenario: &Scenario, batches: &[Vec<PointAt>]) {
        let batches: Vec<_> = batches.iter().map(|points| scenario.batch(points)).collect();
        let tickets: Vec<_> =
            batches.iter().map(|batch| self.engine.write(batch.clone()).expect("takes a batch")).collect();
        for (ticket, batch) in tickets.into_iter().zip(&batches) {
            let receipt = ticket.wait().expect("commits");
            assert_eq!((receipt.points, receipt.replayed), (batch.len() as u64, false));
            self.model.add(batch);
        }
    }

    /// Writes points that are in chunks when this returns.
    fn settle(&mut self, batch: Batch) {
        self.model.add(&batch);
        self.engine.write(batch).expect("takes a batch").wait().expect("commits");
        self.engine.compact().expect("compacts");
    }

    fn write_keyed(&mut self, key: u8, batch: &Batch) {
        let name = IdempotencyKey::new(&format!("key-{key}")).expect("a key");
        let ticket = self.engine.try_write_keyed(batch.clone(), name).expect("takes a batch");
        let receipt = ticket.wait().expect("commits");
        let first = self.keys.get(&key).copied();
        assert_eq!((receipt.points, receipt.replayed), (first.unwrap_or(batch.len() as u64), first.is_some()));
        if first.is_none() {
            self.keys.insert(key, receipt.points);
            self.model.add(batch);
        }
    }

    fn delete(&mut self, request: &QueryRequest) {
        let (name, filters) = (&request.names[0], &request.filters);
        let deleted = self.engine.delete(name, filters, request.from, request.to).expect("deletes");
        assert_eq!(deleted, self.model.delete(name, filters, request.from.micros(), request.to.micros()));
    }

    fn reopen(self) -> Self {
        let Self { folder, options, engine, model, keys } = self;
        engine.close().expect("closes");
        let engine = Engine::open_with(folder.path().join("m.duckdb"), options.clone()).expect("opens again");
        Self { folder, options, engine, model, keys }
    }

    fn check_query(&self, request: &QueryRequest) -> Result<(), TestCaseError> {
        let frame = self.engine.query(request).map_err(|e| TestCaseError::fail(format!("{e}: {request:?}")))?;
        match difference(request, &frame, &self.model.answer(request)) {
            Some(difference) => Err(TestCaseError::fail(format!("{difference}\n  in the answer to {request:?}"))),
            None => Ok(()),
        }
    }

    fn check_everything(&self, scenario: &Scenario, when: &str) -> Result<(), TestCaseError> {
        let known = self.model.series();
        prop_assert_eq!(&self.engine.series(None, &[]), &known, "series {}", when);
        prop_assert_eq!(self.engine.stats().points, self.model.len() as u64, "points {}", when);
        let report = self.engine.check(false).expect("checks");
        prop_assert_eq!(report.differences, 0, "differences {}", when);
        for request in scenario.complete_requests() {
            self.check_query(&request).map_err(|e| TestCaseError::fail(format!("{when}: {e}")))?;
        }
        Ok(())
    }
}

fn play(scenario: &Scenario) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(scenario);
    if scenario.settled > 0 {
        pair.settle(scenario.settled_batch());
    }
    for step in &scenario.steps {
        match step {
            Step::Write(batches) => pair.write(scenario, batches),
            Step::Keyed(key, points) => pair.write_keyed(*key, &scenario.batch(points)),
            Step::Compact => pair.engine.compact().expect("compacts"),
            Step::Delete(query) => pair.delete(&scenario.request(query)),
            Step::Reopen => pair = pair.reopen(),
            Step::Query(query) => pair.check_query(&scenario.request(query))?,
        }
    }
    pair.check_everything(scenario, "at the end")?;
    pair.engine.compact().expect("compacts");
    pair.check_everything(scenario, "after compaction")?;
    pair = pair.reopen();
    pair.check_everything(scenario, "after reopening")?;
    pair.engine.close().expect("closes");
    Ok(())
}

/// Longest search for a smaller scenario that fails as well.
const SHRINK_MS: u32 = 30_000;

/// So many scenarios unless the environment asks for another number.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    ProptestConfig { cases, max_shrink_time: SHRINK_MS, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(25))]

    #[test]
    fn prop_every_answer_equals_the_naive_models_before_and_after_compaction_and_reopening(
        scenario in scenario(0, 14)
    ) {
        play(&scenario)?;
    }
}

proptest! {
    #![proptest_config(cases(5))]

    #[test]
    fn prop_every_answer_from_rollups_equals_the_naive_models_with_late_points_on_top(
        scenario in scenario(20_000, 8)
    ) {
        play(&scenario)?;
    }
}
