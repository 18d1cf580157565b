#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metrics_fuzz::run("ndjson", data));
