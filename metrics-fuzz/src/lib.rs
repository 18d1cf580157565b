//! What must hold of every decoder, whatever bytes it gets.
//!
//! The targets of `fuzz/` call these functions with what a fuzzer thinks of; `tests/corpus.rs` calls them with what is
//! kept in `fuzz/corpus`, on stable and in every test run. A function returns when all is well, and panics otherwise.

#[cfg(feature = "engine")]
mod engine;
mod points;
mod questions;

/// A target: its name, which is that of its folder in the corpus and of its file in `fuzz/fuzz_targets`, and what it
/// does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("arrow", points::arrow),
    ("csv", points::csv),
    ("frame", questions::frame),
    ("json", points::json),
    ("line", points::line),
    ("ndjson", points::ndjson),
    ("otlp_json", points::otlp_json),
    ("otlp_protobuf", points::otlp_protobuf),
    ("params", questions::params),
    ("parquet", points::parquet),
    ("remote_write", points::remote_write),
    ("time", questions::time),
    #[cfg(feature = "engine")]
    ("inflate", engine::inflate),
    #[cfg(feature = "engine")]
    ("promql", engine::promql),
];

/// Runs the target of a name.
///
/// # Panics
/// When there is none, or what it asks for does not hold.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}"));
    target(data);
}
