//! PromQL that is refused: what is named, what is bounded, and that no text harms.

use std::time::Duration;

use metrics_core::promql::{MAX_DEPTH, MAX_OPERATORS, MAX_STEPS, PromqlError, Query};
use metrics_core::{Options, QueryError};
use proptest::prelude::*;

use crate::promql::{Store, time};
use crate::properties::cases;

fn refusal(store: &Store, expression: &str) -> PromqlError {
    store.at(expression, 60.0).expect_err(expression)
}

#[test]
fn what_is_not_evaluated_is_named() {
    let store = Store::with("x", &[("a", 60.0, 1.0)]);
    for (expression, words) in [
        ("histogram_avg(x)", "the function \"histogram_avg\" is not supported"),
        ("mad_over_time(x[5m])", "the function \"mad_over_time\""),
        ("sort_by_label(x, \"host\")", "the function \"sort_by_label\""),
        ("double_exponential_smoothing(x[5m], 0.5, 0.5)", "the function \"double_exponential_smoothing\""),
        ("limitk(1, x)", "the aggregation \"limitk\""),
        ("limit_ratio(0.5, x)", "the aggregation \"limit_ratio\""),
        ("x + fill(0) x", "the modifier \"fill\""),
        ("x{host=\"a\" or host=\"b\"}", "\"or\" between label matchers"),
        ("no_such(x)", "unknown function with name 'no_such'"),
        ("label_replace(x, \"a\", \"b\", \"host\", \"(\")", "label_replace: the pattern"),
        ("x{host=~\"(\"}", "regex parse error"),
        ("sum(x", "unclosed left parenthesis"),
        ("rate(x)", "expected type matrix"),
        ("x[5m] + 1", "only scalar and instant vector types"),
        ("1 > 2", "BOOL"),
    ] {
        let error = refusal(&store, expression);
        assert!(error.to_string().contains(words), "{expression}: {error}");
        let is_evaluated = expression.starts_with("label_replace");
        assert_eq!(error.is_bad_request(), !is_evaluated, "{expression}: {error}");
    }
}

#[test]
fn matches_that_are_not_unique_are_refused_with_their_labels() {
    let store = Store::with("x", &[("a", 60.0, 1.0), ("b", 60.0, 2.0)]);
    let many = refusal(&store, "x * on() x");
    assert!(many.to_string().contains("found duplicate series for the match group {} on the right"), "{many}");
    assert!(many.to_string().contains(r#"x{host="b"}, x{host="a"}"#), "{many}");
    assert!(matches!(refusal(&store, "x * on() max(x)"), PromqlError::ManyToOne));
    let group = "label_replace(x, \"host\", \"same\", \"host\", \".*\")";
    assert!(matches!(refusal(&store, group), PromqlError::SameLabels { .. }));
    assert!(store.at("x * on() group_left() max(x)", 60.0).is_ok());
    assert!(!many.is_bad_request());
}

#[test]
fn steps_and_times_have_bounds() {
    let store = Store::with("x", &[("a", 60.0, 1.0)]);
    let ask = |start: f64, end: f64, step: Duration| {
        store.engine.promql(&Query::range("x", time(start), time(end), step)).map(|_| ())
    };
    assert!(ask(0.0, MAX_STEPS as f64, Duration::from_secs(1)).is_ok());
    assert!(matches!(ask(0.0, MAX_STEPS as f64 + 1.0, Duration::from_secs(1)), Err(PromqlError::TooManySteps)));
    assert!(matches!(ask(0.0, 1.0, Duration::ZERO), Err(PromqlError::Step)));
    assert!(matches!(ask(1.0, 0.0, Duration::from_secs(1)), Err(PromqlError::Backwards)));
    for expression in ["x[5m]", "\"text\""] {
        let query = Query::range(expression, time(0.0), time(1.0), Duration::from_secs(1));
        assert!(matches!(store.engine.promql(&query), Err(PromqlError::NotForRange(_))), "{expression}");
    }
    let mut late = Query::at("x", time(60.0));
    late.timeout = Duration::ZERO;
    assert!(matches!(store.engine.promql(&late), Err(PromqlError::TimedOut { .. })));
    assert!(matches!(refusal(&store, "x[100y:1ms]"), PromqlError::SubquerySteps { .. }));
    assert!(matches!(refusal(&store, "x offset 300y"), PromqlError::Duration(_)));
}

#[test]
fn samples_and_values_have_bounds() {
    let store = Store::new(Options { max_raw_rows: 10, max_promql_values: 100, ..Options::default() });
    let points = (0..11).map(|at| crate::promql::point("x", "a", f64::from(at), 1.0));
    let batch: metrics_core::Batch = points.collect();
    store.engine.write(batch).expect("takes a batch").wait().expect("commits");
    let samples = refusal(&store, "quantile_over_time(0.5, x[2m])");
    assert!(matches!(samples, PromqlError::Read(QueryError::TooManyRows { limit: 10 })), "{samples}");
    store.engine.compact().expect("compacts");
    assert!(matches!(refusal(&store, "rate(x[2m])"), PromqlError::Read(QueryError::TooManyRows { limit: 10 })));
    assert!(store.at("x[9s]", 10.0).is_ok());
    let query = Query::range("vector(1)", time(0.0), time(101.0), Duration::from_secs(1));
    assert!(matches!(store.engine.promql(&query), Err(PromqlError::TooManyValues { limit: 100 })));
}

#[test]
fn expressions_as_deep_as_they_may_be_are_evaluated_on_a_small_stack() {
    let store = Store::with("x", &[("a", 60.0, 1.0)]);
    let engine = store.engine.clone();
    let evaluate = move || {
        let ask = |expression: String| engine.promql(&Query::at(expression, time(60.0))).map(|_| ());
        let parentheses = MAX_DEPTH - 1;
        for inner in ["x", "1"] {
            ask(format!("{}{inner}{}", "(".repeat(parentheses), ")".repeat(parentheses))).expect("deep");
        }
        ask(format!("x{}", "+x".repeat(MAX_DEPTH - 2))).expect("a chain");
        ask(format!("{}x", "-".repeat(MAX_DEPTH - 2))).expect("signs");
        ask(format!("{}x{}", "sum(".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1))).expect("sums");
        ask(format!("{}x{}", "abs(".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1))).expect("calls");
        for too_deep in [
            format!("x{}", "+x".repeat(MAX_DEPTH)),
            format!("x{}", "+x".repeat(MAX_OPERATORS + 1)),
            format!("{}x{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1)),
        ] {
            assert!(matches!(ask(too_deep), Err(PromqlError::TooDeep)));
        }
        let chain = "-x".repeat(MAX_OPERATORS);
        ask(format!("sum({}{chain}{})", "(".repeat(MAX_DEPTH - 2), ")".repeat(MAX_DEPTH - 2))).expect_err("too deep");
    };
    // As small as the threads of a server.
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(evaluate).expect("a thread");
    thread.join().expect("no overflow and no panic");
}

/// Pieces of which texts are made that are nearly PromQL.
const PIECES: [&str; 56] = [
    "x",
    "y_total",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "[5m]",
    "[5m:1m]",
    "[1e9]",
    ":",
    ",",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "\"a\"",
    "'b",
    "`c\\d`",
    "\"\\",
    "host",
    "1",
    "0x1f",
    "1e400",
    "017",
    ".5",
    "5m",
    "1h30m",
    "9999999999y",
    "inf",
    "NaN",
    "+",
    "-",
    "*",
    "^",
    "%",
    " and ",
    " or ",
    " unless ",
    " on",
    " ignoring",
    " group_left",
    " bool",
    " offset",
    " @ ",
    "start()",
    "end()",
    "sum",
    " by ",
    "topk",
    "rate",
    "label_replace",
    "# no\n",
    "\u{e9}",
];

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn prop_no_text_harms(pieces in proptest::collection::vec(0..PIECES.len(), 0..24), tail in "\\PC{0,4}") {
        thread_local! {
            static STORE: Store = Store::with("x", &[("a", 60.0, 1.0), ("b", 60.0, 2.0)]);
        }
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).chain([&*tail]).collect();
        STORE.with(|store| {
            let _ = store.at(&text, 60.0);
        });
    }
}
